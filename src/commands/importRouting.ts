import * as vscode from 'vscode';
import type { Beside } from '../panel/traceFile.js';
import { readCount } from '../strategies/index.js';
import type { Command } from './services.js';

/** Shows routing that another program wrote, together with things that the file does not contain. */
export const importRouting: Command = {
  id: 'gander.importRouting',
  async run({ traces }, clicked) {
    const file = clicked instanceof vscode.Uri ? clicked : await chooseFile(vscode.l10n.t('File with the routing'));
    if (!file) return;
    const beside = await ask();
    if (beside) await traces.import(file, beside);
  },
};

type Part = keyof Beside;

/** @returns undefined if the person cancelled */
async function ask(): Promise<Beside | undefined> {
  const parts: readonly (vscode.QuickPickItem & { readonly part: Part })[] = [
    {
      part: 'model',
      label: vscode.l10n.t('The Model’s Folder'),
      detail: vscode.l10n.t('Its tokenizer.json spells the tokens; its config.json gives layers and experts'),
    },
    {
      part: 'text',
      label: vscode.l10n.t('The Text'),
      detail: vscode.l10n.t('What was routed; it needs the model’s tokenizer.json'),
    },
    { part: 'k', label: vscode.l10n.t('Experts per Token'), detail: vscode.l10n.t('If no file says it') },
  ];
  const chosen = await vscode.window.showQuickPick(parts, {
    title: vscode.l10n.t('What else goes with the file, if anything?'),
    canPickMany: true,
  });
  if (!chosen) return undefined;
  const beside: { -readonly [P in Part]?: Beside[P] } = {};
  for (const { part } of chosen) {
    const answer = await questions[part]();
    if (answer === undefined) return undefined;
    Object.assign(beside, { [part]: answer });
  }
  return beside;
}

const questions: { readonly [P in Part]-?: () => Promise<Beside[P]> } = {
  model: () => chooseFile(vscode.l10n.t('The model’s folder'), { canSelectFiles: false, canSelectFolders: true }),
  text: () => chooseFile(vscode.l10n.t('The text that was routed')),
  k: async () => {
    const typed = await vscode.window.showInputBox({
      title: vscode.l10n.t('Experts per token'),
      validateInput: (text) => (readCount(text) === undefined ? vscode.l10n.t('A whole number from 1') : undefined),
    });
    return typed === undefined ? undefined : readCount(typed);
  },
};

async function chooseFile(title: string, options: vscode.OpenDialogOptions = {}): Promise<vscode.Uri | undefined> {
  return (await vscode.window.showOpenDialog({ title, ...options }))?.[0];
}

import * as vscode from 'vscode';
import { withPatientProgress } from './progress.js';
import type { Command } from './parts.js';
import { target } from './target.js';

const most = 2000;

export const generate: Command = {
  id: 'gander.generate',
  async run(parts) {
    const routed = target(parts);
    const answer = await vscode.window.showInputBox({
      title: vscode.l10n.t('Generate'),
      prompt: vscode.l10n.t('How many tokens to continue the text by'),
      value: '32',
      validateInput: (value) =>
        /^\d+$/.test(value) && Number(value) >= 1 && Number(value) <= most
          ? undefined
          : vscode.l10n.t('A whole number from 1 to {0}.', most),
    });
    if (answer === undefined) return;
    parts.panels.show(routed);
    await withPatientProgress(parts, vscode.l10n.t('Generating'), ({ signal }) =>
      parts.runs.generate(routed.id, { maxTokens: Number(answer), temperature: 0 }, { signal }),
    );
  },
};

import * as vscode from 'vscode';
import { traceEnding } from '../source/file.js';
import type { Command } from './services.js';

/** Compares two trace files: those selected in the file explorer, or the open one and a chosen one. */
export const compareTraces: Command = {
  id: 'gander.compareTraces',
  async run({ traces }, clicked, selected) {
    const given = (Array.isArray(selected) ? selected : [clicked]).filter(
      (one): one is vscode.Uri => one instanceof vscode.Uri,
    );
    const main = given[0] ?? traces.active?.uri ?? (await choose(vscode.l10n.t('First trace file')));
    if (!main) return;
    const other = given[1] ?? (await choose(vscode.l10n.t('Trace file to compare with')));
    if (other) await traces.compare(main, other);
  },
};

async function choose(title: string): Promise<vscode.Uri | undefined> {
  const found = await vscode.workspace.findFiles(`**/*${traceEnding}`, undefined, 200);
  const elsewhere = { label: vscode.l10n.t('Another File…'), uri: undefined };
  const items = found.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }));
  const chosen = await vscode.window.showQuickPick<{ readonly label: string; readonly uri: vscode.Uri | undefined }>(
    [...items, elsewhere],
    { title },
  );
  if (chosen !== elsewhere) return chosen?.uri;
  const filters = { [vscode.l10n.t('Gander trace')]: ['safetensors'] };
  return (await vscode.window.showOpenDialog({ title, filters }))?.[0];
}

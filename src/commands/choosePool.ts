import * as vscode from 'vscode';
import { section } from '../host/settings.js';
import { GanderError } from '../shared/errors.js';
import type { Command } from './parts.js';

export const choosePool: Command = {
  id: 'gander.choosePool',
  async run() {
    const bundled = { label: vscode.l10n.t('The Pool That Comes With Gander') };
    const folder = { label: vscode.l10n.t('A Folder…') };
    const chosen = await vscode.window.showQuickPick([bundled, folder], { title: vscode.l10n.t('Pool') });
    if (!chosen) return;
    if (chosen === bundled) return setPool(undefined);
    const picked = await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      title: vscode.l10n.t('Folder of the pool'),
      openLabel: vscode.l10n.t('Choose Pool'),
    });
    if (!picked?.[0]) return;
    await checkPool(picked[0]);
    await setPool(picked[0].fsPath);
  },
};

async function checkPool(folder: vscode.Uri): Promise<void> {
  try {
    await vscode.workspace.fs.stat(vscode.Uri.joinPath(folder, 'pool.json'));
  } catch (cause) {
    throw new GanderError(
      'pool-missing',
      vscode.l10n.t('{0} is no pool: it has no pool.json.', folder.fsPath),
      vscode.l10n.t('Choose the folder that holds pool.json.'),
      { cause },
    );
  }
}

/** For the person, never for a workspace: what a pool is, is a matter of trust. */
async function setPool(folder: string | undefined): Promise<void> {
  await vscode.workspace.getConfiguration(section).update('pool', folder, vscode.ConfigurationTarget.Global);
}

import path from 'node:path';
import * as vscode from 'vscode';
import type { Command } from './services.js';
import { GanderError } from '../errors/errors.js';

/** Shows an atlas: the folder clicked in the file explorer, or a chosen one. */
export const openAtlas: Command = {
  id: 'gander.openAtlas',
  async run({ atlasEditor }, clicked) {
    const folder = clicked instanceof vscode.Uri ? clicked : await chooseFolder();
    if (!folder) return;
    await checkAtlas(folder);
    await atlasEditor.show(folder.fsPath);
  },
};

async function chooseFolder(): Promise<vscode.Uri | undefined> {
  const picked = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    title: vscode.l10n.t('Folder of the atlas'),
    openLabel: vscode.l10n.t('Open Atlas'),
  });
  return picked?.[0];
}

async function checkAtlas(folder: vscode.Uri): Promise<void> {
  try {
    await vscode.workspace.fs.stat(vscode.Uri.joinPath(folder, 'atlas.json'));
  } catch (cause) {
    throw new GanderError(
      'io',
      vscode.l10n.t('{0} is not an atlas: it has no atlas.json.', path.basename(folder.fsPath)),
      vscode.l10n.t('Choose a folder that Gander: Make Atlas… or gander atlas make wrote.'),
      { cause },
    );
  }
}

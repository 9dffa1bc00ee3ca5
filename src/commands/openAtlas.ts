import path from 'node:path';
import * as vscode from 'vscode';
import { folderEnding } from '../atlas/place.js';
import { GanderError } from '../errors/errors.js';
import type { Atlases } from '../host/atlases.js';
import { asking } from './asking.js';
import type { Command } from './services.js';

/** Shows an atlas: the folder clicked in the file explorer, or a chosen one. */
export const openAtlas: Command = {
  id: 'gander.openAtlas',
  async run({ atlases, atlasEditor }, clicked) {
    const folder = clicked instanceof vscode.Uri ? clicked : await choose(atlases);
    if (!folder) return;
    await checkAtlas(folder);
    await atlasEditor.show(folder.fsPath);
  },
};

/** Stands for a folder that is still to be chosen. */
const elsewhere = '';

async function choose(atlases: Atlases): Promise<vscode.Uri | undefined> {
  const offered = await atlases.offered();
  const items = [
    ...offered.map(({ folder, model, ships }) => ({
      label: path.basename(folder, folderEnding),
      description: model,
      detail: ships ? vscode.l10n.t('comes with Gander') : folder,
      value: folder,
    })),
    { label: vscode.l10n.t('A Folder…'), value: elsewhere },
  ];
  const chosen = await asking((ask) => ask(items, vscode.l10n.t('Atlas')));
  if (chosen === undefined) return undefined;
  return chosen === elsewhere ? chooseFolder() : vscode.Uri.file(chosen);
}

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

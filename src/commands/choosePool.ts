import path from 'node:path';
import * as vscode from 'vscode';
import { GanderError } from '../shared/errors.js';
import { asking, type Item } from './asking.js';
import type { Command, Parts } from './parts.js';
import { ownPools, usePool } from './pools.js';

export const choosePool: Command = {
  id: 'gander.choosePool',
  async run(parts) {
    const items = [...(await known(parts)), { label: vscode.l10n.t('A Folder…'), value: elsewhere }];
    const chosen = await asking((ask) => ask(items, vscode.l10n.t('Pool')));
    if (chosen === undefined) return;
    if (chosen !== elsewhere) return usePool(chosen === parts.engines.bundledPool ? undefined : chosen);
    const picked = await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      title: vscode.l10n.t('Folder of the pool'),
      openLabel: vscode.l10n.t('Choose Pool'),
    });
    if (!picked?.[0]) return;
    await checkPool(picked[0]);
    await usePool(picked[0].fsPath);
  },
};

/** In the place of a folder. */
const elsewhere = '';

/** The pool that comes with Gander, its copies, and the one in use wherever it lies, which is marked. */
async function known(parts: Parts): Promise<Item<string>[]> {
  const { pool, bundledPool, address } = parts.engines;
  const copies = await ownPools(parts);
  const others = [bundledPool, ...copies].includes(pool) ? [] : [pool];
  return [bundledPool, ...copies, ...others].map((folder) => ({
    label: folder === bundledPool ? vscode.l10n.t('The Pool That Comes With Gander') : path.basename(folder),
    description: folder === pool && address === undefined ? vscode.l10n.t('current') : '',
    ...(folder !== bundledPool && { detail: folder }),
    value: folder,
  }));
}

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

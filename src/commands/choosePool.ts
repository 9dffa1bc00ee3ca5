import path from 'node:path';
import * as vscode from 'vscode';
import { bundledModels } from '../product/bundled.js';
import { asking, type Item } from './asking.js';
import { openFolder } from './openModel.js';
import type { Command, Services } from './services.js';
import { ownPools, usePool } from './pools.js';

export const choosePool: Command = {
  id: 'gander.choosePool',
  async run(services) {
    const items = [...(await known(services)), { label: vscode.l10n.t('A Folder…'), value: elsewhere }];
    const chosen = await asking((ask) => ask(items, vscode.l10n.t('Model')));
    if (chosen === undefined) return;
    if (chosen === elsewhere) return openFolder(services);
    await usePool(chosen === bundledModels[0].folder ? undefined : chosen);
    // Opens the model now, so that the status bar shows it and any problems with it.
    await services.service.describe();
  },
};

/** Stands for a folder that is still to be chosen. */
const elsewhere = '';

/**
 * The possible values of the setting: the models that come with Gander, copies of the pool, and whatever is in use now, which is
 * marked.
 */
async function known(services: Services): Promise<Item<string>[]> {
  const { pool, bundled, address } = services.engines;
  const marked = (folder: string) => (folder === pool && address === undefined ? vscode.l10n.t('current') : '');
  const copies = await ownPools(services);
  const others = [...bundled.map((model) => model.path), ...copies].includes(pool) ? [] : [pool];
  return [
    ...bundled.map(({ title, hint, folder, path: place }) => ({
      label: vscode.l10n.t(title),
      description: marked(place) || vscode.l10n.t('comes with Gander'),
      detail: vscode.l10n.t(hint),
      value: folder,
    })),
    ...[...copies, ...others].map((folder) => ({
      label: path.basename(folder),
      description: marked(folder),
      detail: folder,
      value: folder,
    })),
  ];
}

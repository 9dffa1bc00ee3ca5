import { constants } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { Candidate } from '../requests/api.js';
import { megabytes } from '../host/numbers.js';
import { GanderError } from '../errors/errors.js';
import type { Command, Services } from './services.js';
import { folderBytes, ownCopy, useOwnCopy } from './pools.js';

/** Adds an expert to the pool by copying its folder. */
export const addExpert: Command = {
  id: 'gander.addExpert',
  async run(services) {
    const picked = await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      title: vscode.l10n.t('Folder of the expert'),
      openLabel: vscode.l10n.t('Add Expert'),
    });
    const from = picked?.[0];
    if (from) await addFrom(services, from);
  },
};

export async function addFrom(services: Services, from: vscode.Uri): Promise<void> {
  const { engines, service } = services;
  const folder = onThisMachine(from);
  // The bundled pool has the same base as its copy, so an expert that does not fit is refused before anything is copied.
  let candidate = await engines.engine.examine(folder);
  if (!(await agreed(services, folder, candidate))) return;
  let { pool } = engines;
  if (pool === engines.bundledPool) {
    pool = await useOwnCopy(services);
    candidate = await engines.engine.examine(folder);
  }
  const to = path.join(pool, candidate.target);
  await copyFiles(folder, to, candidate.files);
  engines.reload();
  const { experts, warnings } = await service.pool();
  const id = path.basename(to);
  if (!experts.some((expert) => expert.id === id)) {
    await rm(to, { recursive: true });
    engines.reload();
    throw new GanderError(
      'expert-invalid',
      warnings.find(({ code, expert }) => code === 'expert-left-out' && expert === id)?.text ??
        vscode.l10n.t('The expert {0} does not fit the pool.', id),
      vscode.l10n.t('The pool is unchanged.'),
    );
  }
  void vscode.window.showInformationMessage(
    vscode.l10n.t('Added the expert {0}. Route again to see what it takes.', id),
  );
}

/** The folder's absolute path. @throws GanderError `expert-invalid` if it is not on this machine */
export function onThisMachine(from: vscode.Uri): string {
  if (from.scheme === 'file') return from.fsPath;
  throw new GanderError(
    'expert-invalid',
    vscode.l10n.t('{0} is not on this machine.', from.toString(true)),
    vscode.l10n.t('Copy the folder to this machine first.'),
  );
}

/** Says what is copied, how much and where to, and asks for agreement. */
async function agreed(services: Services, folder: string, { bytes, target }: Candidate): Promise<boolean> {
  const { pool, bundledPool } = services.engines;
  const own = await ownCopy(services);
  const into = path.join(pool === bundledPool ? own.folder : pool, target);
  const detail = [vscode.l10n.t('{0} will be copied from {1} to {2}.', megabytes(bytes), folder, into)];
  if (pool === bundledPool) {
    detail.push(vscode.l10n.t('The bundled pool is replaced when Gander is updated, so a copy of it is used.'));
    if (!own.isThere)
      detail.push(vscode.l10n.t('The copy is made now and takes {0}.', megabytes(await folderBytes(bundledPool))));
  }
  const add = vscode.l10n.t('Add');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Add the expert {0}?', path.basename(folder)),
    { modal: true, detail: detail.join(' ') },
    add,
  );
  return chosen === add;
}

/** Copies all files or none: until the last one is there, the folder has a name that no expert can have. */
async function copyFiles(from: string, to: string, files: readonly string[]): Promise<void> {
  const temporary = path.join(path.dirname(to), `.${path.basename(to)}.adding`);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    for (const name of files)
      await copyFile(path.join(from, name), path.join(temporary, name), constants.COPYFILE_FICLONE);
    await rename(temporary, to);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw new GanderError(
      'io',
      vscode.l10n.t('The expert could not be copied to {0}: {1}', to, cause instanceof Error ? cause.message : ''),
      vscode.l10n.t('Check the free disk space and that you may write there.'),
      { cause },
    );
  }
}

/** Copies of the bundled pool that a person may change, in the extension's own storage. */
import { cp, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { section } from '../host/settings.js';
import { GanderError } from '../errors/errors.js';
import type { Services } from './services.js';

const storage = ({ context }: Pick<Services, 'context'>) => path.join(context.globalStorageUri.fsPath, 'pools');

/** Absolute folders of the copied pools, sorted by name. */
export async function ownPools(parts: Pick<Services, 'context'>): Promise<string[]> {
  const names = await readdir(storage(parts)).catch(() => []);
  const folders = names.sort().map((name) => path.join(storage(parts), name));
  const isPool = await Promise.all(folders.map((folder) => isThere(path.join(folder, 'pool.json'))));
  return folders.filter((folder, i) => isPool[i] && !folder.endsWith(unfinished));
}

const unfinished = '.copying';

/** The copy that experts are added to while the bundled pool is in use. */
export async function ownCopy(parts: Pick<Services, 'context'>): Promise<{ folder: string; isThere: boolean }> {
  const folder = path.join(storage(parts), 'my-pool');
  return { folder, isThere: await isThere(path.join(folder, 'pool.json')) };
}

/** Uses that copy, and makes it if necessary; returns its folder. */
export async function useOwnCopy(parts: Pick<Services, 'context' | 'engines'>): Promise<string> {
  const { folder, isThere: isMade } = await ownCopy(parts);
  if (!isMade) {
    const title = vscode.l10n.t('Copying the pool');
    await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title }, () =>
      copyWhole(parts.engines.bundledPool, folder),
    );
  }
  await usePool(folder);
  parts.engines.reload();
  return folder;
}

async function copyWhole(from: string, to: string): Promise<void> {
  const temporary = `${to}${unfinished}`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await cp(from, temporary, { recursive: true });
    await rename(temporary, to);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw new GanderError(
      'io',
      vscode.l10n.t('The pool could not be copied to {0}: {1}', to, cause instanceof Error ? cause.message : ''),
      vscode.l10n.t('Check the free disk space and that you may write there.'),
      { cause },
    );
  }
}

/** A user setting, never one of a workspace, because a pool must be trusted. `undefined`: the bundled pool. */
export async function usePool(folder: string | undefined): Promise<void> {
  await vscode.workspace.getConfiguration(section).update('pool', folder, vscode.ConfigurationTarget.Global);
  await useServer(undefined);
}

/** Uses a server instead of a pool. `undefined`: none. */
export async function useServer(address: string | undefined): Promise<void> {
  await vscode.workspace.getConfiguration(section).update('engine.address', address, vscode.ConfigurationTarget.Global);
}

/** Bytes of all files in a folder. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(path.join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { megabytes } from '../host/numbers.js';
import { GanderError } from '../errors/errors.js';
import { type Address, endpointIn, readAddress } from '../travel/address.js';
import { baseOf, type BaseMatch, baseOfPool, matchOf } from '../travel/base.js';
import { unpin } from '../travel/lock.js';
import { arrivalsOf, forgetArrivals, hasGate, look, type Offer } from '../travel/offer.js';
import { place } from '../travel/place.js';
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
    if (from) await addFrom(services, { kind: 'folder', path: onThisMachine(from) });
  },
};

/** Adds an expert from the file that `gander pack` made of it. */
export const addPackedExpert: Command = {
  id: 'gander.addPackedExpert',
  async run(services) {
    const picked = await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Packed expert'),
      openLabel: vscode.l10n.t('Add Expert'),
      filters: { [vscode.l10n.t('Packed experts')]: ['tar'] },
    });
    const from = picked?.[0];
    if (from) await addFrom(services, { kind: 'file', path: onThisMachine(from) });
  },
};

/** Adds a PEFT adapter from the Hugging Face Hub, or a packed expert from an address. */
export const addExpertFromHub: Command = {
  id: 'gander.addExpertFromHub',
  async run(services) {
    const typed = await vscode.window.showInputBox({
      title: vscode.l10n.t('Expert on the Hugging Face Hub'),
      prompt: vscode.l10n.t(
        'OWNER/NAME, OWNER/NAME@REVISION, or the address of a packed expert. Its card comes first.',
      ),
      ignoreFocusOut: true,
      validateInput: (text) => {
        try {
          addressOf(text);
          return undefined;
        } catch (thrown) {
          return text.trim() === '' ? undefined : GanderError.from(thrown).message;
        }
      },
    });
    if (typed !== undefined && typed.trim() !== '') await addFrom(services, addressOf(typed));
  },
};

function addressOf(typed: string): Address {
  const text = typed.trim();
  const address = /^(hf:|https?:\/\/)/i.test(text) ? text : `hf:${text}`;
  return readAddress(address, endpointIn(process.env), (name) => statSync(name).isDirectory());
}

export async function addFrom(services: Services, address: Address): Promise<void> {
  const { engines, service } = services;
  // VS Code's own fetch goes by its proxy settings.
  const offer = await look(address, { env: process.env, fetch });
  // The bundled pool has the same base as its copy, so an expert that does not fit is refused before anything is copied.
  if (offer.folder !== undefined) await engines.engine.examine(offer.folder);
  const known = await baseOfPool(await service.pool());
  if (!(await agreed(services, offer, matchOf(offer.base, known)))) return;
  const arrivals = arrivalsOf(services.context.globalStorageUri.fsPath, offer);
  const { folder, origin } = await brought(offer, arrivals);
  let { target } = await engines.engine.examine(folder);
  let { pool } = engines;
  if (pool === engines.bundledPool) {
    pool = await useOwnCopy(services);
    ({ target } = await engines.engine.examine(folder));
  }
  await place(pool, { from: folder, target, origin, base: matchOf(await baseOf(folder), known) });
  await forgetArrivals(arrivals);
  engines.reload();
  const { experts, warnings } = await service.pool();
  const { id } = offer;
  if (!experts.some((expert) => expert.id === id)) {
    await rm(path.join(pool, target), { recursive: true });
    await unpin(pool, id);
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
    vscode.l10n.t('Copy it to this machine first.'),
  );
}

/** Shows the card, says what is copied, how much and where to, and asks for agreement. */
async function agreed(services: Services, offer: Offer, match: BaseMatch): Promise<boolean> {
  const { pool, bundledPool } = services.engines;
  const own = await ownCopy(services);
  const into = pool === bundledPool ? own.folder : pool;
  const isOther = match === 'other';
  const detail = [
    ...cardLines(offer),
    '',
    isOther
      ? vscode.l10n.t('It was made for another base than this pool’s: what it computes here may mean nothing.')
      : undefined,
    vscode.l10n.t(
      'It becomes one more expert of {0}; nothing else there changes. {1} are copied from {2}.',
      into,
      megabytes(offer.bytes),
      offer.folder ?? offer.origin.source,
    ),
    hasGate(offer) ? undefined : vscode.l10n.t('It has no gate: Arrow can choose it, PHATGOOSE cannot.'),
    pool === bundledPool
      ? vscode.l10n.t('The bundled pool is replaced when Gander is updated, so a copy of it is used.')
      : undefined,
    pool === bundledPool && !own.isThere
      ? vscode.l10n.t('The copy is made now and takes {0}.', megabytes(await folderBytes(bundledPool)))
      : undefined,
  ].filter((line) => line !== undefined);
  const add = isOther ? vscode.l10n.t('Add Anyway') : vscode.l10n.t('Add');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Add the expert {0}?', offer.id),
    { modal: true, detail: detail.join('\n') },
    add,
  );
  return chosen === add;
}

/** What an expert says of itself. */
function cardLines({ origin, card, base }: Offer): string[] {
  const notSaid = vscode.l10n.t('not said');
  return [
    vscode.l10n.t('Name: {0}', card.name ?? notSaid),
    vscode.l10n.t('Base: {0}', base.name ?? notSaid),
    vscode.l10n.t('Licence: {0}', card.license ?? notSaid),
    ...(card.datasets?.length ? [vscode.l10n.t('Trained on: {0}', card.datasets.join(', '))] : []),
    ...(origin.author === undefined ? [] : [vscode.l10n.t('By: {0}', origin.author)]),
    ...(origin.revision === undefined ? [] : [vscode.l10n.t('Commit: {0}', origin.revision)]),
  ];
}

/** Its folder on this machine; a person who waits too long may go on later where it stopped. */
async function brought(offer: Offer, arrivals: string): ReturnType<Offer['bring']> {
  const title = vscode.l10n.t('Fetching the expert {0}', offer.id);
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => abort.abort());
      let before = 0;
      const got = (bytes: number) => {
        const percent = (100 * bytes) / Math.max(1, offer.bytes);
        progress.report({ increment: Math.max(0, percent - before) });
        before = Math.max(before, percent);
      };
      try {
        return await offer.bring(arrivals, { got, signal: abort.signal });
      } catch (thrown) {
        if (!abort.signal.aborted) throw thrown;
        throw new GanderError('cancelled', 'The fetch was stopped.', 'Start it again: it goes on where it stopped.');
      }
    },
  );
}

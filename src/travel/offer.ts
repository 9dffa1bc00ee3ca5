/** An expert that could be added, known by its card; its files come when they are asked for. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { poolLimits } from '../checks/limits.js';
import { GanderError } from '../errors/errors.js';
import { type Card, parseCard } from '../pool/card.js';
import type { Address, Environment, HubAddress } from './address.js';
import { baseOf, smallText, type ToldBase } from './base.js';
import { bring, type Bringing, isBroken, readAt, reasonOf } from './download.js';
import { bytesOf, checkId, hashInName, hashOf, provenanceFile, travellingFiles } from './files.js';
import { type Head, readHead, unpack } from './packed.js';
import { type Provenance, readProvenance } from './provenance.js';
import type { HubModel } from './web/web.js';

/** Where an expert is from, as the lock file keeps it. */
export interface Origin {
  readonly source: string;
  readonly revision?: string;
  readonly packed?: string;
  readonly author?: string;
}

export interface Offer {
  readonly id: string;
  readonly origin: Origin;
  readonly card: Card;
  readonly base: ToldBase;
  /** By name. */
  readonly files: Readonly<Record<string, { readonly bytes: number }>>;
  readonly bytes: number;
  /** Its folder, if it is on this machine under its own name: nothing has to be brought. */
  readonly folder?: string;
  /** Brings its files into a folder under `into`, and returns that folder. What was brought before and is right stays. */
  readonly bring: (into: string, bringing: Bringing) => Promise<{ readonly folder: string; readonly origin: Origin }>;
}

export interface Looking {
  readonly env: Environment;
  /** How the web is reached; absent: as the variables say. */
  readonly fetch?: typeof fetch;
  /** Another id than its own. */
  readonly as?: string | undefined;
}

/** Reads no more than its card. Rejects with GanderError. */
export async function look(address: Address, looking: Looking): Promise<Offer> {
  const offer = await onDisk(() => offerOf(address, looking));
  // A folder keeps its own name, whatever that is.
  if (offer.folder === undefined) checkId(offer.id);
  return { ...offer, bring: (into, bringing) => onDisk(() => offer.bring(into, bringing)) };
}

/** Says what of this machine's files cannot be read or written. */
async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { syscall, path: at = '', code } = cause as NodeJS.ErrnoException;
    if (cause instanceof GanderError || syscall === undefined) throw cause;
    throw new GanderError(
      'io',
      `${at} cannot be read or written (${code ?? syscall}).`,
      'Check the permissions and the space on the disk.',
      { cause },
    );
  }
}

async function offerOf(address: Address, { env, as, fetch: own }: Looking): Promise<Offer> {
  if (address.kind === 'folder') return ofFolder(address.path, as);
  if (address.kind === 'file') return ofFile(address.path, as);
  // A file of its own, loaded only for this.
  const { fetchBy, hubBy, hubModel, bringFromHub } = await import('./web/web.js');
  const fetched = own ?? fetchBy(env);
  if (address.kind === 'url') return ofUrl(address.url, fetched, as);
  const hub = hubBy(env, fetched);
  const model = await hubModel(address, hub);
  return ofHub(address, model, as, (folder, bringing) =>
    bringFromHub(model, hub, (name) => path.join(folder, name), bringing),
  );
}

async function ofFolder(from: string, as: string | undefined): Promise<Offer> {
  const files: Record<string, { bytes: number }> = {};
  for (const name of travellingFiles) {
    const now = await stat(path.join(from, name)).catch(() => undefined);
    if (now?.isFile()) files[name] = { bytes: now.size };
  }
  const own = path.basename(from);
  const id = as ?? own;
  const said = await smallText(path.join(from, provenanceFile));
  const author = said === undefined ? undefined : readProvenance(said).author;
  const origin = { source: own, ...(author !== undefined && { author }) };
  return {
    ...{ id, origin, files, bytes: bytesOf(files), base: await baseOf(from) },
    card: parseCard((await smallText(path.join(from, 'README.md'))) ?? ''),
    ...(id === own && { folder: from }),
    bring: async (into) => {
      if (id === own) return { folder: from, origin };
      const folder = path.join(into, id);
      await mkdir(folder, { recursive: true });
      for (const name of Object.keys(files)) await copyFile(path.join(from, name), path.join(folder, name));
      return { folder, origin };
    },
  };
}

async function ofFile(file: string, as: string | undefined): Promise<Offer> {
  const head = await readHead(createReadStream(file));
  return ofPacked(head, { as, source: path.basename(file) }, () => Promise.resolve(file));
}

async function ofUrl(url: string, fetched: typeof fetch, as: string | undefined): Promise<Offer> {
  const refuse = ({ status }: Response) =>
    status === 404
      ? new GanderError('source-missing', `There is nothing at ${url}.`, 'Check the address.')
      : new GanderError('source-refused', `${url} answers ${status}.`, 'Check the address, or fetch it another way.');
  let bytes: number | undefined;
  const seen: typeof fetch = async (input, init) => {
    const response = await fetched(input, init);
    bytes = Number(response.headers.get('content-length')) || undefined;
    return response;
  };
  const beginning = await reached(url, async () => readHead((await readAt(url, seen, { refuse })(0)).bytes));
  const name = new URL(url).pathname;
  return ofPacked(beginning, { as, source: url }, async (into, { got, signal }) => {
    // No expert has a name that begins with a dot.
    const to = path.join(into, '.packed.tar');
    const expected = {
      ...(bytes !== undefined && { bytes }),
      most: poolLimits.expertBytes,
      isRight: async (file: string) => [undefined, await hashOf(file)].includes(hashInName(name)),
    };
    const isRight = await reached(url, () =>
      bring(readAt(url, fetched, { signal, refuse }), to, expected, { got, signal }),
    );
    if (!isRight) throw notAsNamed(url);
    return to;
  });
}

async function reached<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof GanderError || !isBroken(cause)) throw cause;
    throw new GanderError(
      'source-unreachable',
      `${url} cannot be reached, or breaks off (${reasonOf(cause)}).`,
      'Check the address and the network, then try again: it goes on where it stopped.',
      { cause },
    );
  }
}

const notAsNamed = (name: string) =>
  new GanderError(
    'expert-invalid',
    `${name} is not the file that its name says: its SHA-256 differs.`,
    'Nothing of it was kept. Get it again from where it was published.',
  );

function ofPacked(
  { provenance, card }: Head,
  { as, source }: { readonly as: string | undefined; readonly source: string },
  get: (into: string, bringing: Bringing) => Promise<string>,
): Offer {
  const { files, base } = provenance;
  const id = as ?? provenance.id;
  return {
    ...{ id, files, base, bytes: bytesOf(files), card: cardWith(card, provenance) },
    origin: originOf(source, provenance),
    bring: async (into, bringing) => {
      const file = await get(into, bringing);
      const packed = await hashOf(file);
      if (![undefined, packed].includes(hashInName(path.basename(source)))) throw notAsNamed(source);
      const folder = path.join(into, id);
      const said = await unpack(createReadStream(file), folder);
      return { folder, origin: { ...originOf(source, said), packed } };
    },
  };
}

const originOf = (source: string, { author }: Provenance): Origin => ({
  source,
  ...(author !== undefined && { author }),
});

const cardWith = (card: Card, { license, data }: Provenance): Card => ({
  ...card,
  license: card.license ?? license,
  datasets: card.datasets ?? data,
});

function ofHub(
  { name, revision }: HubAddress,
  model: HubModel,
  as: string | undefined,
  get: (folder: string, bringing: Bringing) => Promise<void>,
): Offer {
  const [author = '', own = ''] = name.split('/');
  const id = as ?? own;
  const { files, commit, license, base, datasets } = model;
  const origin = { source: `hf:${name}@${revision}`, revision: commit, author };
  return {
    ...{ id, origin, files, bytes: bytesOf(files), base: { name: base } },
    card: { name: own, license, datasets },
    bring: async (into, bringing) => {
      const folder = path.join(into, id);
      await get(folder, bringing);
      return { folder, origin };
    },
  };
}

/** Where an offer's files arrive: the same folder when the same is asked for again. @param cache absolute */
export function arrivalsOf(cache: string, { id, origin }: Offer): string {
  const key = createHash('sha256')
    .update(JSON.stringify([id, origin.source, origin.revision]))
    .digest('hex');
  return path.join(cache, 'arriving', key.slice(0, 16));
}

export const forgetArrivals = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

export const hasGate = ({ files }: Offer): boolean => 'gate.safetensors' in files;

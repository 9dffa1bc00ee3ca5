/** An expert as one file: a plain tar whose bytes depend on nothing but its content (docs/pool-format.md). */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReadableStream, type WritableStream } from 'node:stream/web';
import { createTarDecoder, createTarPacker } from 'modern-tar';
import { poolLimits } from '../checks/limits.js';
import { GanderError } from '../errors/errors.js';
import { bytesInWords } from '../formats/bytes.js';
import { type Card, parseCard } from '../pool/card.js';
import {
  bytesOf,
  checkId,
  checkNeeded,
  filesIn,
  mostSmallBytes,
  type PinnedFile,
  provenanceFile,
  travellingFiles,
} from './files.js';
import { type Provenance, provenanceVersion, readProvenance } from './provenance.js';

/** What whoever packs an expert says of it. */
export type Told = Pick<Provenance, 'id' | 'base' | 'license' | 'author' | 'data' | 'command'>;

/** @param to a file, or a folder for one whose name has the hash; returns the file and its SHA-256. */
export async function pack(folder: string, told: Told, to: { readonly file: string } | { readonly folder: string }) {
  checkId(told.id);
  const { [provenanceFile]: _, ...files } = await filesIn(folder);
  checkNeeded(Object.keys(files), folder);
  const provenance = { format: 'gander-expert', version: provenanceVersion, ...told, files } satisfies Provenance;
  const beside = path.join('folder' in to ? to.folder : path.dirname(to.file), `.gander-${randomUUID()}.part`);
  const hash = createHash('sha256');
  const hashed = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  try {
    await pipeline(tarOf(folder, provenance), hashed, createWriteStream(beside, { flags: 'wx' }));
    const sha256 = hash.digest('hex');
    const file = 'folder' in to ? path.join(to.folder, `${told.id}-${sha256}.tar`) : to.file;
    await rename(beside, file);
    return { file, sha256, provenance };
  } catch (cause) {
    await rm(beside, { force: true });
    if (cause instanceof GanderError) throw cause;
    throw new GanderError(
      'io',
      `${folder} cannot be packed: ${(cause as Error).message}`,
      'Check the permissions and the space on the disk.',
      { cause },
    );
  }
}

function tarOf(folder: string, { ...provenance }: Provenance): Readable {
  const { readable, controller } = createTarPacker();
  const header = (name: string, size: number) => ({
    name: `${provenance.id}/${name}`,
    size,
    ...{ type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) },
  });
  const add = async () => {
    const said = Buffer.from(`${JSON.stringify(provenance, null, 2)}\n`);
    const writer = controller.add(header(provenanceFile, said.length)).getWriter();
    await writer.write(new Uint8Array(said));
    await writer.close();
    for (const name of travellingFiles) {
      const pinned = provenance.files[name];
      if (!pinned) continue;
      const entry = controller.add(header(name, pinned.bytes)).getWriter();
      for await (const chunk of createReadStream(path.join(folder, name)) as AsyncIterable<Buffer>)
        await entry.write(new Uint8Array(chunk));
      await entry.close();
    }
    controller.finalize();
  };
  add().catch((cause: unknown) => controller.error(cause));
  return Readable.fromWeb(readable as ReadableStream);
}

/** What a packed expert says of itself. */
export interface Head {
  readonly provenance: Provenance;
  readonly card: Card;
}

/** Reads no more than the beginning. Rejects with GanderError `expert-invalid`. */
export async function readHead(bytes: AsyncIterable<Uint8Array>): Promise<Head> {
  for await (const { head, name, text } of entriesOf(bytes)) {
    if (name !== provenanceFile) return { ...head, card: name === 'README.md' ? parseCard(await text()) : {} };
    if (Object.keys(head.provenance.files).length === 0) break;
  }
  throw broken('it ends before its expert begins');
}

/** Writes the files into a new folder, each as its provenance says it is. Rejects with GanderError `expert-invalid`, `io`. */
export async function unpack(bytes: AsyncIterable<Uint8Array>, folder: string): Promise<Provenance> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  let said: Provenance | undefined;
  const left = new Set<string>();
  for await (const { head, name, save } of entriesOf(bytes)) {
    if (!said) for (const one of Object.keys(head.provenance.files)) left.add(one);
    said = head.provenance;
    await save(path.join(folder, name));
    left.delete(name);
  }
  const [lacking] = left;
  if (!said || lacking !== undefined) throw broken(`it ends before ${lacking ?? provenanceFile}`);
  return said;
}

interface Entry {
  readonly head: { readonly provenance: Provenance };
  readonly name: string;
  /** Its beginning, as far as such a text may be long. */
  readonly text: () => Promise<string>;
  readonly save: (file: string) => Promise<void>;
}

/** The entries of a packed expert, of which the first is its provenance. No other name, kind or size is let through. */
async function* entriesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  let provenance: Provenance | undefined;
  const seen = new Set<string>();
  try {
    for await (const { header, body } of ReadableStream.from(bytes).pipeThrough(decoder())) {
      const [id, name, ...deeper] = header.name.split('/');
      if (header.type !== 'file' || id === undefined || name === undefined || deeper.length > 0)
        throw broken(`"${header.name.slice(0, 120)}" has no place in it`);
      if (!provenance) {
        if (name !== provenanceFile) throw broken(`it does not begin with ${provenanceFile}`);
        const said = await textOf(body, header.size);
        provenance = checked(readProvenance(said), id);
        yield {
          head: { provenance },
          name,
          text: () => Promise.resolve(said),
          save: (file) => write([Buffer.from(said)], file),
        };
      } else {
        const pinned = provenance.files[name];
        if (id !== provenance.id || !pinned || seen.has(name) || pinned.bytes !== header.size)
          throw broken(`"${header.name.slice(0, 120)}" is not what its ${provenanceFile} says`);
        seen.add(name);
        yield {
          ...{ head: { provenance }, name },
          text: () => textOf(body, header.size),
          save: (file) => write(checkedBytes(body, name, pinned), file),
        };
      }
    }
  } catch (thrown) {
    if (thrown instanceof GanderError || isOfSystem(thrown)) throw thrown;
    throw broken((thrown as Error).message.replace(/\.$/, ''), thrown);
  }
}

/** As streams of the web, which is what it gives, but by the types of the page. */
const decoder = () =>
  createTarDecoder({ strict: true }) as unknown as {
    readable: ReadableStream<{
      readonly header: { readonly name: string; readonly size: number; readonly type?: string };
      readonly body: ReadableStream<Uint8Array>;
    }>;
    writable: WritableStream<Uint8Array>;
  };

function checked(provenance: Provenance, id: string): Provenance {
  checkId(id);
  if (provenance.id !== id) throw broken(`its folder is not ${provenance.id}, as its ${provenanceFile} says`);
  checkNeeded(Object.keys(provenance.files), 'it');
  const bytes = bytesOf(provenance.files);
  if (bytes > poolLimits.expertBytes)
    throw broken(`its files have ${bytesInWords(bytes)}; at most ${bytesInWords(poolLimits.expertBytes)} are read`);
  return provenance;
}

async function textOf(body: ReadableStream<Uint8Array>, size: number): Promise<string> {
  if (size > mostSmallBytes) throw broken(`one of its texts has ${bytesInWords(size)}`);
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

async function* checkedBytes(body: AsyncIterable<Uint8Array>, name: string, { sha256 }: PinnedFile) {
  const hash = createHash('sha256');
  for await (const part of body) {
    hash.update(part);
    yield part;
  }
  if (hash.digest('hex') !== sha256) throw broken(`${name} has another SHA-256 than its ${provenanceFile} says`);
}

const write = (parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, file: string): Promise<void> =>
  pipeline(parts, createWriteStream(file, { flags: 'wx' }));

/** Errors of the disk or the network that the bytes come from have a code. */
const isOfSystem = (thrown: unknown): boolean =>
  thrown instanceof Error && ('code' in thrown || thrown.name === 'AbortError' || thrown.cause !== undefined);

const broken = (why: string, cause?: unknown) =>
  new GanderError(
    'expert-invalid',
    `This is not a packed expert: ${why}.`,
    'Get the file again, or ask whoever packed it to pack it again with gander pack.',
    { cause },
  );

/** A repository on the Hugging Face Hub, or on another hub with its API. */
import { HubApiError, InvalidApiResponseFormatError, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub';
import { z } from 'zod';
import { poolLimits } from '../../checks/limits.js';
import { GanderError } from '../../errors/errors.js';
import { bytesInWords } from '../../formats/bytes.js';
import type { HubAddress } from '../address.js';
import { bring, isBroken, isWhole, readAt, reasonOf } from '../download.js';
import { bytesOf, checkNeeded, hashOf, travellingFiles } from '../files.js';
import type { Bringing } from '../download.js';
import type { Hub } from './access.js';

/** Bytes of one answer of the API, and entries of a listing. */
const mostAnswer = 16 * 2 ** 20;
const mostEntries = 10_000;

/** How long the API may take. Milliseconds. */
const patienceMs = 60_000;

const commit = z.string().regex(/^[0-9a-f]{40}$/);
const text = z.string().max(2000);
const texts = z.union([text, z.array(text).max(1000)]);
const infoSchema = z.object({
  sha: commit,
  cardData: z
    .object({
      license: text.optional().catch(undefined),
      base_model: texts.optional().catch(undefined),
      datasets: texts.optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  config: z
    .object({ peft: z.object({ base_model_name_or_path: text.nullish() }).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

const oid = z.string().regex(/^[0-9a-f]{40,64}$/);
const entrySchema = z.object({
  size: z.int().min(0),
  oid,
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }).optional(),
});

export interface HubFile {
  readonly bytes: number;
  /** As git or, for large files, LFS names its content. */
  readonly hash: { readonly algorithm: 'sha1' | 'sha256'; readonly hex: string };
}

/** What a hub says of a repository, without any of its files. */
export interface HubModel {
  readonly name: string;
  /** The commit that the revision stands for now. */
  readonly commit: string;
  readonly license?: string;
  readonly base?: string;
  readonly datasets: readonly string[];
  /** Those that an expert has; others are never fetched. */
  readonly files: Readonly<Record<string, HubFile>>;
}

/** Rejects with GanderError `source-unreachable`, `source-refused`, `source-missing`, `expert-invalid`. */
export async function hubModel({ name, revision }: HubAddress, hub: Hub): Promise<HubModel> {
  const ask = { hubUrl: hub.endpoint, fetch: answering(hub, `${name}@${revision}`) };
  return typed(hub, async () => {
    const told = infoSchema.safeParse(
      await modelInfo({ name, revision, additionalFields: ['sha', 'cardData', 'config'], ...ask }),
    );
    if (!told.success) throw odd(hub);
    const { sha, cardData, config } = told.data;
    const entries: ListFileEntry[] = [];
    for await (const entry of listFiles({ repo: { type: 'model', name }, revision: sha, ...ask }))
      if (entries.push(entry) > mostEntries) throw odd(hub);
    checkNeeded(
      entries.map((entry) => entry.path),
      name,
    );
    const files = filesOf(entries, hub);
    const bytes = bytesOf(files);
    if (bytes > poolLimits.expertBytes)
      throw new GanderError(
        'expert-invalid',
        `${name} has ${bytesInWords(bytes)}; at most ${bytesInWords(poolLimits.expertBytes)} are read.`,
        'Ask its author for a smaller adapter.',
      );
    const base = config?.peft?.base_model_name_or_path ?? [cardData?.base_model ?? []].flat()[0];
    return {
      ...{ name, commit: sha, files },
      ...(cardData?.license !== undefined && { license: cardData.license }),
      ...(base !== undefined && { base }),
      datasets: [cardData?.datasets ?? []].flat(),
    };
  });
}

function filesOf(entries: readonly ListFileEntry[], hub: Hub): HubModel['files'] {
  const files: Record<string, HubFile> = {};
  for (const entry of entries) {
    if (entry.type !== 'file' || !travellingFiles.includes(entry.path)) continue;
    const told = entrySchema.safeParse(entry);
    if (!told.success) throw odd(hub);
    const { size, lfs } = told.data;
    files[entry.path] = {
      bytes: lfs?.size ?? size,
      hash: lfs ? { algorithm: 'sha256', hex: lfs.oid } : { algorithm: 'sha1', hex: told.data.oid },
    };
  }
  return files;
}

/** Brings the files into a folder; those that are there and right stay. Rejects like `hubModel`. */
export async function bringFromHub(
  { name, commit, files }: HubModel,
  hub: Hub,
  fileIn: (name: string) => string,
  { got, signal }: Bringing,
): Promise<void> {
  let before = 0;
  for (const [file, { bytes, hash }] of Object.entries(files)) {
    const to = fileIn(file);
    const isRight = async (one: string) =>
      // Git hashes a file's size along with it.
      (await hashOf(one, hash.algorithm, hash.algorithm === 'sha1' ? `blob ${bytes}\0` : '')) === hash.hex;
    const expected = { bytes, most: bytes, isRight };
    const address = `${hub.endpoint}/${name}/resolve/${commit}/${file}`;
    const read = readAt(address, hub.fetch, {
      signal,
      refuse: (response) => refused(response, `${name}/${file}`, hub),
    });
    await typed(hub, async () => {
      if (await isWhole(to, expected)) return;
      if (!(await bring(read, to, expected, { signal, got: (now) => got(before + now) })))
        throw new GanderError(
          'expert-invalid',
          `What came as ${file} is not the file that ${hub.endpoint} lists at ${commit.slice(0, 12)}: its ${hash.algorithm === 'sha1' ? 'git hash' : 'SHA-256'} differs.`,
          'Nothing of it was kept. Try again; if it happens again, tell its author.',
        );
    });
    before += bytes;
    got(before);
  }
}

/** For the hub's library: an answer that is an error is thrown as one, and none is longer than it can be. */
function answering(hub: Hub, subject: string): typeof fetch {
  return async (input, init) => {
    const response = await hub.fetch(input, { ...init, signal: AbortSignal.timeout(patienceMs) });
    if (!response.ok) {
      await response.body?.cancel();
      throw refused(response, subject, hub);
    }
    let left = mostAnswer;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        left -= chunk.length;
        if (left < 0) controller.error(odd(hub));
        else controller.enqueue(chunk);
      },
    });
    return new Response(response.body?.pipeThrough(counted) ?? null, response);
  };
}

function refused({ status, headers }: Response, subject: string, hub: Hub): GanderError {
  const code = headers.get('x-error-code');
  const withToken = hub.token === undefined ? 'set HF_TOKEN' : 'check that the token in HF_TOKEN may read it';
  if (code === 'GatedRepo' || status === 403)
    return new GanderError(
      'source-refused',
      `${subject} is gated: ${hub.endpoint} gives its files only to those whom its authors let in.`,
      `Ask for access on its page there, then ${withToken}.`,
    );
  if (status === 401)
    return new GanderError(
      'source-refused',
      `${hub.endpoint} does not show ${subject}: there is no such repository, or it is private.`,
      `Check the name; for one of your own, ${withToken}.`,
    );
  if (status === 404)
    return new GanderError(
      'source-missing',
      code === 'RevisionNotFound'
        ? `${subject} is not there: the repository has no such revision.`
        : `${hub.endpoint} has no ${subject}.`,
      'Check the name and the revision: OWNER/NAME@REVISION, where the revision is a branch, a tag or a commit.',
    );
  return new GanderError(
    'source-unreachable',
    `${hub.endpoint} answers ${status} for ${subject}.`,
    status === 429 ? 'It was asked too often: wait a little, then try again.' : 'Try again later.',
  );
}

const odd = ({ endpoint }: Hub) =>
  new GanderError('source-unreachable', `${endpoint} does not answer as a hub does.`, 'Check HF_ENDPOINT.');

async function typed<T>({ endpoint }: Hub, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof GanderError) throw cause;
    const isOdd = cause instanceof SyntaxError || cause instanceof InvalidApiResponseFormatError;
    if (isOdd || cause instanceof HubApiError) throw odd({ endpoint } as Hub);
    if (!isBroken(cause)) throw cause;
    throw new GanderError(
      'source-unreachable',
      `${endpoint} cannot be reached, or breaks off (${reasonOf(cause)}).`,
      'Check the network, then try again: it goes on where it stopped.',
      { cause },
    );
  }
}

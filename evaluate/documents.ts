/** The documents that are measured: the first ones of each corpus file, each cut to its first tokens. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { GanderError } from '../src/errors/errors.js';

export type Part = 'heldout' | 'own';

/** A document in a corpus file. */
export interface Source {
  readonly text: string;
  readonly package: string;
  readonly path: string;
}

export interface Document {
  readonly part: Part;
  /** The kind of held-out documents, or the id of the expert whose test split it is. */
  readonly kind: string;
  readonly package: string;
  readonly path: string;
  /** Cut to its first tokens. */
  readonly text: string;
  /** Hash of the cut text. */
  readonly hash: string;
}

/** Cuts a text to its first tokens; a shorter text stays whole. */
export type Cut = (text: string) => string | Promise<string>;

/**
 * The first `count` documents of one corpus file. Corpora are ordered by a hash of the path, so these are a fair sample, and
 * always the same one.
 * @throws GanderError `io` for a missing file or a malformed line
 */
export async function readDocuments(
  corpora: string,
  part: Part,
  kind: string,
  count: number,
  cut: Cut,
): Promise<Document[]> {
  const file = fileOf(corpora, part, kind);
  const documents: Document[] = [];
  const seen = new Set<string>();
  for (const source of readSources(file)) {
    if (documents.length === count) break;
    const text = await cut(source.text);
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 24);
    if (text === '' || seen.has(hash)) continue; // two files may have the same beginning
    seen.add(hash);
    documents.push({ part, kind, package: source.package, path: source.path, text, hash });
  }
  return documents;
}

function fileOf(corpora: string, part: Part, kind: string): string {
  return part === 'heldout' ? path.join(corpora, 'heldout', `${kind}.jsonl`) : path.join(corpora, kind, 'test.jsonl');
}

const fetchThem = 'Fetch them with `gander-training corpora` in training/, or choose another --corpora.';

/** Every kind of held-out document in the corpora, by name. @throws GanderError `io` */
export function heldoutKinds(corpora: string): string[] {
  const folder = path.join(corpora, 'heldout');
  if (!existsSync(folder)) throw new GanderError('io', `There are no held-out documents in ${folder}.`, fetchThem);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => name.slice(0, -'.jsonl'.length))
    .sort();
}

/** The experts with a test split in the corpora, in the pool's order. */
export function ownKinds(corpora: string, experts: readonly { readonly id: string }[]): string[] {
  return experts.map((e) => e.id).filter((id) => existsSync(fileOf(corpora, 'own', id)));
}

function readSources(file: string): Source[] {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new GanderError('io', `${file} cannot be read.`, fetchThem, { cause });
  }
  return content.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    try {
      const { text, package: from, path: at } = JSON.parse(line) as Record<string, unknown>;
      if (typeof text === 'string' && typeof from === 'string' && typeof at === 'string')
        return [{ text, package: from, path: at }];
    } catch {
      // Reported below.
    }
    throw new GanderError('io', `${file}, line ${i + 1} is not a document.`, fetchThem);
  });
}

/** `text` up to the end of its `limit`-th token, never splitting a character. */
export function cutAt(text: string, ends: Iterable<number>, limit: number): string {
  let tokens = 0;
  for (const end of ends) {
    if (end < 0) continue; // a special token
    if (++tokens < limit) continue;
    const next = text.charCodeAt(end);
    return text.slice(0, next >= 0xdc00 && next < 0xe000 ? end - 1 : end);
  }
  return text;
}

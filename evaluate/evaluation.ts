/** All results of one evaluation as data: the content of evaluation.json, from which EVALUATION.md and the figures are made. */
import type { PoolInfo } from '../src/requests/api.js';
import type { Document, Part } from './documents.js';
import type { Explanations } from './earlier.js';
import { type Explanation, summarise, type Told } from './explain.js';
import type { Results } from './results.js';
import { type Failure, isDone, plan } from './run.js';
import { type Chosen, reference } from './strategies.js';
import { type Row, type Table, tabulate } from './table.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
}

/** How the run was started, and on what. */
export interface About {
  /** With paths relative to the working folder. */
  readonly command: string;
  /** ISO 8601. */
  readonly created: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly seed: number;
  /** Requested documents per kind and tokens per document. */
  readonly documents: number;
  readonly tokens: number;
}

export interface Section extends Table {
  readonly part: Part;
  /** Number of documents found, by kind. */
  readonly found: Readonly<Record<string, number>>;
  readonly explanation?: Explanation;
}

export interface DocumentResult {
  readonly part: Part;
  readonly kind: string;
  readonly package: string;
  readonly path: string;
  readonly hash: string;
  readonly bytes: number;
  readonly tokens: number;
  /** By strategy, if it was measured. */
  readonly bits: Readonly<Record<string, number>>;
}

export interface Evaluation extends About {
  readonly format: 'gander-evaluation';
  readonly version: 1;
  readonly pool: Pick<PoolInfo, 'id' | 'name' | 'hash' | 'baseName'> & { readonly experts: readonly string[] };
  readonly reference: string;
  /** Measurements done, of those requested; fewer in a partial run. */
  readonly work: { readonly done: number; readonly total: number };
  /** Strategies that the pool does not offer. */
  readonly missing: readonly string[];
  readonly failures: readonly Failure[];
  readonly sections: readonly Section[];
  readonly results: readonly DocumentResult[];
}

export function evaluate(
  about: About,
  pool: Pick<PoolInfo, 'id' | 'name' | 'hash' | 'baseName' | 'experts'>,
  documents: readonly Document[],
  chosen: Chosen,
  results: Results,
  failures: readonly Failure[],
  before: Explanations = new Map(),
): Evaluation {
  const tasks = plan(documents, chosen, before);
  const traced = documents.flatMap((d) => results.explained(d.hash, reference) ?? []);
  return {
    format: 'gander-evaluation',
    version: 1,
    ...about,
    versions: { ...about.versions, ...traced[0]?.versions },
    pool: {
      id: pool.id,
      name: pool.name,
      hash: pool.hash,
      baseName: pool.baseName,
      experts: pool.experts.map((e) => e.id),
    },
    reference,
    work: { done: tasks.filter((task) => isDone(task, results)).length, total: tasks.length },
    missing: chosen.missing,
    failures,
    sections: (['heldout', 'own'] as const).flatMap((part) => {
      const own = documents.filter((d) => d.part === part);
      return own.length > 0 ? [sectionOf(part, own, chosen, pool, results, about.seed, before.get(part))] : [];
    }),
    results: documents.flatMap((d) => resultOf(d, [...chosen.main, ...chosen.singles], results)),
  };
}

function sectionOf(
  part: Part,
  documents: readonly Document[],
  { main, singles }: Chosen,
  pool: Pick<PoolInfo, 'experts'>,
  results: Results,
  seed: number,
  before: Explanation | undefined,
): Section {
  const table = tabulate(documents, main, singles, pool.experts.length, results, seed, part === 'own');
  const explanation = before ?? summarise(table.kinds, told(documents, pool, results), seed);
  const found: Record<string, number> = {};
  for (const { kind } of documents) found[kind] = (found[kind] ?? 0) + 1;
  return { part, found, ...table, ...(explanation && { explanation }) };
}

/** Traced documents, with each expert's gain over base if all of them were measured. */
function told(documents: readonly Document[], pool: Pick<PoolInfo, 'experts'>, results: Results): Told[] {
  return documents.flatMap((document): Told[] => {
    const explained = results.explained(document.hash, reference);
    if (!explained) return [];
    const base = results.score(document.hash, 'base');
    const gains = pool.experts.flatMap(({ id }) => {
      const score = results.score(document.hash, `single:${id}`);
      return base && score ? [(base.bits - score.bits) / base.bytes] : [];
    });
    return [{ document, explained, ...(gains.length === pool.experts.length && { gains }) }];
  });
}

function resultOf(document: Document, keys: readonly string[], results: Results): DocumentResult[] {
  const scores = keys.flatMap((key) => {
    const score = results.score(document.hash, key);
    return score ? [[key, score] as const] : [];
  });
  const first = scores[0]?.[1];
  if (!first) return [];
  const { part, kind, path, hash } = document;
  const bits = Object.fromEntries(scores.map(([key, score]) => [key, Math.round(score.bits * 1000) / 1000]));
  return [{ part, kind, package: document.package, path, hash, bytes: first.bytes, tokens: first.tokens, bits }];
}

export function isPartial({ work }: Pick<Evaluation, 'work'>): boolean {
  return work.done < work.total;
}

export function rowOf(table: Table, key: string): Row | undefined {
  return table.rows.find((row) => row.key === key);
}

/** Turns single results into the rows of a table: bits per byte of each strategy, the oracle, the best individual. */
import type { Interval } from '../src/statistics/bootstrap.js';
import { GanderError } from '../src/errors/errors.js';
import type { Results } from './results.js';
import { type Estimate, stratified, type Stratum } from '../src/statistics/stratified.js';
import { sum } from '../src/statistics/mean.js';
import { labelOf, reference } from './strategies.js';

export interface Cell {
  readonly documents: number;
  /** Σ bits ÷ Σ bytes; overall, the mean over kinds. */
  readonly bitsPerByte: number;
  /** Bits per byte minus the reference's on the same documents; above 0 is worse. Absent in the reference's own row. */
  readonly difference?: Estimate;
}

export interface Row {
  readonly key: string;
  readonly label: string;
  /** The picked experts by kind, or one for all. */
  readonly picked?: string | Readonly<Record<string, string>>;
  readonly kinds: Readonly<Record<string, Cell>>;
  /** Absent if a kind is missing. */
  readonly overall?: Cell;
}

/** What is measured: a document, or an example of a task. */
interface Unit {
  readonly kind: string;
  readonly hash: string;
}

/** One document's bits with one strategy; undefined if it was not measured. */
type BitsOf = (document: Unit) => number | undefined;

export interface Table {
  readonly kinds: readonly string[];
  readonly rows: readonly Row[];
}

/**
 * Only what was measured: a strategy without documents has no row. Documents without the reference are left out, because
 * everything is compared with it.
 * @param singles `single:<expert>` of every expert in the pool; if one is missing there are no oracles
 * @param matching kinds are named after experts, so there is a row for each kind's own expert
 */
export function tabulate(
  documents: readonly Unit[],
  main: readonly string[],
  singles: readonly string[],
  experts: number,
  results: Results,
  seed: number,
  matching = false,
): Table {
  const measured = documents.filter((d) => results.score(d.hash, reference));
  const kinds = [...new Set(measured.map((d) => d.kind))];
  const make = (key: string, label: string, bits: BitsOf, picked?: Row['picked']): Row[] => {
    const row = rowOf(key, label, measured, kinds, bits, results, seed);
    return Object.keys(row.kinds).length > 0 ? [{ ...row, ...(picked !== undefined && { picked }) }] : [];
  };
  const bitsUnder =
    (key: string): BitsOf =>
    (d) =>
      results.score(d.hash, key)?.bits;

  const rows = main.flatMap((key) => make(key, labelOf(key), bitsUnder(key)));
  if (matching) {
    const own: BitsOf = (d) => bitsUnder(`single:${d.kind}`)(d);
    rows.push(...make('layer-expert', 'its own expert', own, Object.fromEntries(kinds.map((kind) => [kind, kind]))));
  }
  const weighed = measured.filter((d) => singles.every((key) => results.score(d.hash, key)));
  if (singles.length === experts && experts > 0 && weighed.length > 0) {
    const whole = new Set(weighed);
    const within =
      (bits: BitsOf): BitsOf =>
      (d) =>
        whole.has(d) ? bits(d) : undefined;
    if (kinds.every((kind) => weighed.some((d) => d.kind === kind))) {
      const best = bestSingle(singles, weighed, kinds, results);
      rows.push(...make('best-individual', 'best individual', within(bitsUnder(best)), expertOf(best)));
    }
    const byKind = new Map(
      kinds
        .filter((kind) => weighed.some((d) => d.kind === kind))
        .map((kind) => [kind, bestSingle(singles, weighed, [kind], results)]),
    );
    const oracle: BitsOf = (d) => bitsUnder(byKind.get(d.kind)!)(d);
    const picked = Object.fromEntries([...byKind].map(([kind, key]) => [kind, expertOf(key)]));
    rows.push(...make('oracle-kind', 'oracle, per kind', within(oracle), picked));
    const least: BitsOf = (d) => Math.min(...singles.map((key) => results.score(d.hash, key)!.bits));
    rows.push(...make('oracle-document', 'oracle, per document', within(least)));
  }
  rows.push(...singles.flatMap((key) => make(key, labelOf(key), bitsUnder(key))));
  return { kinds, rows };
}

const expertOf = (key: string) => key.slice('single:'.length);

/** The single expert with the lowest mean bits per byte over the kinds; the first among equals. */
export function bestSingle(
  singles: readonly string[],
  documents: readonly Unit[],
  kinds: readonly string[],
  results: Results,
): string {
  let best = '';
  let least = Infinity;
  for (const key of singles) {
    const total = sum(
      kinds.map((kind) => {
        const scores = documents.filter((d) => d.kind === kind).map((d) => results.score(d.hash, key)!);
        return sum(scores.map((s) => s.bits)) / sum(scores.map((s) => s.bytes));
      }),
    );
    if (total < least) [best, least] = [key, total];
  }
  return best;
}

function rowOf(
  key: string,
  label: string,
  documents: readonly Unit[],
  kinds: readonly string[],
  bitsOf: BitsOf,
  results: Results,
  seed: number,
): Row {
  const cells: Record<string, Cell> = {};
  const levels: Stratum[] = [];
  const differences: Stratum[] = [];
  for (const kind of kinds) {
    const bits: number[] = [];
    const change: number[] = [];
    const bytes: number[] = [];
    for (const document of documents) {
      if (document.kind !== kind) continue;
      const b = bitsOf(document);
      if (b === undefined) continue;
      const base = results.score(document.hash, reference)!;
      checkBytes(document, key, results);
      bits.push(b);
      change.push(b - base.bits);
      bytes.push(base.bytes);
    }
    if (bits.length === 0) continue;
    levels.push({ parts: bits, wholes: bytes });
    differences.push({ parts: change, wholes: bytes });
    cells[kind] = cellOf(key, [levels.at(-1)!], [differences.at(-1)!], seed);
  }
  const complete = kinds.length > 0 && levels.length === kinds.length;
  return { key, label, kinds: cells, ...(complete && { overall: cellOf(key, levels, differences, seed) }) };
}

function cellOf(key: string, levels: readonly Stratum[], differences: readonly Stratum[], seed: number): Cell {
  return {
    documents: sum(levels.map((s) => s.parts.length)),
    bitsPerByte: sum(levels.map((s) => sum(s.parts) / sum(s.wholes))) / levels.length,
    ...(key !== reference && { difference: stratified(differences, { seed }) }),
  };
}

/** Bits over different bytes cannot be compared. */
function checkBytes(document: Unit, key: string, results: Results): void {
  const [own, base] = [results.score(document.hash, key), results.score(document.hash, reference)!];
  if (own === undefined || own.bytes === base.bytes) return;
  throw new GanderError(
    'internal',
    `${document.kind} ${document.hash}: ${key} was measured over ${own.bytes} bytes and ${reference} over ${base.bytes}.`,
    'Delete .cache/evaluate and measure again.',
  );
}

/** Whether an interval separates a row from the reference. */
export function verdict(difference: Interval): 'better' | 'worse' | 'open' {
  return difference.high < 0 ? 'better' : difference.low > 0 ? 'worse' : 'open';
}

/** Which tokens an expert is chosen for. */
import { GanderError } from '../../errors/errors.js';
import { isKnown, rowsAt, type SharedModules, textTokens } from '../model/access.js';
import { tokenText } from '../text/label.js';
import type { Expert, Trace } from '../model/trace.js';
import { oddsOf, Open, type OpenSet } from './open.js';
import type { Indexes } from './usage.js';

/** One trace's part of a statistic over several traces. */
export interface Run {
  readonly trace: Trace;
  readonly modules: SharedModules;
  /** Default: all text tokens. */
  readonly tokens?: Indexes | undefined;
}

export interface Vocabulary {
  /** [V] the tokens that occur at least `least` times, the most frequent first: ids (absent if a source gave none), texts, counts. */
  readonly ids?: Int32Array;
  readonly text: readonly string[];
  readonly count: Int32Array;
  /** [V, N] of a token's occurrences (× modules), the share that chose the expert. */
  readonly share: Float64Array;
  /** [V, N] that share by even draws from the experts that could be chosen for the token: k/E. */
  readonly chance: Float64Array;
  /** [N] the same over all occurrences of all tokens. */
  readonly meanChance: Float64Array;
}

/** A token seen only twice says little. */
export const leastOccurrences = 3;

/**
 * How much of each token's occurrences goes to each expert, over one or more runs with the same tokenizer. Tokens are
 * identified by id, or by text if a run has no ids.
 * @throws GanderError `internal` if the runs' experts differ
 */
export function vocabularySpecialisation(runs: readonly Run[], least = leastOccurrences): Vocabulary {
  const n = expertsOf(runs).length;
  const byId = runs.every(({ modules }) => modules.sequence.tokens.ids !== undefined);
  const seen = new Map<number | string, Seen>();
  const open = new Open();
  for (const run of runs) {
    const { sequence } = run.modules;
    const keyOf = (t: number) => (byId ? sequence.tokens.ids![t]! : spelled(run, t));
    for (const t of tokensOf(run)) {
      const key = keyOf(t);
      const entry = seen.get(key) ?? {
        text: spelled(run, t),
        count: 0,
        cells: 0,
        chosen: new Float64Array(n),
        draws: new Map(),
      };
      entry.count++;
      seen.set(key, entry);
    }
    const entries = new Map(Array.from(tokensOf(run), (t) => [t, seen.get(keyOf(t))!]));
    forEachCell(run, open, (t, chosen, at, k) => {
      const entry = entries.get(t)!;
      entry.cells++;
      let choices = 0;
      for (let i = at; i < at + k; i++) {
        if (chosen[i]! < 0) continue;
        entry.chosen[chosen[i]!]!++;
        choices++;
      }
      open.draws(t, choices, (from, drawn) => {
        entry.draws.set(from, (entry.draws.get(from) ?? 0) + oddsOf(from, drawn));
      });
    });
  }
  const kept = [...seen]
    .filter(([, entry]) => entry.count >= least)
    .sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1));
  const rows = (of: (entry: Seen) => Float64Array) => {
    const all = new Float64Array(kept.length * n);
    kept.forEach(([, entry], v) => all.set(of(entry), v * n));
    return all;
  };
  return {
    ...(byId && { ids: Int32Array.from(kept, ([id]) => id as number) }),
    text: kept.map(([, entry]) => entry.text),
    count: Int32Array.from(kept, ([, entry]) => entry.count),
    share: rows(({ chosen, cells }) => chosen.map((count) => count / cells)),
    chance: rows((entry) => chanceOf([entry], n)),
    meanChance: chanceOf([...seen.values()], n),
  };
}

/** What is counted of one token. */
interface Seen {
  readonly text: string;
  count: number;
  cells: number;
  /** [N] cells that chose the expert. */
  readonly chosen: Float64Array;
  /** The odds of each expert of a set, summed over the cells that could choose from it. */
  readonly draws: Map<OpenSet, number>;
}

/** [N] of all cells of some tokens, the share that even draws would give each expert. */
function chanceOf(entries: readonly Seen[], n: number): Float64Array {
  const odds = new Map<OpenSet, number>();
  let all = 0;
  for (const { draws, cells } of entries) {
    all += cells;
    for (const [set, sum] of draws) odds.set(set, (odds.get(set) ?? 0) + sum);
  }
  const chance = new Float64Array(n);
  for (const [{ has }, sum] of odds) for (let e = 0; e < n; e++) if (has[e]) chance[e]! += sum / all;
  return chance;
}

export interface Attracted {
  readonly id?: number;
  readonly text: string;
  readonly count: number;
  /** Of its occurrences, the share that chose the expert. */
  readonly share: number;
}

/** The tokens that choose an expert most often, above chance only; among equals the more frequent first. */
export function mostAttracted(
  { ids, text, count, share, chance }: Vocabulary,
  expert: number,
  limit = 10,
): Attracted[] {
  const n = share.length / text.length;
  return text
    .flatMap((spelling, v): Attracted[] => {
      const i = v * n + expert;
      // Chance is a sum, and rounded.
      if (share[i]! < chance[i]! + 1e-9) return [];
      return [{ ...(ids && { id: ids[v]! }), text: spelling, count: count[v]!, share: share[i]! }];
    })
    .sort((a, b) => b.share - a.share || b.count - a.count)
    .slice(0, limit);
}

const tokensOf = ({ modules, tokens }: Run) => tokens ?? textTokens(modules.sequence);

const spelled = ({ modules: { sequence } }: Run, t: number) => sequence.tokens.text?.[t] ?? tokenText(sequence, t);

/** The runs' experts. Two traces may have different sets, so everything that is added up over runs is checked here. */
function expertsOf(runs: readonly Run[]): readonly Expert[] {
  const [first, ...others] = runs.map(({ modules }) => modules.experts);
  const alike = others.every(
    (experts) => experts.length === first!.length && experts.every((e, i) => e.id === first![i]!.id),
  );
  if (alike) return first ?? [];
  throw new GanderError(
    'internal',
    'Runs with different experts cannot be counted together.',
    'Please report this with the Gander log.',
  );
}

function forEachCell(
  run: Run,
  open: Open,
  visit: (t: number, chosen: Int16Array, at: number, k: number) => void,
): void {
  const tokens = tokensOf(run);
  for (const s of run.modules.modules) {
    const rows = rowsAt(run.trace, s);
    open.enter(rows, run.trace.router);
    for (const t of tokens) if (isKnown(rows, t)) visit(t, rows.chosen, t * rows.k, rows.k);
  }
}

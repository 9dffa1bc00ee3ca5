/** What an expert is chosen for: kinds of text, and single tokens. */
import { chosenOffset, modulesOf, textTokens } from './access.js';
import type { Trace } from './trace.js';
import type { View } from './usage.js';

export interface DomainSpecialisation {
  /** [N] of the domain's cells (token × module), the share that chose the expert; they add up to k. NaN without any cell. */
  readonly share: Float64Array;
  /** What `share` would be if each cell drew evenly: k/E. */
  readonly chance: number;
  readonly tokens: number;
}

/** How much of a domain goes to each expert. The domain is one or more traces over the same experts. */
export function domainSpecialisation(traces: readonly Trace[], view: View = {}): DomainSpecialisation {
  const n = traces[0]?.experts.length ?? 0;
  const share = new Float64Array(n);
  let tokens = 0;
  let cells = 0;
  let choices = 0;
  for (const trace of traces) {
    forEachCell(trace, view, (_t, at) => {
      cells++;
      for (let i = at; i < at + trace.k; i++) {
        if (trace.chosen[i]! < 0) continue;
        share[trace.chosen[i]!]!++;
        choices++;
      }
    });
    tokens += (view.tokens ?? textTokens(trace)).length;
  }
  return { share: share.map((count) => count / cells), chance: choices / cells / n, tokens };
}

export interface Vocabulary {
  /** [V] token ids that occur at least `least` times, the most frequent first, and their texts and counts. */
  readonly ids: Int32Array;
  readonly text: readonly string[];
  readonly count: Int32Array;
  /** [V, N] of a token's occurrences (× modules), the share that chose the expert. */
  readonly share: Float64Array;
  /** k/E. */
  readonly chance: number;
}

/** A token seen twice tells little. */
export const leastOccurrences = 3;

/** How much of each token's occurrences goes to each expert, over one or more traces over the same experts and tokenizer. */
export function vocabularySpecialisation(
  traces: readonly Trace[],
  view: View = {},
  least = leastOccurrences,
): Vocabulary {
  const n = traces[0]?.experts.length ?? 0;
  const seen = new Map<number, { text: string; count: number; cells: number; chosen: Float64Array }>();
  let cells = 0;
  let choices = 0;
  for (const trace of traces) {
    const tokens = view.tokens ?? textTokens(trace);
    for (const t of tokens) {
      const id = trace.tokens.ids[t]!;
      const entry = seen.get(id) ?? { text: trace.tokens.text[t]!, count: 0, cells: 0, chosen: new Float64Array(n) };
      entry.count++;
      seen.set(id, entry);
    }
    forEachCell(trace, view, (t, at) => {
      const entry = seen.get(trace.tokens.ids[t]!)!;
      entry.cells++;
      cells++;
      for (let i = at; i < at + trace.k; i++) {
        if (trace.chosen[i]! < 0) continue;
        entry.chosen[trace.chosen[i]!]!++;
        choices++;
      }
    });
  }
  const kept = [...seen]
    .filter(([, entry]) => entry.count >= least)
    .sort(([a, x], [b, y]) => y.count - x.count || a - b);
  const share = new Float64Array(kept.length * n);
  kept.forEach(([, entry], v) => {
    share.set(
      entry.chosen.map((count) => count / entry.cells),
      v * n,
    );
  });
  return {
    ids: Int32Array.from(kept, ([id]) => id),
    text: kept.map(([, entry]) => entry.text),
    count: Int32Array.from(kept, ([, entry]) => entry.count),
    share,
    chance: choices / cells / n,
  };
}

export interface Attracted {
  readonly id: number;
  readonly text: string;
  readonly count: number;
  /** Of its occurrences, the share that chose the expert. */
  readonly share: number;
}

/** The tokens that an expert draws most, above chance only; the more frequent first among equals. */
export function mostAttracted(
  { ids, text, count, share, chance }: Vocabulary,
  expert: number,
  limit = 10,
): Attracted[] {
  const n = share.length / ids.length;
  return Array.from(ids, (id, v) => ({ id, text: text[v]!, count: count[v]!, share: share[v * n + expert]! }))
    .filter((token) => token.share > chance)
    .sort((a, b) => b.share - a.share || b.count - a.count)
    .slice(0, limit);
}

function forEachCell(trace: Trace, view: View, visit: (t: number, at: number) => void): void {
  const tokens = view.tokens ?? textTokens(trace);
  for (const m of modulesOf(trace, view)) {
    for (const t of tokens) visit(t, chosenOffset(trace, m, t));
  }
}

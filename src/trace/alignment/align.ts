/** Aligns the tokens of two runs by a shortest edit script, or one close to the shortest if the texts differ too much. */
import { alignedEdits } from '../../checks/limits.js';
import { tokenText } from '../text/label.js';
import { joined, type Run, runsOf, runThroughMiddle } from './together.js';
import type { Sequence, Trace } from '../model/trace.js';

/** The two texts side by side, in C columns. */
export interface Alignment {
  /** [C] token index in each text; −1: a gap. */
  readonly a: Int32Array;
  readonly b: Int32Array;
  /** [C] 1 if both have the same token; 0 in a gap and where one token replaces another. */
  readonly same: Uint8Array;
}

/** Which tokens of one sequence stand for the same text in two runs. */
export interface Partners {
  readonly alignment: Alignment;
  /** [T] for each token of the first run, its partner in the second, or −1; `back` is the reverse. */
  readonly of: Int32Array;
  readonly back: Int32Array;
}

/** One per sequence of the first run, for page and editor alike. */
export function partners(a: Trace, b: Trace): Partners[] {
  return a.sequences.map(({ tokens }, sequence) => {
    const alignment = alignTraces(a, b, sequence);
    const of = new Int32Array(tokens.count).fill(-1);
    const back = new Int32Array(b.sequences[sequence]?.tokens.count ?? 0).fill(-1);
    for (let c = 0; c < alignment.a.length; c++) {
      const [i, j] = [alignment.a[c]!, alignment.b[c]!];
      if (i >= 0) of[i] = j;
      if (j >= 0) back[j] = i;
    }
    return { alignment, of, back };
  });
}

/**
 * Aligns all routed tokens of one sequence of two traces: by ids if they have the same tokenizer, or else by text. If the texts
 * are unknown too, ids are compared unless the tokenizers are known to differ.
 */
export function alignTraces(a: Trace, b: Trace, sequence = 0): Alignment {
  const [inA, inB] = [a.sequences[sequence], b.sequences[sequence]];
  if (!inA || !inB) return strangers(inA?.done ?? 0, inB?.done ?? 0);
  const [hashA, hashB] = [a.source.tokenizer, b.source.tokenizer];
  const known = hashA !== undefined && hashB !== undefined;
  const spelled = isSpelled(inA) && isSpelled(inB);
  const { ids } = inA.tokens;
  const { ids: idsB } = inB.tokens;
  if (ids && idsB && (known ? hashA === hashB : !spelled))
    return align(ids.subarray(0, inA.done), idsB.subarray(0, inB.done));
  return spelled ? align(...numbered(inA, inB)) : strangers(inA.done, inB.done);
}

/** Whether both runs split their text in the same way; undefined if unknown. */
export function isCutAlike(a: Trace, b: Trace, sequence = 0): boolean | undefined {
  const [hashA, hashB] = [a.source.tokenizer, b.source.tokenizer];
  if (hashA !== undefined && hashB !== undefined) return hashA === hashB;
  const [inA, inB] = [a.sequences[sequence], b.sequences[sequence]];
  if (!inA || !inB || inA.text === undefined || inA.text !== inB.text || !isPlaced(inA) || !isPlaced(inB))
    return undefined;
  const cuts = ({ tokens, done }: Sequence) =>
    tokens
      .start!.subarray(0, done)
      .filter((start) => start >= 0)
      .join();
  return cuts(inA) === cuts(inB);
}

const isPlaced = ({ tokens, text }: Sequence) => tokens.start !== undefined && text !== undefined;

/** Whether the tokens' texts are known, so that tokens can be compared by text. */
const isSpelled = (sequence: Sequence) => sequence.tokens.text !== undefined || isPlaced(sequence);

/**
 * Numbers the tokens' texts; equal texts get equal numbers. If both runs know the original text, tokens are compared by the
 * characters that they cover, because two vocabularies, or two programs, may spell one token differently.
 */
function numbered(a: Sequence, b: Sequence): [Int32Array, Int32Array] {
  const numbers = new Map<string, number>();
  const placed = isPlaced(a) && isPlaced(b);
  const of = (sequence: Sequence) =>
    Int32Array.from({ length: sequence.done }, (_, t) => {
      const text = placed ? tokenText(sequence, t) : (sequence.tokens.text?.[t] ?? tokenText(sequence, t));
      if (!numbers.has(text)) numbers.set(text, numbers.size);
      return numbers.get(text)!;
    });
  return [of(a), of(b)];
}

/** An alignment without equal tokens. */
function strangers(a: number, b: number): Alignment {
  const length = Math.max(a, b);
  return {
    a: Int32Array.from({ length }, (_, c) => (c < a ? c : -1)),
    b: Int32Array.from({ length }, (_, c) => (c < b ? c : -1)),
    same: new Uint8Array(length),
  };
}

/** Within a changed stretch, tokens are paired as replacements as far as both sides have any. */
export function align(a: Int32Array, b: Int32Array): Alignment {
  const columns: [number, number, 0 | 1][] = [];
  let i = 0;
  let j = 0;
  const upTo = (iEnd: number, jEnd: number) => {
    while (i < iEnd || j < jEnd) columns.push([i < iEnd ? i++ : -1, j < jEnd ? j++ : -1, 0]);
  };
  for (const run of commonRuns(a, b)) {
    upTo(run.i, run.j);
    while (i < run.i + run.length) columns.push([i++, j++, 1]);
  }
  upTo(a.length, b.length);
  return {
    a: Int32Array.from(columns, (c) => c[0]),
    b: Int32Array.from(columns, (c) => c[1]),
    same: Uint8Array.from(columns, (c) => c[2]),
  };
}

/** A longest common subsequence as runs, as few as is easily found: an excerpt is matched with one place of the text that it is from. */
function commonRuns(a: Int32Array, b: Int32Array): readonly Run[] {
  const excerpt = runThroughMiddle(a, b);
  const shorter = Math.min(a.length, b.length);
  if (excerpt?.length === shorter) return [excerpt];
  const found = commonSubsequence(a, b);
  const runs = runsOf(found);
  const longest = runs.reduce((most, { length }) => Math.max(most, length), 0);
  const around =
    excerpt && excerpt.length * 2 > shorter && excerpt.length > longest ? pairsAround(a, b, excerpt) : undefined;
  return joined(a, b, around && around.length >= found.length ? runsOf(around) : runs);
}

/** A longest common subsequence of those that have a run. */
function pairsAround(a: Int32Array, b: Int32Array, { i, j, length }: Run): [number, number][] {
  const [iEnd, jEnd] = [i + length, j + length];
  return [
    ...commonSubsequence(a.subarray(0, i), b.subarray(0, j)),
    ...Array.from({ length }, (_, s): [number, number] => [i + s, j + s]),
    ...commonSubsequence(a.subarray(iEnd), b.subarray(jEnd)).map(([x, y]): [number, number] => [iEnd + x, jEnd + y]),
  ];
}

/**
 * A longest common subsequence as index pairs, ascending. Source: Myers, "An O(ND) Difference Algorithm and Its
 * Variations" (1986), the linear-space refinement: two unrelated texts of 10,000 tokens take memory for 40,000 numbers.
 * Time grows with the number of edits, so for unrelated texts with the square of their length. If a stretch has more than
 * `2 * mostEdits` edits, the path that has got furthest is taken; the subsequence is still common, but may not be the longest.
 */
export function commonSubsequence(a: Int32Array, b: Int32Array, mostEdits = alignedEdits): [number, number][] {
  const pairs: [number, number][] = [];
  const forward = new Int32Array(a.length + b.length + 4);
  const backward = new Int32Array(forward.length);

  const solve = (aLow: number, aHigh: number, bLow: number, bHigh: number): void => {
    while (aLow < aHigh && bLow < bHigh && a[aLow] === b[bLow]) pairs.push([aLow++, bLow++]);
    let tail = 0;
    while (aLow < aHigh && bLow < bHigh && a[aHigh - 1] === b[bHigh - 1])
      [aHigh, bHigh, tail] = [aHigh - 1, bHigh - 1, tail + 1];
    if (aLow < aHigh && bLow < bHigh) {
      const [x, y] = middle(aLow, aHigh, bLow, bHigh);
      solve(aLow, x, bLow, y);
      solve(x, aHigh, y, bHigh);
    }
    for (let s = 0; s < tail; s++) pairs.push([aHigh + s, bHigh + s]);
  };

  /** A point about halfway along a shortest edit path: where the paths from both ends first meet, if they do. */
  const middle = (aLow: number, aHigh: number, bLow: number, bHigh: number): [number, number] => {
    const n = aHigh - aLow;
    const m = bHigh - bLow;
    const delta = n - m;
    const zero = ((n + m + 1) >> 1) + 1;
    forward[zero + 1] = 0;
    backward[zero + 1] = 0;
    for (let d = 0; ; d++) {
      for (let k = -d; k <= d; k += 2) {
        const down = k === -d || (k !== d && forward[zero + k - 1]! < forward[zero + k + 1]!);
        let x = down ? forward[zero + k + 1]! : forward[zero + k - 1]! + 1;
        while (x < n && x - k < m && a[aLow + x] === b[bLow + x - k]) x++;
        forward[zero + k] = x;
        const back = delta - k;
        if (delta % 2 !== 0 && Math.abs(back) < d && x + backward[zero + back]! >= n) return [aLow + x, bLow + x - k];
      }
      for (let k = -d; k <= d; k += 2) {
        const up = k === -d || (k !== d && backward[zero + k - 1]! < backward[zero + k + 1]!);
        let x = up ? backward[zero + k + 1]! : backward[zero + k - 1]! + 1;
        while (x < n && x - k < m && a[aHigh - 1 - x] === b[bHigh - 1 - x + k]) x++;
        backward[zero + k] = x;
        const fore = delta - k;
        if (delta % 2 === 0 && Math.abs(fore) <= d && x + forward[zero + fore]! >= n) return [aHigh - x, bHigh - x + k];
      }
      if (d >= mostEdits) {
        const [x, y] = furthest(forward, zero, d, n, m);
        return [aLow + x, bLow + y];
      }
    }
  };

  /** The end point, among paths of d edits, that has most of both texts behind it. */
  const furthest = (reached: Int32Array, zero: number, d: number, n: number, m: number): [number, number] => {
    let best: [number, number] = [0, 0];
    for (let k = -d; k <= d; k += 2) {
      // A diagonal that runs past the end of a text is clamped to that end.
      const x = Math.min(reached[zero + k]!, n, m + k);
      if (x >= 0 && x - k >= 0 && 2 * x - k > best[0] + best[1]) best = [x, x - k];
    }
    return best;
  };

  solve(0, a.length, 0, b.length);
  return pairs;
}

/** Which of equally long alignments is taken: the one that keeps matched tokens together. */

/** Tokens a[i..i+length) matched with b[j..j+length). */
export interface Run {
  readonly i: number;
  readonly j: number;
  readonly length: number;
}

/** The runs that pairs of indices, ascending, form. */
export function runsOf(pairs: readonly (readonly [number, number])[]): Run[] {
  const runs: { i: number; j: number; length: number }[] = [];
  for (const [i, j] of pairs) {
    const last = runs.at(-1);
    if (last && last.i + last.length === i && last.j + last.length === j) last.length++;
    else runs.push({ i, j, length: 1 });
  }
  return runs;
}

/**
 * The longest run of equal tokens that contains the middle token of the shorter text; of equally long ones the first. Any run of more
 * than half of the shorter text does: so an excerpt is found in what it is from. Takes time for both lengths, not for their product.
 * Source: the Z-function (Gusfield, "Algorithms on Strings, Trees, and Sequences", 1997, 1.4), from the middle in both directions.
 */
export function runThroughMiddle(a: Int32Array, b: Int32Array): Run | undefined {
  if (a.length < b.length) {
    const turned = runThroughMiddle(b, a);
    return turned && { ...turned, i: turned.j, j: turned.i };
  }
  const middle = b.length >> 1;
  const onward = equalFrom(b.subarray(middle), a);
  // What ends before a token of `a` begins, reversed, after that of the reversed text.
  const back = equalFrom(b.slice(0, middle).reverse(), a.slice().reverse());
  let best: Run | undefined;
  onward.forEach((after, i) => {
    if (after === 0) return;
    const before = i > 0 ? back[a.length - i]! : 0;
    if (before + after > (best?.length ?? 0)) best = { i: i - before, j: middle - before, length: before + after };
  });
  return best;
}

/** [T] for each place of a text, how many tokens from there on are those with which the pattern begins. */
function equalFrom(pattern: Int32Array, text: Int32Array): Int32Array {
  const own = ownBeginnings(pattern);
  const equal = new Int32Array(text.length);
  // The stretch of the text that was compared furthest: from `left` on it is as the pattern begins, up to `right`.
  let [left, right] = [0, 0];
  for (let t = 0; t < text.length; t++) {
    let length = t < right ? Math.min(own[t - left]!, right - t) : 0;
    while (length < pattern.length && t + length < text.length && pattern[length] === text[t + length]) length++;
    equal[t] = length;
    if (t + length > right) [left, right] = [t, t + length];
  }
  return equal;
}

/** [P] for each place of a pattern, how many tokens from there on are those with which it begins: the Z-function. */
function ownBeginnings(pattern: Int32Array): Int32Array {
  const equal = new Int32Array(pattern.length);
  let [left, right] = [0, 0];
  if (pattern.length > 0) equal[0] = pattern.length;
  for (let t = 1; t < pattern.length; t++) {
    let length = t < right ? Math.min(equal[t - left]!, right - t) : 0;
    while (t + length < pattern.length && pattern[length] === pattern[t + length]) length++;
    equal[t] = length;
    if (t + length > right) [left, right] = [t, t + length];
  }
  return equal;
}

/**
 * Joins runs that lie apart in one text only: the shorter moves next to the longer if the tokens there are the same. As many tokens
 * are matched as before. Each token moves at most as often as the run that it is in can double.
 */
export function joined(a: Int32Array, b: Int32Array, runs: readonly Run[]): Run[] {
  const kept: Run[] = [];
  for (const run of runs) {
    let next = run;
    for (let last = kept.at(-1); last; last = kept.at(-1)) {
      const one = asOne(a, b, last, next);
      if (!one) break;
      kept.pop();
      next = one;
    }
    kept.push(next);
  }
  return kept;
}

function asOne(a: Int32Array, b: Int32Array, last: Run, next: Run): Run | undefined {
  const [i, j] = [last.i + last.length, last.j + last.length];
  // Apart in both texts: if one fitted next to the other there, it would have been matched besides.
  if (i !== next.i && j !== next.j) return undefined;
  const length = last.length + next.length;
  const after = { i: last.i, j: last.j, length };
  const before = { i: next.i - last.length, j: next.j - last.length, length };
  const fits = (at: Run, from: number, count: number) => {
    for (let t = from; t < from + count; t++) if (a[at.i + t] !== b[at.j + t]) return false;
    return true;
  };
  const movesOn = () => fits(before, 0, last.length) && before;
  const movesBack = () => fits(after, last.length, next.length) && after;
  if (last.length < next.length) return movesOn() || undefined;
  return movesBack() || (last.length === next.length && movesOn()) || undefined;
}

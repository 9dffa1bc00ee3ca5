/** Choosing the next token. */

/**
 * @param logits [V]
 * @param temperature 0: the likeliest, the lower id of two alike
 * @param topP the smallest set of likeliest tokens with so much probability is drawn from; of those alike, the lower ids
 */
export function sampleToken(logits: Float32Array, temperature: number, topP: number, random: () => number): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  if (temperature === 0) return best;
  const most = logits[best]!;
  const weights = new Float32Array(logits.length);
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += weights[i] = Math.exp((logits[i]! - most) / temperature);
  if (topP < 1) total = keepLargest(weights, topP * total);
  let left = random() * total;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return best; // rounding has left a little over
}

/** Makes all weights 0 but the largest that together have `wanted`; returns what they have. */
function keepLargest(weights: Float32Array, wanted: number): number {
  const sorted = weights.toSorted(); // with no comparator: of a whole vocabulary for every token, it counts
  let at = sorted.length - 1;
  let kept = sorted[at]!;
  while (at > 0 && kept < wanted) kept += sorted[--at]!;
  const least = sorted[at]!;
  let alike = sorted.lastIndexOf(least) - at + 1;
  for (let i = 0; i < weights.length; i++)
    if (weights[i]! < least || (weights[i] === least && alike-- <= 0)) weights[i] = 0;
  return kept;
}

/** Choosing the next token. */

/**
 * @param logits [V]
 * @param temperature 0: the likeliest token; if two are equally likely, the lower id
 * @param topP draws from the smallest set of likeliest tokens with this much probability; of equally likely ones, the lower ids
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
  return best; // rounding has left a small remainder
}

/** Sets all weights to 0 except the largest ones that add up to `wanted`; returns their sum. */
function keepLargest(weights: Float32Array, wanted: number): number {
  const sorted = weights.toSorted(); // without a comparator, as it sorts a whole vocabulary for every token
  let at = sorted.length - 1;
  let kept = sorted[at]!;
  while (at > 0 && kept < wanted) kept += sorted[--at]!;
  const least = sorted[at]!;
  let alike = sorted.lastIndexOf(least) - at + 1;
  for (let i = 0; i < weights.length; i++)
    if (weights[i]! < least || (weights[i] === least && alike-- <= 0)) weights[i] = 0;
  return kept;
}

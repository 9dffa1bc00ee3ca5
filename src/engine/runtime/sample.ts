/** Choosing the next token. */

/**
 * @param logits [V]
 * @param temperature 0: the likeliest, the lower id of two alike
 * @param topP the smallest set of likeliest tokens with so much probability is drawn from
 */
export function sampleToken(logits: Float32Array, temperature: number, topP: number, random: () => number): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  if (temperature === 0) return best;
  const weights = logits.map((logit) => Math.exp((logit - logits[best]!) / temperature));
  const total = weights.reduce((sum, w) => sum + w, 0);
  const order = new Uint32Array(weights.length).map((_, i) => i).sort((a, b) => weights[b]! - weights[a]! || a - b);
  let kept = 0;
  let count = 0;
  while (count < order.length && (count === 0 || kept < topP * total)) kept += weights[order[count++]!]!;
  let left = random() * kept;
  for (let i = 0; i < count; i++) {
    left -= weights[order[i]!]!;
    if (left < 0) return order[i]!;
  }
  return order[count - 1]!;
}

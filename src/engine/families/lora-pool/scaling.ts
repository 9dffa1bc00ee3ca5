/** X-LoRA: what its classifier's logits become, in the order in which PEFT computes it. */
import type { ScalingConfig } from '../../../pool/xlora.js';
import type { CellBias } from '../../../trace/model/whatIf.js';

/** What a plan knows of the pool's X-LoRA classifier. */
export interface ScalingPlan {
  readonly config: ScalingConfig;
  /** How many adapters the classifier scales. */
  readonly classes: number;
  /** For each row of the graph, the number of its first logit; −1 if the classifier knows no such module. */
  readonly first: readonly number[];
  /** For each expert of the graph, its class; −1 if the classifier does not know it. */
  readonly classOf: readonly number[];
}

/**
 * Scalings of one module's adapters for one token, by class: softmax with a temperature, then the k largest, then a softmax over
 * those that are not 0, each as far as the configuration asks for it.
 *
 * @param logits [classes]; −∞ for an adapter that is knocked out, whose scaling is 0
 */
export function scalingsOf(logits: Float64Array, config: ScalingConfig): Float64Array {
  const out = logits.map((z) => (z === -Infinity ? 1 : 0));
  let scalings = config.softmax
    ? softmax(
        logits.map((z) => z / config.temperature),
        (c) => !out[c],
      )
    : logits.map((z, c) => (out[c] ? 0 : z));
  scalings = keptOf(scalings, config.topK, (c) => !out[c]);
  // A scaling that single precision rounds to 0 is 0 in PEFT.
  return config.softmaxOfTopK ? softmax(scalings, (c) => Math.fround(scalings[c]!) !== 0) : scalings;
}

/** Scalings in the pass that the classifier reads: all are the same number before the rest of the arithmetic. */
export function passScaling({ passValue, softmaxOfTopK }: ScalingConfig, classes: number): number {
  return softmaxOfTopK && passValue !== 0 ? 1 / classes : passValue;
}

/** 0 for all but the k largest; of equals the first. */
function keptOf(values: Float64Array, k: number | undefined, among: (c: number) => boolean): Float64Array {
  if (k === undefined) return values;
  const order = [...values.keys()].filter(among).sort((a, b) => values[b]! - values[a]! || a - b);
  const kept = new Set(order.slice(0, k));
  return values.map((x, c) => (kept.has(c) ? x : 0));
}

function softmax(values: Float64Array, among: (c: number) => boolean): Float64Array {
  const most = values.reduce((max, x, c) => (among(c) ? Math.max(max, x) : max), -Infinity);
  const powers = values.map((x, c) => (among(c) ? Math.exp(x - most) : 0));
  const sum = powers.reduce((a, b) => a + b, 0);
  return sum > 0 ? powers.map((x) => x / sum) : powers;
}

/** What a token's adapters are multiplied by at one module, and the logits before any what-if. */
export interface Scaled {
  /** [N] NaN for an expert that the classifier does not know. */
  readonly logit: Float32Array;
  /** [N] */
  readonly weight: Float32Array;
}

/**
 * @param raw all logits of one token
 * @param adapts [N] whether each expert has an adapter at the module
 * @param into where both go, [N] each
 */
export function scaleCell(
  { config, classes, first, classOf }: ScalingPlan,
  row: number,
  raw: Float32Array,
  whatIf: CellBias | undefined,
  adapts: readonly boolean[],
  into: Scaled,
): void {
  const start = first[row]!;
  into.logit.fill(NaN);
  into.weight.fill(0);
  if (start >= 0) {
    const logits = Float64Array.from(raw.subarray(start, start + classes));
    classOf.forEach((c, e) => {
      if (c < 0) return;
      into.logit[e] = logits[c]!;
      logits[c]! += whatIf?.bias[e] ?? 0;
    });
    const scalings = scalingsOf(logits, config);
    classOf.forEach((c, e) => {
      if (c >= 0 && adapts[e]) into.weight[e] = scalings[c]! * config.globalWeight;
    });
  }
  const forced = whatIf?.forced ?? -1;
  if (forced >= 0) adapts.forEach((able, e) => (into.weight[e] = able && e === forced ? 1 : 0));
}

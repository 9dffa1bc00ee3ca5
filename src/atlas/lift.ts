/** How much more often a label's documents choose a unit than all documents do, with an interval. The documents are the sample. */
import type { Interval } from '../statistics/bootstrap.js';
import { studentQuantile } from '../statistics/tails.js';
import type { Group } from './figures/choices.js';
import type { Layout } from './layout.js';

/** With fewer documents, their variance is too uncertain for an interval. */
const leastDocuments = 5;

export const documentsOf = ({ documents }: Group) => documents[0]! + documents[1]!;

export const chosenOf = ({ chosen }: Group, u: number) => chosen[0][u]! + chosen[1][u]!;

export const choicesAt = ({ choices }: Group, l: number) => choices[0][l]! + choices[1][l]!;

const none: Interval = { low: NaN, high: NaN };

/** Σ over a group's documents of (a × chosen − b × choices)². */
function spread({ squares, products, wholes }: Group, u: number, l: number, a: number, b: number): number {
  return a * a * squares.value(u) - 2 * a * b * products.value(u) + b * b * wholes.value(l);
}

/** A unit's share of its layer's choices. The interval is that of a ratio of sums over documents, on a log scale (Cochran 1977, ch. 6). */
export function loadOf(total: Group, { layerOf }: Layout, u: number): Interval & { readonly value: number } {
  const l = layerOf[u]!;
  const [chosen, choices, n] = [chosenOf(total, u), choicesAt(total, l), documentsOf(total)];
  const value = chosen / choices;
  if (n < leastDocuments || chosen === 0) return { value, ...none };
  const variance = Math.max(0, spread(total, u, l, 1 / chosen, 1 / choices)) * (n / (n - 1));
  const factor = Math.exp(studentQuantile(n - 1) * Math.sqrt(variance));
  return { value, low: value / factor, high: Math.min(1, value * factor) };
}

export interface Lift extends Interval {
  /** log2 of P(unit given the label) ÷ P(unit); −∞ if the label's documents never chose it, NaN if no document did. */
  readonly value: number;
  /** P(unit given the label). */
  readonly share: number;
  readonly halves: readonly [number, number];
}

/** The interval comes from linearisation: each document's influence on log P(unit given label) − log P(unit), squared and summed. */
export function liftOf(group: Group, total: Group, { layerOf }: Layout, u: number): Lift {
  const l = layerOf[u]!;
  const [mine, all] = [chosenOf(group, u), chosenOf(total, u)];
  const share = mine / choicesAt(group, l);
  const value = Math.log2(share / (all / choicesAt(total, l)));
  return { value, share, halves: [halfLift(group, total, u, l, 0), halfLift(group, total, u, l, 1)], ...interval() };

  function interval(): Interval {
    const [n, others] = [documentsOf(group), documentsOf(total) - documentsOf(group)];
    if (n < leastDocuments || mine === 0) return none;
    const [a, b] = [1 / all, 1 / choicesAt(total, l)];
    const inside = spread(group, u, l, 1 / mine - a, 1 / choicesAt(group, l) - b);
    const outside = spread(total, u, l, a, b) - spread(group, u, l, a, b);
    const variance = (inside * n) / (n - 1) + (others > 1 ? (outside * others) / (others - 1) : 0);
    const half = (studentQuantile(n - 1) * Math.sqrt(Math.max(0, variance))) / Math.LN2;
    return { low: value - half, high: value + half };
  }
}

function halfLift(group: Group, total: Group, u: number, l: number, half: 0 | 1): number {
  const share = group.chosen[half][u]! / group.choices[half][l]!;
  return Math.log2(share / (total.chosen[half][u]! / total.choices[half][l]!));
}

/** Compares a mixture's trace with the golden one. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { Block, Trace } from '../../src/trace/model/trace.js';
import { goldens, largestDifference, root } from './support.js';

export interface Bounds {
  readonly score: number;
  readonly weight: number;
  readonly logProb: number;
  /** If the golden ranks two experts closer than this, either may be chosen. */
  readonly closeCall: number;
}

export const fixtures = path.join(root, 'test/fixtures/moe');
export const golden = new Map(goldens('moe').map(({ name, trace }) => [name, trace]));
export const unexported = (folder: string) => folder.replace(/-(?!moe|oss|v\d)[a-z]+$/, '');
/** Quantised forms have their own goldens. */
export const folders = readdirSync(fixtures).filter((name) => !name.endsWith('.md'));
export const forms = folders
  .map((name) => ({ name, trace: golden.get(name) ?? golden.get(unexported(name)) }))
  .filter((form): form is { name: string; trace: Trace } => form.trace !== undefined);

export const tolerance = 1e-4;

/** For float32, or weights with the same rounding: only the order of sums differs. */
export const exact: Bounds = { score: tolerance, weight: tolerance, logProb: tolerance, closeCall: 0 };

/** A sparse mixer's scores do not become a distribution. */
const scorings: Readonly<Record<string, string | undefined>> = {
  deepseek_v3: 'sigmoid',
  lfm2_moe: 'sigmoid',
  glm4_moe: 'sigmoid',
  phimoe: 'none',
};

/** Modules are matched by position, because exporters give them different names. */
export function expectMixture(got: Trace, wanted: Trace, bounds: Bounds): void {
  expect([...got.sequences[0]!.tokens.ids!]).toEqual([...wanted.sequences[0]!.tokens.ids!]);
  expect(got.modules.map(({ layer }) => layer)).toEqual(wanted.modules.map(({ layer }) => layer));
  expect(got.router.k).toBe(wanted.router.k);
  expect(got.router.scoring ?? 'none').toBe(scorings[wanted.router.name] ?? 'softmax');
  expect(got.blocks).toHaveLength(wanted.blocks.length);
  for (const [i, block] of got.blocks.entries()) {
    const other = wanted.blocks[i]!;
    const { from, to, experts, k } = block;
    expect({ from, to, experts, k }).toEqual({ from: other.from, to: other.to, experts: other.experts, k: other.k });
    expectNear(block, other, 'score', bounds.score);
    expectNear(block, other, 'selection', bounds.score);
    if (block.sharedWeight) expectNear(block, other, 'sharedWeight', bounds.weight);
    expectChosen(block, other, bounds);
  }
  expect(largestDifference(got.sequences[0]!.logProb!, wanted.sequences[0]!.logProb!)).toBeLessThan(bounds.logProb);
}

function expectChosen(block: Block, other: Block, { closeCall, weight }: Bounds): void {
  expect(block.chosen.length).toBe(other.chosen.length);
  expect(block.weight === undefined, 'weight is told').toBe(other.weight === undefined);
  const { k, experts } = block;
  const rows = block.chosen.length / k;
  let passed = 0;
  for (let row = 0; row < rows; row++) {
    const [mine, theirs] = [block, other].map(({ chosen }) => [...chosen.subarray(row * k, (row + 1) * k)]);
    const ranked = (other.selection ?? other.score!).subarray(row * experts, (row + 1) * experts);
    if (mine!.join() !== theirs!.join() && smallestLead(ranked, k) < closeCall) {
      passed++;
      continue;
    }
    expect(mine, `choice ${row}`).toEqual(theirs);
    if (!other.weight) continue;
    const [a, b] = [block, other].map((one) => one.weight!.subarray(row * k, (row + 1) * k));
    expect(largestDifference(a!, b!), `weight ${row}`).toBeLessThan(weight);
  }
  expect(passed).toBeLessThanOrEqual(closeCall > 0 ? 0.01 * rows : 0);
}

/** The smallest lead of a chosen expert over the next one, down to the first that is not chosen. */
function smallestLead(scores: Float32Array, k: number): number {
  const best = [...scores].sort((a, b) => b - a);
  return Math.min(...best.slice(0, k).map((score, i) => score - (best[i + 1] ?? -Infinity)));
}

function expectNear(block: Block, other: Block, column: 'score' | 'selection' | 'sharedWeight', bound: number): void {
  expect(block[column] === undefined, `${column} is told`).toBe(other[column] === undefined);
  if (!other[column]) return;
  // Older code compares 0 where newer code leaves a group out.
  const known = (values: Float32Array) => values.map((x, i) => (other[column]![i] === -Infinity ? 0 : x));
  expect(largestDifference(known(block[column]!), known(other[column])), column).toBeLessThan(bound);
}

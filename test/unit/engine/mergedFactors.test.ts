import { describe, expect, it } from 'vitest';
import { mergedFactors, rounded } from '../../../src/engine/families/lora-pool/mergedFactors.js';
import type { FoundModule } from '../../../src/graph/find.js';
import type { AdaptedModule } from '../../../src/pool/adapter.js';
import type { PoolExpert } from '../../../src/pool/pool.js';

describe('a number with fewer bits', () => {
  it.each([
    ['F32', 1 + 2 ** -20, 1 + 2 ** -20],
    ['BF16', 1 + 2 ** -7, 1 + 2 ** -7],
    // Halfway: to the even number, down and up.
    ['BF16', 1 + 2 ** -8, 1],
    ['BF16', 1 + 3 * 2 ** -8, 1 + 2 ** -6],
    ['BF16', -(1 + 3 * 2 ** -8), -(1 + 2 ** -6)],
    ['BF16', 2 - 2 ** -9, 2],
    ['F16', 1 + 2 ** -11, 1],
    ['F16', 1 + 3 * 2 ** -11, 1 + 2 ** -9],
    ['F16', 3 * 2 ** -25, 2 ** -23],
    ['F16', 2 ** -25, 0],
  ] as const)('of type %s near %d is %d', (type, x, wanted) => {
    expect(rounded(x, type)).toBe(wanted);
  });
});

describe('the mean of factors', () => {
  const module = (path: string): FoundModule => ({ path, input: 'u', dIn: 2, dOut: 2, products: [] });
  const adapted = (rank: number, scale: number, a: number[], b: number[]): AdaptedModule => {
    const [A, B] = [Float32Array.from(a), Float32Array.from(b)];
    return { rank, dIn: 2, dOut: 2, scale, stored: 'F32', a: () => A, b: () => B };
  };
  const expert = (id: string, modules: Record<string, AdaptedModule>) =>
    ({ id, adapter: { modules: new Map(Object.entries(modules)) } }) as unknown as PoolExpert;

  it('pads smaller ranks with zeros, and counts a missing matrix as zeros', () => {
    const one = expert('one', { both: adapted(1, 1, [2, 4], [6, 8]), alone: adapted(1, 3, [2, 2], [2, 2]) });
    const two = expert('two', { both: adapted(2, 2, [2, 0, 0, 2], [2, 0, 0, 2]) });
    const { adapter } = mergedFactors([one, two], [module('both'), module('alone')]);
    const [both, alone] = [adapter.modules.get('both')!, adapter.modules.get('alone')!];
    expect(both).toMatchObject({ rank: 2, scale: 1.5 });
    // A is [rank, dIn], B [dOut, rank].
    expect([...both.a()]).toEqual([2, 2, 0, 1]);
    expect([...both.b()]).toEqual([4, 0, 4, 1]);
    expect(alone).toMatchObject({ rank: 1, scale: 3 });
    expect([...alone.a()]).toEqual([1, 1]);
  });
});

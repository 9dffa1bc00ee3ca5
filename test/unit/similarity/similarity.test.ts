import { describe, expect, it } from 'vitest';
import { adapterCosines, type Factors, gateCosines } from '../../../src/similarity/cosines.js';
import { closestPairs, nearestTo } from '../../../src/similarity/pairs.js';
import { planeOf, PlanesOf } from '../../../src/similarity/planes.js';
import { random } from '../../../src/statistics/random.js';

const numbers = (seed: number, length: number) => {
  const next = random(seed);
  return Float32Array.from({ length }, () => next() - 0.5);
};
const factors = (seed: number, change: Partial<Factors> = {}): Factors => {
  const one = { rank: 3, dIn: 7, dOut: 5, scale: 2, ...change };
  return { a: numbers(seed, one.rank * one.dIn), b: numbers(seed + 100, one.dOut * one.rank), ...one };
};

/** s B A, multiplied out. */
function product({ rank, dIn, dOut, scale, a, b }: Factors): number[] {
  return Array.from({ length: dOut * dIn }, (_, at) => {
    const [o, i] = [Math.floor(at / dIn), at % dIn];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += b[o * rank + r]! * a[r * dIn + i]!;
    return scale * sum;
  });
}

function cosine(x: readonly number[], y: readonly number[]): number {
  const dot = (p: readonly number[], q: readonly number[]) => p.reduce((sum, v, i) => sum + v * q[i]!, 0);
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

describe('adapters', () => {
  it('of any ranks and scales are as similar as their products', () => {
    const all = [factors(1), factors(2, { rank: 6 }), factors(3, { rank: 1, scale: -0.25 })];
    const found = adapterCosines(all);
    for (const [i, x] of all.entries())
      for (const [j, y] of all.entries()) expect(found[i * 3 + j]).toBeCloseTo(cosine(product(x), product(y)), 6);
  });

  it('that are opposite have the cosine −1, whatever their scale', () => {
    const one = factors(1);
    expect(adapterCosines([one, { ...one, scale: -9 }])[1]).toBeCloseTo(-1, 6);
  });

  it('that are zero or missing have no cosine, not even with themselves', () => {
    const idle = { ...factors(1), b: new Float32Array(15) };
    const found = adapterCosines([factors(1), idle, undefined]);
    expect(found[0]).toBe(1);
    expect([...found.slice(1)].every(Number.isNaN)).toBe(true);
  });
});

describe('gates', () => {
  it('are compared by direction: neither size nor mean counts', () => {
    const gate = numbers(1, 9);
    const found = gateCosines([gate, gate.map((x) => 3 * x + 5), gate.map((x) => -x)]);
    expect(found[1]).toBeCloseTo(1, 5);
    expect(found[2]).toBeCloseTo(-1, 5);
  });

  it('that are constant score 0, and have no cosine', () => {
    const found = gateCosines([numbers(1, 9), new Float32Array(9), undefined]);
    expect([...found].map(Number.isNaN)).toEqual([false, true, true, true, true, true, true, true, true]);
  });
});

describe('means', () => {
  const modules = [{ layer: 4 }, { layer: 4 }, { layer: 9 }];
  const of = new PlanesOf(2, modules);
  of.add(modules[0]!, Float32Array.of(1, 0.5, 0.5, 1));
  of.add(modules[1]!, Float32Array.of(1, NaN, NaN, NaN));
  of.add(modules[2]!, Float32Array.of(1, 0.1, 0.1, 1));
  const planes = of.planes();

  it('are over the modules with a cosine, by layer and over all', () => {
    expect(planeOf(planes, 0)[1]).toBe(0.5);
    expect(planeOf(planes, 1)[1]).toBeCloseTo(0.1);
    expect(planeOf(planes)[1]).toBeCloseTo(0.3);
  });

  it('over no modules are NaN', () => {
    const none = new PlanesOf(2, modules).planes();
    expect(none.layers).toHaveLength(2);
    expect([...none.all, ...none.layers.flatMap((plane) => [...plane])].every(Number.isNaN)).toBe(true);
  });

  it('of an encoder and of a decoder are separate', () => {
    const both = [
      { layer: 0, stack: 'encoder' as const },
      { layer: 0, stack: 'decoder' as const },
    ];
    const apart = new PlanesOf(1, both);
    apart.add(both[1]!, Float32Array.of(0.25));
    expect(apart.planes().layers.map(([x]) => x)).toEqual([NaN, 0.25]);
  });
});

describe('pairs', () => {
  const plane = Float32Array.of(1, 0.2, NaN, 0.2, 1, 0.7, NaN, 0.7, 1);

  it('each come once, most similar first, without those that have no cosine', () => {
    expect(closestPairs(plane).map(({ a, b }) => [a, b])).toEqual([
      [1, 2],
      [0, 1],
    ]);
  });

  it('with one expert are all that include it', () => {
    expect(nearestTo(plane, 0).map(({ a, b }) => [a, b])).toEqual([[0, 1]]);
    expect(closestPairs(new Float32Array(1))).toEqual([]);
  });
});

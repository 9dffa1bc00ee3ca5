import { expect, it } from 'vitest';
import { normalisedGate, orthonormalise, thinQr, topRightSingularVector } from '../../../src/graph/algebra.js';

/** Pseudo-random numbers, the same every time. */
function numbers(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return state / 1073741823.5 - 1;
  });
}

/** [rows, columns] · [columns] */
function times(matrix: ArrayLike<number>, rows: number, columns: number, vector: ArrayLike<number>): number[] {
  return Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += matrix[i * columns + j]! * vector[j]!;
    return sum;
  });
}

const length = (vector: readonly number[]) => Math.hypot(...vector);

it('scores a token against a gate as LN(u) · LN(v) / √d does', () => {
  const [u, v] = [numbers(48, 3).map((x) => 5 * x + 2), numbers(48, 7).map((x) => 0.1 * x - 1)];
  const normalise = (x: Float32Array) => {
    const mean = x.reduce((a, b) => a + b) / x.length;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
    return {
      unit: Array.from(x, (a) => (a - mean) / Math.sqrt(variance + 1e-5)),
      inverse: 1 / Math.sqrt(variance + 1e-5),
    };
  };
  const wanted = normalise(u).unit.reduce((sum, x, i) => sum + x * normalise(v).unit[i]!, 0) / Math.sqrt(48);
  const [dot] = times(u, 1, 48, normalisedGate(v));
  expect(dot! * normalise(u).inverse).toBeCloseTo(wanted, 5);
});

it('scores 0 for a constant gate', () => {
  expect([...normalisedGate(new Float32Array(8))]).toEqual(new Array(8).fill(0));
});

it.each([1, 3, 8])('keeps the product and its norm in r numbers, rank %i', (rank) => {
  const [dIn, dOut, scale] = [20, 30, 2.5];
  const [a, b, u] = [numbers(rank * dIn, 5), numbers(dOut * rank, 9), numbers(dIn, 11)];
  const wanted = times(b, dOut, rank, times(a, rank, dIn, u)).map((x) => scale * x);
  const out = orthonormalise(a, b, scale, rank, dIn, dOut);
  const z = times(out.a, rank, dIn, u);
  times(out.b, dOut, rank, z).forEach((x, i) => expect(x).toBeCloseTo(wanted[i]!, 4));
  expect(length(z)).toBeCloseTo(length(wanted), 4);
});

it.each([
  [20, 12],
  [12, 20],
])('reduces a rank above the narrower side to that side: %i to %i', (dIn, dOut) => {
  const [r, scale] = [50, 0.5];
  const [a, b, u] = [numbers(r * dIn, 5), numbers(dOut * r, 9), numbers(dIn, 11)];
  const wanted = times(b, dOut, r, times(a, r, dIn, u)).map((x) => scale * x);
  const out = orthonormalise(a, b, scale, r, dIn, dOut);
  expect(out).toMatchObject({ rank: 12, a: { length: 12 * dIn }, b: { length: 12 * dOut } });
  const z = times(out.a, 12, dIn, u);
  times(out.b, dOut, 12, z).forEach((x, i) => expect(x).toBeCloseTo(wanted[i]!, 4));
  expect(length(z)).toBeCloseTo(length(wanted), 4);
});

it('handles dependent columns, and an adapter that changes nothing', () => {
  const b = numbers(10 * 3);
  for (let i = 0; i < 10; i++) b[i * 3 + 2] = 2 * b[i * 3]! - b[i * 3 + 1]!;
  const { q, rr } = thinQr(b, 10, 3);
  for (let i = 0; i < 10; i++)
    for (let j = 0; j < 3; j++)
      expect(times(q.subarray(i * 3), 1, 3, [rr[j]!, rr[3 + j]!, rr[6 + j]!])[0]).toBeCloseTo(b[i * 3 + j]!, 5);
  const silent = orthonormalise(numbers(6), new Float32Array(8), 1, 2, 3, 4);
  expect([...silent.a, ...silent.b].every((x) => x === 0)).toBe(true);
});

it('finds the direction that is stretched the most', () => {
  const [rank, dIn] = [4, 12];
  const a = numbers(rank * dIn, 21);
  const v = topRightSingularVector(a, rank, dIn);
  expect(length([...v])).toBeCloseTo(1, 5);
  const stretched = length(times(a, rank, dIn, v));
  // By power iteration, which shares nothing with Jacobi's method.
  let w = Array.from(numbers(dIn, 2));
  for (let i = 0; i < 500; i++) {
    const image = times(a, rank, dIn, w);
    w = w.map((_, d) => image.reduce((sum, x, r) => sum + x * a[r * dIn + d]!, 0));
    w = w.map((x) => x / length(w));
  }
  expect(stretched).toBeCloseTo(length(times(a, rank, dIn, w)), 4);
});

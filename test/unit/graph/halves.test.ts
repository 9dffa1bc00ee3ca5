import { expect, it } from 'vitest';
import { halve, halvedNodes, hasEightBits } from '../../../src/graph/halves.js';
import { node } from '../../../src/graph/model.js';

const nibble = (bytes: Uint8Array, i: number) => (bytes[i >> 1]! >> (4 * (i & 1))) & 15;

it.each([undefined, Uint8Array.of(0, 255, 17, 128, 99, 240)])('gives the same number in two halves', (zeroPoints) => {
  const [rows, blocks, block] = [2, 3, 16];
  const weights = Uint8Array.from({ length: rows * blocks * block }, (_, i) => (i * 37) % 256);
  const scales = Float32Array.of(0.5, 1, 2, 0.25, 3, 0.125);
  const halves = halve(weights, zeroPoints, scales, rows);
  const value = (i: number, half: 0 | 1) => {
    const cell = Math.floor(i / block);
    const [row, at] = [Math.floor(cell / blocks), cell % blocks];
    // Three zero points per row take two bytes.
    const zero = nibble(halves.zeroPoints[half].subarray(2 * row, 2 * row + 2), at);
    return halves.scales[half][cell]! * (nibble(halves.weights[half], i) - zero);
  };
  for (let i = 0; i < weights.length; i++) {
    const cell = Math.floor(i / block);
    expect(value(i, 0) + value(i, 1)).toBe(scales[cell]! * (weights[i]! - (zeroPoints?.[cell] ?? 128)));
  }
});

it('replaces only 8-bit products in float arithmetic', () => {
  const product = (attributes: Record<string, number>, ...more: string[]) =>
    node('MatMulNBits', ['x', 'w', 's', ...more], ['y'], { K: 64, N: 8, block_size: 32, ...attributes });
  expect(hasEightBits(product({ bits: 8 }))).toBe(true);
  expect(hasEightBits(product({ bits: 4 }))).toBe(false);
  expect(hasEightBits(product({ bits: 8, accuracy_level: 4 }))).toBe(false);
  expect(hasEightBits(product({ bits: 8 }, '', 'g_idx'))).toBe(false);
  expect(hasEightBits(node('MatMul', ['x', 'w'], ['y']))).toBe(false);
});

it('keeps the name of the result, and adds a bias once', () => {
  const n = node('MatMulNBits', ['x', 'w', 's', '', '', 'b'], ['y'], { K: 64, N: 8, block_size: 32, bits: 8 });
  const nodes = halvedNodes(n, [
    ['h', 'hs', 'hz'],
    ['l', 'ls', 'lz'],
  ]);
  expect(nodes.map(({ opType }) => opType)).toEqual(['MatMulNBits', 'MatMulNBits', 'Add']);
  expect(nodes[2]!.output).toEqual(['y']);
  expect(nodes.filter(({ input }) => input.includes('b'))).toHaveLength(1);
});

import { expect, it } from 'vitest';
import { column, spark, thinned } from '../../../src/editor/bars.js';

it('draws no more blocks than fit, each the mean of the same number of neighbours', () => {
  const layers = Array.from({ length: 30 }, (_, layer) => layer / 29);
  const blocks = thinned(layers, 15);
  expect(blocks).toHaveLength(15);
  expect(blocks[0]).toBeCloseTo((layers[0]! + layers[1]!) / 2);
  expect(blocks.at(-1)).toBeCloseTo((layers[28]! + layers[29]!) / 2);
  expect(spark(blocks, 1)).toHaveLength(15);
  // The last group has one value left, which is not averaged with anything.
  expect(thinned([1, 1, 1, 1, 0.5], 3)).toEqual([1, 1, 0.5]);
  expect(thinned([0.25, 0.5], 15)).toEqual([0.25, 0.5]);
  expect(thinned([], 15)).toEqual([]);
});

it('cuts texts that are too wide for a column', () => {
  expect(column(['Python', 'a very long name'], 8)).toEqual(['Python  ', 'a very …']);
});

import { expect, it } from 'vitest';
import { node } from '../../../src/graph/model.js';
import { eightBitWarnings, eightBitsIn, roundedTogether } from '../../../src/graph/rounded.js';
import type { Processor } from '../../../src/graph/processor.js';
import { graphOf } from './moe/graphs.js';

const rounding: Processor = { sums: 'exact', roundsInputs: true };
const product = (level: number) => node('MatMulNBits', ['x', 'w'], ['y'], { accuracy_level: level });

it('rounded inputs give a warning, with the number of products and what this processor does', () => {
  const some = eightBitsIn([graphOf([product(4), product(0)]), graphOf([product(4)])], 'model');
  expect(eightBitWarnings(some, rounding)).toMatchObject([
    { code: 'inputs-rounded', text: expect.stringMatching(/^The model rounds .* 2 of its 3 /) as string },
  ]);
  expect(eightBitWarnings(some, { ...rounding, roundsInputs: false })).toMatchObject([
    { code: 'processor-dependent', text: expect.stringMatching(/ 2 of its 3 .* This processor does not/) as string },
  ]);
  expect(eightBitWarnings(eightBitsIn([graphOf([product(0)])], 'base'), rounding)).toEqual([]);
});

it('sums that a processor cuts off give a warning, if the model has such products', () => {
  const wrong: Processor = { ...rounding, sums: 'wrong' };
  const fixed = eightBitsIn([graphOf([node('QLinearMatMul', ['x'], ['y'])])], 'base');
  expect(eightBitWarnings(fixed, wrong)).toMatchObject([
    { code: 'processor-dependent', text: expect.stringMatching(/^The base .*QLinearMatMul/) as string },
  ]);
  for (const sums of ['exact', 'exact when asked'] as const)
    expect(eightBitWarnings(fixed, { ...rounding, sums })).toEqual([]);
  expect(eightBitWarnings(eightBitsIn([graphOf([product(0)])], 'base'), wrong)).toEqual([]);
});

it('rounding by all tokens together is distinguished from rounding of weights', () => {
  const dynamic = graphOf([node('DynamicQuantizeMatMul', ['x'], ['y'])]);
  expect(roundedTogether(dynamic)).toBe('DynamicQuantizeMatMul');
  expect(roundedTogether(graphOf([node('MatMulNBits', ['x'], ['y'])]))).toBeUndefined();
  expect(eightBitWarnings(eightBitsIn([dynamic], 'base'), rounding)).toMatchObject([
    { code: 'inputs-rounded', text: expect.stringMatching(/^The base .*DynamicQuantizeMatMul.*neighbours/) as string },
  ]);
  // A retriever reads each text in one piece.
  expect(eightBitWarnings(eightBitsIn([dynamic], 'retriever'), rounding)).toEqual([]);
});

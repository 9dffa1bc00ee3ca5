import { expect, it } from 'vitest';
import { node } from '../../../src/graph/model.js';
import { roundedInputs, roundedTogether } from '../../../src/graph/rounded.js';
import { graphOf } from './moe/graphs.js';

it('inputs that are rounded are told, with how many products do it', () => {
  const product = (level: number) => node('MatMulNBits', ['x', 'w'], ['y'], { accuracy_level: level });
  const [warning] = roundedInputs(graphOf([product(4), product(0), product(4)]), 'model');
  expect(warning).toMatchObject({
    code: 'inputs-rounded',
    text: expect.stringMatching(/^The model .* 2 of its 3 /) as string,
  });
  expect(roundedInputs(graphOf([product(0)]), 'base')).toEqual([]);
});

it('rounding by all tokens at once is told from rounding of weights', () => {
  expect(roundedTogether(graphOf([node('DynamicQuantizeMatMul', ['x'], ['y'])]))).toBe('DynamicQuantizeMatMul');
  expect(roundedTogether(graphOf([node('MatMulNBits', ['x'], ['y'])]))).toBeUndefined();
});

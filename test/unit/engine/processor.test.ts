import { expect, it } from 'vitest';
import { type Asked, askProcessor } from '../../../src/engine/runtime/processor.js';

const exact = 32 * 255 * 127;
const asked = async (quickly: Asked, precisely?: Asked) => {
  const how: string[] = [];
  const processor = await askProcessor((precision) => {
    how.push(precision);
    return Promise.resolve(precision === 'quickly' ? quickly : precisely!);
  });
  return { ...processor, how };
};

it('a processor whose sums are right is asked once', async () => {
  expect(await asked({ sum: exact, rounded: 10.3 })).toEqual({ sums: 'exact', roundsInputs: false, how: ['quickly'] });
});

it('one whose sums overflow is asked again, for the slower way', async () => {
  const cut = { sum: 32 * 16384 - 16, rounded: 1 + (31 * 38) / 127 };
  expect(await asked(cut, { sum: exact, rounded: 0 })).toMatchObject({ sums: 'exact when asked', roundsInputs: true });
  expect(await asked(cut, cut)).toMatchObject({ sums: 'wrong', how: ['quickly', 'precisely'] });
});

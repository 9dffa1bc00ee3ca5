import { expect, it } from 'vitest';
import { checkedRequest } from '../../../src/requests/schemas.js';
import type { Intervention, TokenRange } from '../../../src/trace/model/trace.js';

it('what-ifs may name only so many ranges of tokens together, as each is looked up at every module', () => {
  const ranges = Array.from({ length: 10_000 }, (_, t): TokenRange => [2 * t, 2 * t + 1]);
  const some = (count: number) =>
    new Array<Intervention>(count).fill({ action: 'knock-out', expert: 'a', scope: { tokens: ranges } });
  expect(checkedRequest('route', { text: 'a', interventions: some(3) }).interventions).toHaveLength(3);
  expect(() => checkedRequest('route', { text: 'a', interventions: some(4) })).toThrow(
    /at most 32768 ranges of tokens together/,
  );
});

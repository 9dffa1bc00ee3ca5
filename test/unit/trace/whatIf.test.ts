import { describe, expect, it } from 'vitest';
import { deciding, withOneMore } from '../../../src/trace/model/whatIf.js';
import type { Intervention, Scope } from '../../../src/trace/model/trace.js';
import { fabricate } from './fabricate.js';

const trace = fabricate({ tokens: ['a', 'b', 'c'], kinds: ['q', 'k'] });
const [one, other] = trace.expertSets[0]!.experts.map(({ id }) => id) as [string, string];
const out = (expert: string, scope: Scope = {}): Intervention => ({ action: 'knock-out', expert, scope });
const force = (expert: string, scope: Scope = {}): Intervention => ({ action: 'force', expert, scope });
const favour = (expert: string, amount: number, scope: Scope = {}): Intervention => ({
  action: 'logit-bias',
  expert,
  amount,
  scope,
});

describe('what decides anything', () => {
  it.each([
    ['the same expert, the same place', [out(one)], favour(one, 1), []],
    ['the same expert, all places', [out(one, { layer: 0 })], favour(one, 1), []],
    ['the same expert, one place of many', [out(one)], favour(one, 1, { layer: 0 }), [out(one)]],
    ['the same expert, one token of many', [out(one)], out(one, { token: 1 }), [out(one)]],
    ['another expert', [out(one)], favour(other, 1), [out(one)]],
    ['a forced expert, knocked out', [force(one)], out(one), []],
    ['another one forced', [force(one)], force(other), []],
    ['another one forced at a token', [force(one)], force(other, { token: 2 }), [force(one)]],
    ['one forced where another is out', [out(one)], force(other), []],
    ['one forced in a layer where another is out everywhere', [out(one)], force(other, { layer: 0 }), [out(one)]],
  ])('after %s', (_, before, more, kept) => {
    expect(deciding(trace, [...before, more])).toEqual([...kept, more]);
  });

  it('is not what is asked where an expert is forced', () => {
    const [forced, idle, elsewhere] = [force(one, { layer: 0 }), favour(other, 1, { layer: 0 }), favour(other, 1)];
    expect(deciding(trace, [forced, idle])).toEqual([forced]);
    expect(deciding(trace, [forced, elsewhere])).toEqual([forced, elsewhere]);
  });

  it('is told apart token by token', () => {
    const all = [0, 1, 2].map((token) => out(one, { token }));
    expect(deciding(trace, [favour(one, 1), ...all])).toEqual(all);
    expect(deciding(trace, [favour(one, 1), ...all.slice(1)])).toHaveLength(3);
  });
});

it('is there once when it is asked for again', () => {
  expect(withOneMore([out(one), favour(other, 1)], out(one))).toEqual([favour(other, 1), out(one)]);
});

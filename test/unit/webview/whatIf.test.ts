import { describe, expect, it, test } from 'vitest';
import type { Intervention } from '../../../src/trace/model/trace.js';
import { shownExpertsOf } from '../../../src/trace/model/shownExperts.js';
import { initial } from '../../../webview/store/state.js';
import { aim, besideForced, hasNext, vain } from '../../../webview/tabs/whatIf/model.js';
import { fabricateMoe } from '../../webview/fabricateMoe.js';
import { fabricate, fabricateIds, withBlock } from '../trace/fabricate.js';

const trace = fabricateMoe();
const shown = shownExpertsOf(trace);
const at = (layer: string, form = initial.whatIf) =>
  aim(trace, form, { ...initial.selection, token: 3, layer }, shown).where;

describe('a what-if of a model whose layers have their own experts', () => {
  it('is offered where one has clicked, and in the first layer before that', () => {
    expect(at('1')).toBe('layer:1');
    expect(at('')).toBe('layer:0');
  });

  it('stays where the form says it is', () => {
    expect(at('1', { ...initial.whatIf, where: 'layer:0' })).toBe('layer:0');
  });
});

describe('the next best expert', () => {
  const out = (expert: number, scope: Intervention['scope'] = {}): Intervention => ({
    action: 'knock-out',
    expert: `expert-${expert}`,
    scope,
  });

  it('takes over where more experts are left than are chosen', () => {
    expect(hasNext(fabricate({ experts: 3, k: 2 }), [], out(0))).toBe(true);
    expect(hasNext(fabricate({ experts: 2, k: 2 }), [], out(0))).toBe(false);
    expect(hasNext(trace, [], { ...out(0, { layer: 1 }), expert: '1.3' })).toBe(true);
  });

  it('is none after knock-outs of all others, but where these are not knocked out', () => {
    const three = fabricate({ experts: 3, k: 2 });
    expect(hasNext(three, [out(1)], out(0))).toBe(false);
    expect(hasNext(three, [out(1, { layer: 0 })], out(0))).toBe(true);
    expect(hasNext(three, [out(1, { layer: 0 })], out(0, { layer: 0 }))).toBe(false);
    expect(hasNext(three, [out(1, { token: 3 })], out(0, { token: 3 }))).toBe(false);
    expect(hasNext(three, [out(1, { token: 3 })], out(0, { token: 4 }))).toBe(true);
  });

  it('is none where the strategy gives the weights', () => {
    expect(hasNext(fabricate({ router: { name: 'merged' } }), [], out(0))).toBe(false);
  });
});

test.each([
  ['an amount of 0', 'biasNone', fabricate(), 0],
  ['fixed weights', 'biasFixed', fabricate({ router: { name: 'merged' } }), 1],
  ['the scores of X-LoRA', undefined, fabricate({ router: { name: 'x-lora', params: { affinities: 'x-lora' } } }), 1],
  ['a mixture', undefined, { ...trace, router: { name: 'unknown' } }, 1],
] as const)('a logit bias, with %s', (_, why, of, amount) => {
  expect(vain(of, [], { action: 'logit-bias', expert: 'expert-0', amount, scope: {} })).toBe(why);
});

test.each([
  ['a pool', [], fabricate()],
  ['a mixture with shared experts', ['forceShared'], fabricateIds()],
  ['an adapter of the whole pool', ['forceWhole'], fabricate({ router: { name: 'merged-factors' } })],
  ['no gate, and perhaps no adapter', ['forceLacks'], withBlock(fabricate(), { score: without(0) })],
] as const)('a forced expert, with %s', (_, beside, of) => {
  const [expert] = of.expertSets[0]!.experts;
  expect(besideForced(of, { action: 'force', expert: expert!.id, scope: {} })).toEqual(beside);
});

/** The scores of a pool, with none for one expert. */
function without(expert: number): Float32Array {
  const { score, experts } = fabricate().blocks[0]!;
  return score!.map((x, i) => (i % experts === expert ? NaN : x));
}

import { describe, expect, it } from 'vitest';
import { type NodeProto, floats, int64s, node } from '../../../../src/graph/model.js';
import { findRouters, hasMixer } from '../../../../src/graph/moe/routers.js';
import { graphOf } from './graphs.js';

const [H, E, k] = [4, 8, 2];

const constants = [
  floats('w', [H, E], new Float32Array(H * E)),
  floats('w2', [H, E], new Float32Array(H * E)),
  floats('shared', [H, 1], new Float32Array(H)),
  floats('bias', [E], new Float32Array(E)),
  floats('eps', [], Float32Array.of(1e-6)),
  floats('scale', [], Float32Array.of(2.5)),
  int64s('k', [k]),
  int64s('flat', [-1]),
  int64s('last', [-1]),
];

/** A router's product, named by its scope as exporters do. */
const product = (output = 'scores') => {
  const n = node('MatMul', ['hidden', 'w'], [output]);
  n.name = '/model/layers.3/mlp/gate/MatMul';
  return n;
};
const topK = (input: string, best = 'best', places = 'places') => node('TopK', [input, 'k'], [best, places]);
const routers = (...nodes: NodeProto[]) => findRouters(graphOf(nodes, { constants }));

describe('a router', () => {
  it('of softmax, top-k and normalised weights is found with everything it computes', () => {
    const found = routers(
      product(),
      node('Softmax', ['scores'], ['p']),
      topK('p'),
      node('ReduceSum', ['best', 'last'], ['sum']),
      node('Div', ['best', 'sum'], ['weight']),
      node('Reshape', ['weight', 'flat'], ['dealt out']),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      path: 'model.layers.3.mlp.gate',
      layer: 3,
      experts: E,
      k,
      score: 'scores',
      scoring: 'softmax',
      ordered: true,
      weight: 'weight',
      shared: undefined,
    });
  });

  it('has the best scores as weights if they are used unchanged', () => {
    const [found] = routers(
      product(),
      node('Softmax', ['scores'], ['p']),
      topK('p'),
      node('Reshape', ['best', 'flat'], ['r']),
    );
    expect(found).toMatchObject({ weight: 'best' });
  });

  it('has no weights if they are changed only after they were scattered to all experts', () => {
    const [found] = routers(
      product(),
      topK('scores'),
      node('ScatterElements', ['none', 'places', 'best'], ['all']),
      node('Sigmoid', ['all'], ['open']),
      node('Mul', ['open', 'hidden'], ['dealt out']),
    );
    expect(found).toMatchObject({ experts: E, weight: undefined });
  });

  it('includes its layer’s bias in the scores, and a softmax of the chosen', () => {
    const [found] = routers(
      product('raw'),
      node('Add', ['raw', 'bias'], ['scores']),
      topK('scores'),
      node('Softmax', ['best'], ['weight']),
      node('Reshape', ['weight', 'flat'], ['r']),
    );
    expect(found).toMatchObject({ score: 'scores', scoring: 'softmax', ordered: true, weight: 'weight' });
  });

  it('includes a constant factor in the scores, unless something reads them before', () => {
    const scaled = [node('Mul', ['raw', 'scale'], ['scores']), node('Sigmoid', ['scores'], ['s']), topK('s')];
    expect(routers(product('raw'), ...scaled)[0]).toMatchObject({ score: 'scores', scoring: 'sigmoid', ordered: true });
    const read = node('Sigmoid', ['raw'], ['open']);
    expect(routers(product('raw'), ...scaled, read)[0]).toMatchObject({ score: 'raw' });
    const divided = (...input: string[]) => [
      node('Div', input, ['scores']),
      node('Sigmoid', ['scores'], ['s']),
      topK('s'),
    ];
    expect(routers(product('raw'), ...divided('raw', 'scale'))[0]).toMatchObject({ score: 'scores' });
    expect(routers(product('raw'), ...divided('scale', 'raw'))[0]).toMatchObject({ score: 'raw' });
  });

  it('with a correction bias has selection scores in another order, and scaled weights without the correction', () => {
    const [found] = routers(
      product(),
      node('Sigmoid', ['scores'], ['s']),
      node('Add', ['s', 'bias'], ['corrected']),
      topK('corrected'),
      node('GatherElements', ['s', 'places'], ['gathered']),
      node('ReduceSum', ['gathered', 'last'], ['sum']),
      node('Add', ['sum', 'eps'], ['more']),
      node('Div', ['gathered', 'more'], ['normal']),
      node('Mul', ['scale', 'normal'], ['weight']),
    );
    expect(found).toMatchObject({
      score: 'scores',
      scoring: 'sigmoid',
      compared: 'corrected',
      ordered: false,
      weight: 'weight',
    });
  });

  it('has weights that include a scale of each expert’s own, gathered at the places', () => {
    const [found] = routers(
      product(),
      node('Softmax', ['scores'], ['p']),
      topK('p'),
      node('ReduceSum', ['best', 'last'], ['sum']),
      node('Div', ['best', 'sum'], ['normal']),
      node('Unsqueeze', ['places', 'last'], ['at']),
      node('GatherND', ['bias', 'at'], ['own scale']),
      node('Mul', ['normal', 'own scale'], ['weight']),
      node('Reshape', ['weight', 'flat'], ['r']),
    );
    expect(found).toMatchObject({ weight: 'weight', normalised: true });
    // What is gathered elsewhere is something else: of an expert's output, for instance.
    const [other] = routers(
      product(),
      topK('scores'),
      node('GatherND', ['bias', 'elsewhere'], ['output']),
      node('Mul', ['best', 'output'], ['r']),
    );
    expect(other).toMatchObject({ weight: 'best' });
  });

  it('that chooses groups first is found by its last choice', () => {
    const found = routers(
      product(),
      node('Reshape', ['scores', 'flat'], ['grouped']),
      topK('grouped', 'two', 'where'),
      node('ReduceSum', ['two', 'last'], ['groups']),
      topK('groups', 'group scores', 'group places'),
      node('ScatterElements', ['scale', 'group places', 'scale'], ['mask']),
      node('Where', ['mask', 'eps', 'scores'], ['left']),
      topK('left'),
      node('Softmax', ['best'], ['weight']),
    );
    expect(found.map(({ compared }) => compared)).toEqual(['left']);
  });

  it('is not found a second time where its choices are sorted', () => {
    const found = routers(
      product(),
      topK('scores'),
      node('Reshape', ['places', 'flat'], ['ids']),
      topK('ids', 'a', 'b'),
    );
    expect(found.map(({ compared }) => compared)).toEqual(['scores']);
  });

  it('inside an operator chooses by its input, unless a TopK before it chooses', () => {
    const moe = (input: string) =>
      Object.assign(node('MoE', ['hidden', input, 'up', '', 'down', ''], ['y'], { k }), { domain: 'com.microsoft' });
    const [alone] = routers(product(), moe('scores'));
    expect(alone).toMatchObject({ compared: 'scores', k, holder: { opType: 'MoE' }, chooser: { opType: 'MoE' } });
    const [told] = routers(
      product(),
      node('Sigmoid', ['scores'], ['s']),
      node('Add', ['s', 'bias'], ['corrected']),
      topK('corrected'),
      node('GatherElements', ['s', 'places'], ['gathered']),
      node('Log', ['gathered'], ['logs']),
      node('ConstantOfShape', ['flat'], ['none']),
      node('ScatterElements', ['none', 'places', 'logs'], ['told']),
      moe('told'),
    );
    expect(told).toMatchObject({ compared: 'corrected', holder: { opType: 'MoE' }, chooser: { opType: 'TopK' } });
  });

  it('that is a sparse mixer has its two choices joined, and their weights', () => {
    const found = routers(
      product(),
      node('ArgMax', ['scores'], ['first']),
      node('Softmax', ['scores'], ['p']),
      node('GatherElements', ['p', 'first'], ['w1']),
      node('ScatterElements', ['scores', 'first', 'eps'], ['rest']),
      node('ArgMax', ['rest'], ['second']),
      node('Softmax', ['rest'], ['q']),
      node('GatherElements', ['q', 'second'], ['w2']),
      node('Concat', ['w1', 'w2'], ['weights']),
      node('Concat', ['first', 'second'], ['chosen']),
      node('Reshape', ['weights', 'flat'], ['dealt out']),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ k: 2, chosen: 'chosen', weight: 'weights', ordered: true, scoring: undefined });
  });

  it('has the gate of the shared expert beside it', () => {
    const [found] = routers(
      product(),
      topK('scores'),
      node('MatMul', ['hidden', 'shared'], ['gate']),
      node('Sigmoid', ['gate'], ['open']),
      node('Mul', ['open', 'expert'], ['added']),
    );
    expect(found).toMatchObject({ shared: 'open' });
  });
});

describe('what is not a router', () => {
  it('is a dense model, or a TopK of two products’ scores', () => {
    expect(routers(product())).toEqual([]);
    const both = [product(), node('MatMul', ['hidden', 'w2'], ['other']), node('Mul', ['scores', 'other'], ['x'])];
    expect(routers(...both, topK('x'))).toEqual([]);
  });

  it('is the choice of the next token', () => {
    expect(routers(product('logits'), topK('logits'))).toEqual([]);
  });

  it('is a mixer by the largest score alone, which is recognised', () => {
    const nodes = [product(), node('ArgMax', ['scores'], ['first'])];
    expect(routers(...nodes)).toEqual([]);
    expect(hasMixer(graphOf(nodes, { constants }))).toBe(true);
    expect(hasMixer(graphOf([product()], { constants }))).toBe(false);
  });
});

it('a router that feeds two choosers is refused', () => {
  expect(() => routers(product(), topK('scores'), topK('scores', 'b2', 'p2'))).toThrow(
    expect.objectContaining({
      code: 'base-invalid',
      message: expect.stringContaining('model.layers.3.mlp.gate') as string,
    }) as Error,
  );
});

it('the search for a router ends even in a cycle', () => {
  const circle = [node('Cast', ['b'], ['a']), node('Cast', ['a'], ['b'])];
  const turned = Object.assign(node('MatMul', ['a', 'w'], ['scores']), { name: '/model/layers.3/mlp/gate/MatMul' });
  expect(routers(...circle, turned, topK('scores', 'a'))).toHaveLength(1);
});

it('a router with a k known only at run time is refused', () => {
  expect(() => routers(product(), node('TopK', ['scores', 'asked'], ['best', 'places']))).toThrow(/not fixed/);
});

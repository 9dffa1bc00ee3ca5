import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/engine/families/lora-pool/plan.js';
import { sampleToken } from '../../src/engine/runtime/sample.js';
import { random } from '../../src/statistics/random.js';
import { StrategySteering, never } from '../../src/engine/families/lora-pool/steering.js';
import { nearest, similaritiesTo } from '../../src/engine/families/lora-pool/retrieval.js';
import type { Strategy } from '../../src/strategies/index.js';
import type { Intervention } from '../../src/trace/model/trace.js';

/** Two modules and three experts; at the second, `c` has no adapter and `b` no gate. */
const plan: Plan = {
  modules: [
    { path: 'model.layers.0.mlp.up_proj', layer: 0, kind: 'up', sequence: 0 },
    { path: 'model.layers.1.mlp.up_proj', layer: 1, kind: 'up', sequence: 0 },
  ],
  rows: [0, 1],
  widths: [4, 4],
  experts: ['a', 'b', 'c'],
  adapts: [true, true, true, true, true, false],
  scored: {
    phatgoose: [true, true, true, true, false, false],
    'average-activation': [true, true, true, true, true, true],
    arrow: [true, true, true, true, true, false],
    'jointly-trained': [true, true, true, true, true, true],
  },
  routers: [],
  leftOut: {},
  warnings: [],
  eightBits: [],
  bytes: 0,
};
const phatgoose: Strategy = { name: 'phatgoose', k: 2 };
const inputs = (strategy: Strategy, interventions: Intervention[] = [], done = 0, t = 1) => {
  const { bias, fixed, routed } = new StrategySteering(plan, strategy, interventions).inputs(done, t);
  return {
    bias: [...bias].map((b) => (b === Math.fround(never) ? 'never' : b)),
    fixed: [...fixed],
    routed: [...routed],
  };
};

describe('a strategy', () => {
  it('routes among the experts that take part at each module', () => {
    expect(inputs(phatgoose)).toEqual({
      bias: [0, 0, 0, 0, 'never', 'never'],
      fixed: [0, 0, 0, 0, 0, 0],
      routed: [1, 1],
    });
    expect(inputs({ name: 'arrow', k: 2 }).bias).toEqual([0, 0, 0, 0, 0, 'never']);
  });

  it.each<[Strategy, number[], number]>([
    [{ name: 'base' }, [0, 0, 0, 0, 0, 0], 1],
    [{ name: 'single', expert: 'c' }, [0, 0, 1, 0, 0, 0], 1],
    [{ name: 'retrieval', expert: 'b' }, [0, 1, 0, 0, 1, 0], 1],
    [{ name: 'merged' }, [1, 1, 1, 1, 1, 0].map((w) => Math.fround(w / 3)), 3],
  ])('gives weights: %j', (strategy, fixed, width) => {
    expect(inputs(strategy)).toMatchObject({ fixed, routed: [0, 0] });
    expect(new StrategySteering(plan, strategy, [])).toMatchObject({ width, k: width });
  });

  it('has no more choices than experts, and at least one', () => {
    expect(new StrategySteering(plan, { name: 'phatgoose', k: 9 }, [])).toMatchObject({
      k: 3,
      strategy: { name: 'phatgoose', k: 3 },
    });
    for (const k of [0, -1, 1.5, NaN]) {
      expect(() => new StrategySteering(plan, { name: 'phatgoose', k }, [])).toThrow(
        expect.objectContaining({ code: 'request-invalid' }),
      );
    }
    expect(() => new StrategySteering(plan, { name: 'single', expert: 'x' }, [])).toThrow(
      expect.objectContaining({ code: 'request-invalid' }),
    );
  });
});

it('does not run the base as if it were an expert without modules', () => {
  const without = { ...plan, adapts: [true, true, false, true, true, false] };
  const force: Intervention = { action: 'force', expert: 'c', scope: {} };
  for (const run of [
    () => new StrategySteering(without, { name: 'single', expert: 'c' }, []),
    () => new StrategySteering(without, phatgoose, [force]),
  ])
    expect(run).toThrow(expect.objectContaining({ code: 'expert-invalid' }));
  // Allowed, because attribution knocks out each expert in turn.
  new StrategySteering(without, phatgoose, [{ action: 'knock-out', expert: 'c', scope: {} }]);
});

describe('an intervention', () => {
  const out = (expert: string, scope = {}): Intervention => ({ action: 'knock-out', expert, scope });
  const force = (expert: string, scope = {}): Intervention => ({ action: 'force', expert, scope });
  const biased = (expert: string, amount: number, scope = {}): Intervention => ({
    action: 'logit-bias',
    expert,
    amount,
    scope,
  });

  it('knocks out: the expert is never chosen and gets no fixed weight', () => {
    expect(inputs(phatgoose, [out('a')])).toMatchObject({
      bias: ['never', 0, 0, 'never', 'never', 'never'],
      routed: [1, 0],
    });
    expect(inputs({ name: 'merged' }, [out('a', { layer: 0 })]).fixed.slice(0, 3)).toEqual([
      0,
      Math.fround(1 / 3),
      Math.fround(1 / 3),
    ]);
  });

  it('knocks out all: then no expert has a weight', () => {
    expect(inputs(phatgoose, [out('a'), out('b'), out('c')]).routed).toEqual([0, 0]);
  });

  it('forces an expert where it has an adapter', () => {
    expect(inputs(phatgoose, [force('c')])).toMatchObject({ fixed: [0, 0, 1, 0, 0, 0], routed: [0, 0] });
  });

  it('biases logits', () => {
    expect(inputs(phatgoose, [biased('b', 1.5, { module: 'model.layers.0.mlp.up_proj' })]).bias).toEqual([
      0,
      1.5,
      0,
      0,
      'never',
      'never',
    ]);
  });

  it('wins over an earlier one where both apply', () => {
    expect(inputs(phatgoose, [out('a'), biased('a', 2)]).bias[0]).toBe(2);
    expect(inputs(phatgoose, [force('a'), out('a', { layer: 0 })])).toMatchObject({
      fixed: [0, 0, 0, 1, 0, 0],
      routed: [1, 0],
    });
    expect(inputs(phatgoose, [out('a'), force('a')])).toMatchObject({ fixed: [1, 0, 0, 1, 0, 0], routed: [0, 0] });
    expect(inputs(phatgoose, [force('a'), force('b')]).fixed.slice(0, 3)).toEqual([0, 1, 0]);
  });

  it('applies to one token, counted from the start of the text in every chunk', () => {
    const third = [out('a', { token: 3, layer: 0 })];
    expect(inputs(phatgoose, third, 2, 2).bias.map((b) => b === 'never')).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(inputs(phatgoose, third, 4, 1).bias[0]).toBe(0);
    expect(inputs(phatgoose, third, 2, 2).routed).toEqual([1, 1, 1, 1]);
  });

  it('applies to ranges of tokens, across chunks', () => {
    const some = [
      biased('a', 1, {
        tokens: [
          [1, 3],
          [6, 9],
        ],
        layer: 0,
      }),
    ];
    const chunks = [0, 4].flatMap((done) => {
      const { bias } = inputs(phatgoose, some, done, 4);
      return Array.from({ length: 4 }, (_, t) => bias[t * 6]);
    });
    expect(chunks).toEqual([0, 1, 1, 0, 0, 0, 1, 1]);
  });

  it('applies to one kind', () => {
    expect(inputs(phatgoose, [biased('a', 1, { kind: 'q' })]).bias[0]).toBe(0);
    expect(inputs(phatgoose, [biased('a', 1, { kind: 'up' })]).bias[0]).toBe(1);
  });

  it('must name an existing expert', () => {
    expect(() => inputs(phatgoose, [out('x')])).toThrow(expect.objectContaining({ code: 'request-invalid' }));
  });
});

describe('a sample', () => {
  const logits = Float32Array.of(1, 3, 3, -2);

  it('without temperature is the likeliest token, and the first of equals', () => {
    expect(sampleToken(logits, 0, 1, random(1))).toBe(1);
  });

  it('is the same for the same seed, and as frequent as it is likely', () => {
    const draw = (seed: number) => {
      const next = random(seed);
      return Array.from({ length: 4000 }, () => sampleToken(logits, 1, 1, next));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const total = Math.E ** 1 + 2 * Math.E ** 3 + Math.E ** -2;
    expect(draw(7).filter((id) => id === 0).length / 4000).toBeCloseTo(Math.E / total, 1);
  });

  it('is drawn from the smallest set with enough probability', () => {
    const next = random(3);
    for (let i = 0; i < 200; i++) expect([1, 2]).toContain(sampleToken(logits, 1, 0.9, next));
    for (let i = 0; i < 50; i++) expect(sampleToken(logits, 1, 0.1, next)).toBe(1);
  });
});

it('retrieves the owner of the nearest example, whatever its scale', () => {
  const examples = (rows: number[][], scales: number[]) => ({
    count: rows.length,
    width: 2,
    embeddings: Int8Array.from(rows.flat()),
    scales: Float32Array.from(scales),
  });
  const owners = [
    {
      id: 'x',
      examples: examples(
        [
          [127, 0],
          [90, 90],
        ],
        [1 / 127, 1 / 127.3],
      ),
    },
    { id: 'y', examples: examples([[0, 64]], [1 / 64]) },
    { id: 'of another model', examples: { ...examples([[127, 0]], [9]), width: 1 } },
  ];
  expect(nearest(similaritiesTo(Float32Array.of(0.1, 0.99), owners))).toBe('y');
  expect(nearest(similaritiesTo(Float32Array.of(0.8, 0.6), owners))).toBe('x');
  expect(nearest([])).toBeUndefined();
  expect(nearest(['first', 'second'].map((id) => ({ id, similarity: 0.5 })))).toBe('first');
});

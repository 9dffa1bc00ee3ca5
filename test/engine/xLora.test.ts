/** X-LoRA, compared with PEFT on classifiers with the files that PEFT writes. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../src/engine/local.js';
import { encodeSafetensors } from '../../src/formats/safetensors.js';
import { readAdapter } from '../../src/pool/adapter.js';
import type { LensColumn } from '../../src/requests/api.js';
import type { Engine } from '../../src/requests/ask.js';
import type { Intervention, Trace } from '../../src/trace/model/trace.js';
import { bound, casesIn, expectAsPeft, poolOf, xLoraCase as caseOf, xLoraPool as poolWith } from './peftFixtures.js';
import { largestDifference, pooled, temporaryFolder } from './support.js';

const cache = temporaryFolder();
const engines: Engine[] = [];
afterAll(() => engines.forEach((engine) => engine.dispose()));

async function open(pool: string, chunk = 50): Promise<Engine> {
  const engine = await createEngine({ pool, cache, threads: 1, chunk });
  engines.push(engine);
  return engine;
}

/** A gate, another one for each expert, at each module that the expert adapts. */
function writeGate(pool: string, id: string, e: number): void {
  const tensors = [...readAdapter(path.join(pool, 'experts', id)).modules].map(([name, { dIn }], m) => ({
    name,
    dtype: 'F32' as const,
    shape: [dIn],
    data: Float32Array.from({ length: dIn }, (_, i) => Math.sin((e + 2) * (i + 1) + m)),
  }));
  writeFileSync(path.join(pool, 'experts', id, 'gate.safetensors'), encodeSafetensors(tensors));
}

const strategy = { name: 'x-lora' };
const text = 'the experts that know the text';

/** [M, T, N] what each expert was multiplied by. */
function weights(trace: Trace): number[] {
  const { chosen, weight, k, experts, modules, tokens } = pooled(trace);
  const all = new Array<number>(modules.length * tokens.count * experts.length).fill(0);
  chosen.forEach((e, slot) => {
    if (e >= 0) all[Math.floor(slot / k) * experts.length + e] = weight![slot]!;
  });
  return all;
}

describe('a pool with an X-LoRA classifier', () => {
  it.each(casesIn('xlora'))('agrees with PEFT: %s, %s', async (architecture, name) => {
    const wanted = caseOf(architecture, name);
    // In chunks, so that both passes carry over their keys and values.
    const engine = await open(poolWith(architecture, name));
    const trace = await engine.route({ text: wanted.text, strategy });
    const { choices, ties } = expectAsPeft(trace, wanted, wanted.experts);
    expect(ties).toBeLessThan(0.001 * choices);
    const info = await engine.info();
    expect(info).toMatchObject({ warnings: [] });
    expect(info.kind === 'pool' && info.strategies).toContain('x-lora');
  });

  it('has PEFT’s scalings as weights, where all adapters are used', () => {
    const wanted = caseOf('llama', 'plain');
    expect(largestDifference(wanted.floats('scalings'), wanted.floats('weight'))).toBe(0);
  });

  it('gives the same token by token, and continues a text as if it had been read whole', async () => {
    const pool = poolWith('llama', 'layerwise-top2');
    const [whole, single] = [await open(pool, 256), await open(pool, 1)];
    const trace = await whole.generate({ text, strategy, maxTokens: 6 });
    const all = pooled(trace);
    const again = await single.route({ text: all.text!, strategy });
    expect([...pooled(again).tokens.ids]).toEqual([...all.tokens.ids]);
    expect(largestDifference(weights(again), weights(trace))).toBeLessThan(bound);
    expect(largestDifference(pooled(again).logProb!, all.logProb!)).toBeLessThan(bound);
  });

  it('keeps an expert that the classifier does not know out of it', async () => {
    const [own, more] = [await open(poolWith('phi', 'no-softmax')), await open(poolWith('phi', 'no-softmax', ['few']))];
    const [without, beside] = [await own.route({ text, strategy }), await more.route({ text, strategy })];
    expect(largestDifference(pooled(beside).logProb!, pooled(without).logProb!)).toBeLessThan(bound);
    const { score, chosen, experts } = pooled(beside);
    const few = experts.findIndex(({ id }) => id === 'few');
    expect(score!.filter((_, i) => i % experts.length === few).every(Number.isNaN)).toBe(true);
    expect(chosen).not.toContain(few);
  });

  it('offers gates beside the classifier, each as if the other were not there', async () => {
    const wanted = caseOf('llama', 'layerwise-top2');
    const gated = poolOf('llama', wanted.experts, {}, []);
    const both = poolWith('llama', 'layerwise-top2');
    for (const pool of [gated, both]) wanted.experts.forEach((id, e) => writeGate(pool, id, e));
    const [alone, beside] = [await open(gated), await open(both)];
    const info = await beside.info();
    const offered = info.kind === 'pool' ? info.strategies : [];
    expect(offered).toEqual(expect.arrayContaining(['phatgoose', 'merged-factors', 'x-lora']));
    for (const of of [{ name: 'phatgoose', k: 2 }, { name: 'merged-factors' }]) {
      const [without, having] = [
        await alone.route({ text, strategy: of }),
        await beside.route({ text, strategy: of }),
      ].map(pooled);
      expect([...having!.chosen]).toEqual([...without!.chosen]);
      expect(largestDifference(having!.score!, without!.score!)).toBeLessThan(bound);
      expect(largestDifference(having!.logProb!, without!.logProb!)).toBeLessThan(bound);
    }
    // Last, so that the graph has an adapter of the whole pool, too.
    expectAsPeft(await beside.route({ text: wanted.text, strategy }), wanted, wanted.experts);
  });

  /** Writes a NaN into the last number of the classifier's weights. */
  const spoil = (pool: string, name: string) => {
    const file = path.join(pool, 'xlora', name, 'adapter_model.safetensors');
    const bytes = readFileSync(file);
    bytes.writeFloatLE(NaN, bytes.length - 4);
    writeFileSync(file, bytes);
  };

  it('whose classifier is damaged is routed by its gates, and says what is wrong with which file', async () => {
    const { experts } = caseOf('llama', 'layerwise-top2');
    const [gated, damaged] = [poolOf('llama', experts, {}, []), poolWith('llama', 'layerwise-top2')];
    for (const pool of [gated, damaged]) experts.forEach((id, e) => writeGate(pool, id, e));
    spoil(damaged, 'layerwise-top2');
    const [alone, beside] = [await open(gated), await open(damaged)];
    const info = await beside.info();
    expect(info.kind === 'pool' && info.strategies).toEqual(
      await alone.info().then((own) => own.kind === 'pool' && own.strategies),
    );
    expect(info.warnings).toEqual([
      {
        code: 'part-left-out',
        text: expect.stringMatching(
          /^The X-LoRA classifier is left out: .*xlora\/layerwise-top2\/adapter_model\.safetensors: .* not finite\..*import-xlora/,
        ) as string,
      },
    ]);
    const of = { name: 'phatgoose', k: 2 };
    const [without, having] = [await alone.route({ text, strategy: of }), await beside.route({ text, strategy: of })];
    expect([...pooled(having).logProb!]).toEqual([...pooled(without).logProb!]);
    await expect(beside.route({ text, strategy })).rejects.toMatchObject({ code: 'strategy-unavailable' });
  });

  it('whose classifier is damaged is refused where nothing else routes it, before anything is composed', async () => {
    const pool = poolWith('llama', 'plain');
    spoil(pool, 'plain');
    await expect(open(pool).then((engine) => engine.info())).rejects.toMatchObject({
      code: 'pool-invalid',
      message: expect.stringMatching(/xlora\/plain\/adapter_model\.safetensors: .* not finite/) as string,
      remedy: expect.stringMatching(/import-xlora|remove "xlora"/) as string,
    });
  });

  const act = async (architecture: string, name: string, ...interventions: Intervention[]) => {
    const engine = await open(poolWith(architecture, name));
    return engine.route({ text, strategy, interventions });
  };

  it.each(['plain', 'layerwise-top2', 'few'])(
    'never uses a knocked-out expert, and shares its part out: %s',
    async (name) => {
      const [plain, changed] = [
        await act('llama', name),
        await act('llama', name, { action: 'knock-out', expert: 'first', scope: {} }),
      ];
      const { chosen, experts, score } = pooled(changed);
      expect(chosen).not.toContain(experts.findIndex(({ id }) => id === 'first'));
      // The classifier reads the base, which no what-if changes.
      expect(largestDifference(score!, pooled(plain).score!)).toBeLessThan(bound);
      if (name === 'plain') {
        const sums = weights(changed).reduce<number[]>((all, w, i) => {
          all[Math.floor(i / experts.length)] = (all[Math.floor(i / experts.length)] ?? 0) + w;
          return all;
        }, []);
        expect(
          largestDifference(
            sums,
            sums.map(() => 1),
          ),
        ).toBeLessThan(1e-6);
      }
    },
  );

  it('adds a logit bias before the softmax, in its scope', async () => {
    const scope = { module: 'model.layers.1.mlp.up_proj', token: 3 };
    const [plain, changed] = [
      await act('llama', 'plain'),
      await act('llama', 'plain', { action: 'logit-bias', expert: 'second', amount: 1.5, scope }),
    ];
    const { modules, tokens, experts, score } = pooled(plain);
    const cell = (modules.findIndex((module) => module.path === scope.module) * tokens.count + 3) * experts.length;
    const logits = [...score!.subarray(cell, cell + 3)].map((z, e) => z + (experts[e]!.id === 'second' ? 1.5 : 0));
    const sum = logits.reduce((all, z) => all + Math.exp(z), 0);
    expect(
      largestDifference(
        weights(changed).slice(cell, cell + 3),
        logits.map((z) => Math.exp(z) / sum),
      ),
    ).toBeLessThan(1e-6);
    expect(weights(changed).filter((w, i) => Math.abs(w - weights(plain)[i]!) > 1e-3)).toHaveLength(3);
  });

  it('gives a forced expert weight 1, and the others none', async () => {
    const forced = await act('phi', 'softmax-topk', { action: 'force', expert: 'third', scope: {} });
    const { experts } = pooled(forced);
    expect(weights(forced)).toEqual(weights(forced).map((_, i) => (experts[i % 3]!.id === 'third' ? 1 : 0)));
    const alone = await (
      await open(poolWith('phi', 'softmax-topk'))
    ).route({
      text,
      strategy: { name: 'single', expert: 'third' },
    });
    expect(largestDifference(pooled(forced).logProb!, pooled(alone).logProb!)).toBeLessThan(bound);
  });

  it('answers what a change of each expert would do', async () => {
    const engine = await open(poolWith('qwen3', 'scaling-pass'));
    const { experts, change, logProb } = await engine.attribute({ text, strategy });
    expect(experts).toHaveLength(3);
    const without = await engine.route({
      text,
      strategy,
      interventions: [{ action: 'knock-out', expert: experts[1]!.id, scope: {} }],
    });
    const own = [...pooled(without).logProb!].map((x, i) => x - logProb[i]!);
    expect(
      largestDifference(
        own,
        [...logProb].map((_, i) => change[i * 3 + 1]!),
      ),
    ).toBeLessThan(bound);
  });

  it.each([
    ['llama', 'layerwise-top2'],
    ['phi', 'no-softmax'],
    ['qwen3', 'scaling-pass'],
  ])('shows what each layer would predict; the last layer predicts what the run does: %s, %s', async (...of) => {
    const engine = await open(poolWith(...of), 4);
    const trace = await engine.route({ text, strategy });
    const { topLogProb, predictions } = pooled(trace);
    for (const token of [2, pooled(trace).tokens.count - 1]) {
      const lens = await engine.lens({ text, strategy, token });
      const last = (column: LensColumn) => column.topLogProb.slice(-column.predictions);
      const wanted = topLogProb!.subarray(token * predictions, (token + 1) * predictions);
      expect(largestDifference(last(lens.routed), wanted)).toBeLessThan(bound);
      const base = await engine.route({ text, strategy: { name: 'base' } });
      const alone = pooled(base).topLogProb!.subarray(token * predictions, (token + 1) * predictions);
      expect('none' in lens.without ? [] : largestDifference(last(lens.without), alone)).toBeLessThan(bound);
    }
  });
});

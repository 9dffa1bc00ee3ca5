/** The shipped mixture of experts, compared with transformers' own forward pass on the weights in its folder. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { bundledModels } from '../../src/product/bundled.js';
import { asLocal } from '../../src/requests/modelInfo.js';
import { decodeTrace } from '../../src/trace/file/file.js';
import { type Bounds, expectMixture } from './mixtures.js';
import { largestDifference, root, temporaryFolder } from './support.js';

const gosling = bundledModels[1];
const shipped = path.join(root, 'models', gosling.folder);
const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (chunk: number) => {
  const engine = await createEngine({ pool: shipped, cache, threads: 1, chunk });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

/** The same as for the shipped pool. */
const bounds: Bounds = { score: 1e-3, weight: 1e-3, logProb: 1e-2, closeCall: 1e-3 };

describe('the mixture of experts that ships', () => {
  let whole: Engine;
  beforeAll(async () => {
    expect(existsSync(path.join(shipped, 'model.onnx')), `${shipped} holds the model`).toBe(true);
    whole = await engineFor(256);
  });
  const golden = (name: string) => {
    const file = path.join(root, 'test/fixtures/golden', gosling.folder, `${name}.safetensors`);
    if (!existsSync(file)) throw new Error(`${file} is missing: python -m gander_training.mixtures.shipped ${shipped}`);
    return decodeTrace(readFileSync(file));
  };

  it.each(['python', 'html', 'sql', 'marks'])('agrees with transformers: %s', async (name) => {
    const wanted = golden(name);
    const text = wanted.sequences[0]!.text!;
    const got = await whole.route({ text });
    expect(got.modules.map((module) => module.path)).toEqual(wanted.modules.map((module) => module.path));
    expect([...got.sequences[0]!.tokens.start!]).toEqual([...wanted.sequences[0]!.tokens.start!]);
    expectMixture(got, wanted, bounds);
    expectMixture(await (await engineFor(7)).route({ text }), wanted, bounds);
  });

  it('has the name in its card, and no warnings', async () => {
    const info = asLocal(await whole.info());
    expect(info).toMatchObject({ kind: 'moe', name: gosling.title, router: { name: 'mixtral' }, warnings: [] });
  });

  it('writes with the numbers of a run over the whole text', async () => {
    const written = await whole.generate({ text: 'def area(', maxTokens: 12 });
    const { text, tokens, logProb } = written.sequences[0]!;
    const again = await whole.route({ text: text! });
    const given = (await whole.route({ text: 'def area(' })).sequences[0]!.tokens.count;
    expect(tokens.count).toBeGreaterThan(given);
    const same = [...again.sequences[0]!.tokens.ids!].findIndex((id, i) => id !== tokens.ids![i]);
    // The tokenizer may split the written text differently; before the first such token, both must agree.
    const known = same < 0 ? tokens.count : same;
    expect(known).toBeGreaterThanOrEqual(given - 1);
    expect(
      largestDifference(again.sequences[0]!.logProb!.subarray(0, known), logProb!.subarray(0, known)),
    ).toBeLessThan(bounds.logProb);
  });

  it('can knock out an expert: it is never chosen in its layer, and earlier layers are unchanged', async () => {
    const { text } = golden('python').sequences[0]!;
    const plain = await whole.route({ text: text! });
    const { k, chosen } = plain.blocks[0]!;
    const tokens = plain.sequences[0]!.tokens.count;
    const row = (of: typeof chosen, layer: number) => [...of.subarray(layer * tokens * k, (layer + 1) * tokens * k)];
    const expert = row(chosen, 3)[0]!;
    const knocked = await whole.route({
      text: text!,
      interventions: [{ action: 'knock-out', expert: `3.${expert}`, scope: {} }],
    });
    expect(row(knocked.blocks[0]!.chosen, 3)).not.toContain(expert);
    for (const layer of [0, 1, 2]) expect(row(knocked.blocks[0]!.chosen, layer)).toEqual(row(chosen, layer));
  });
});

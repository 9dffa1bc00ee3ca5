/** An X-LoRA classifier as PEFT saves it, and everything that can be wrong with it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors, parseHeader, toFloat32 } from '../../../src/formats/safetensors.js';
import { poolHash } from '../../../src/pool/hash.js';
import { readPool } from '../../../src/pool/pool.js';

const fixtures = fileURLToPath(new URL('../../fixtures/peft/llama', import.meta.url));
const own = path.join(fixtures, 'xlora/layerwise-top2');
const experts = ['first', 'second', 'third'];
const { modules } = JSON.parse(
  parseHeader(
    readFileSync(path.join(own, 'golden.safetensors')),
    readFileSync(path.join(own, 'golden.safetensors')).length,
  ).metadata.get('case')!,
) as { readonly modules: readonly string[] };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gander-pool-'));
  for (const part of ['base', 'pool.json', ...experts.map((id) => `experts/${id}`)])
    cpSync(path.join(fixtures, part), path.join(folder, part), { recursive: true });
  cpSync(own, path.join(folder, 'xlora'), { recursive: true });
  name({});
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes pool.json with this change of its entry. */
function name(change: object): void {
  const file = path.join(folder, 'pool.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...manifest, xlora: { classifier: 'xlora', experts, modules, ...change } }));
}
function configure(change: object): void {
  const file = path.join(folder, 'xlora/adapter_config.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }));
}
const weights = () => path.join(folder, 'xlora/adapter_model.safetensors');
const first = 'base_model.internal_xlora_classifier.layers.0.weight';

type Tensors = Map<string, { dtype: 'F32'; shape: readonly number[]; data: Float32Array }>;
function rewrite(change: (tensors: Tensors) => void): void {
  const bytes = readFileSync(weights());
  const tensors: Tensors = new Map(
    [...parseHeader(bytes, bytes.length).tensors].map(([name, { dtype, shape, begin, end }]) => [
      name,
      { dtype: 'F32', shape, data: toFloat32(dtype, bytes.subarray(begin, end)) },
    ]),
  );
  change(tensors);
  writeFileSync(weights(), encodeSafetensors([...tensors].map(([name, tensor]) => ({ name, ...tensor }))));
}

describe('a pool with an X-LoRA classifier', () => {
  it('is read as PEFT saved it', () => {
    const { xlora, warnings } = readPool(folder);
    expect(warnings).toEqual([]);
    expect(xlora).toMatchObject({
      experts,
      modules,
      layerwise: true,
      hiddenSize: 32,
      layers: [
        { dIn: 32, dOut: 16 },
        { dIn: 16, dOut: 16 },
        { dIn: 16, dOut: 3 * 14 },
      ],
      scaling: { softmax: true, temperature: 0.7, topK: 2, softmaxOfTopK: false, globalWeight: 1, passValue: 0 },
    });
    expect(xlora!.layers[2]!.bias()).toHaveLength(42);
  });

  it('has another hash with other weights, another configuration or another order', () => {
    const hash = () =>
      poolHash(readPool(folder), { hash: (file) => readFileSync(file).toString('base64'), dataFiles: () => [] });
    const hashes = [hash()];
    for (const change of [
      () => name({ modules: [...modules].reverse() }),
      () => configure({ softmax_temperature: 2 }),
      () => rewrite((tensors) => (tensors.get(first)!.data[0]! += 1)),
    ]) {
      change();
      hashes.push(hash());
    }
    expect(new Set(hashes).size).toBe(4);
  });

  it.each<[string, RegExp, () => void]>([
    ['has a field that is not known', /"?it"? must not have "gating"/, () => configure({ gating: 'new' })],
    ['is another adapter', /"peft_type" must be "XLORA"/, () => configure({ peft_type: 'LORA' })],
    ['has no width', /"hidden_size" must be a number/, () => configure({ hidden_size: null })],
    ['divides by nothing', /"softmax_temperature" is a divisor/, () => configure({ softmax_temperature: 0 })],
    ['keeps more than it has', /"top_k_lora" is 4, more than its 3/, () => configure({ top_k_lora: 4 })],
    ['keeps one of equals', /"scaling_pass_value" must be 0/, () => configure({ scaling_pass_value: 0.5 })],
    ['is of other adapters', /trained with 1 adapters/, () => configure({ adapters: { 0: 'first' } })],
    ['has no configuration', /adapter_config\.json/, () => rmSync(path.join(folder, 'xlora/adapter_config.json'))],
    ['has no weights', /adapter_model\.safetensors/, () => rmSync(weights())],
    ['has weights that cannot be read', /adapter_model\.safetensors/, () => writeFileSync(weights(), 'nonsense')],
    ['lacks a layer', /has no ".*layers\.0\.weight"; save_pretrained/, () => rewrite((all) => all.delete(first))],
    [
      'has a tensor more',
      /"more" is no part of such a classifier/,
      () => rewrite((all) => all.set('more', { dtype: 'F32', shape: [1], data: new Float32Array(1) })),
    ],
    ['reads another width', /layers\.0\.weight" is \[16, 32\], not \[16, 16\]/, () => configure({ hidden_size: 16 })],
    ['is deeper', /layers\.6\.weight" is \[42, 16\], not \[16, 16\]/, () => configure({ xlora_depth: 4 })],
    [
      'lacks an adapter',
      /its adapter "second" is missing/,
      () => rmSync(path.join(folder, 'experts/second'), { recursive: true }),
    ],
    ['names one twice', /"xlora\.experts" names one twice/, () => name({ experts: ['first', 'first', 'third'] })],
    ['lacks a module', /must list the modules that its adapters adapt/, () => name({ modules: modules.slice(1) })],
    ['has a module more', /nowhere is in only one/, () => name({ modules: [...modules, 'nowhere'] })],
    ['is declared with what is not known', /must not have "order"/, () => name({ order: 1 })],
    ['is outside', /leads upwards/, () => name({ classifier: '../xlora' })],
    [
      'has a weight that is not a number',
      /xlora\/adapter_model\.safetensors: ".*layers\.0\.weight" contains a number that is not finite/,
      () => rewrite((all) => (all.get(first)!.data[3] = NaN)),
    ],
    [
      'has an infinite bias',
      /xlora\/adapter_model\.safetensors: ".*layers\.6\.bias" contains a number that is not finite/,
      () => rewrite((all) => (all.get(first.replace('0.weight', '6.bias'))!.data[41] = -Infinity)),
    ],
  ])('that %s is refused', (_, message, spoil) => {
    spoil();
    expect(() => readPool(folder)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^pool-(invalid|unsafe-path)$/) as string,
        message: expect.stringMatching(message) as string,
      }),
    );
  });

  it.each<[string, RegExp, () => void]>([
    // As docs/pool-format.md removes an expert.
    [
      'lacks an adapter',
      /adapter "second" is missing/,
      () => rmSync(path.join(folder, 'experts/second'), { recursive: true }),
    ],
    [
      'holds a number that is not finite',
      /xlora\/adapter_model\.safetensors: .* not finite.*import-xlora/,
      () => rewrite((all) => (all.get(first)!.data[3] = NaN)),
    ],
    ['cannot be read', /xlora\/adapter_model\.safetensors/, () => writeFileSync(weights(), 'nonsense')],
  ])('that %s is left out with a warning where the pool has gates, too', (_, text, spoil) => {
    const gate = { name: modules[0]!, dtype: 'F32' as const, shape: [32], data: new Float32Array(32).fill(1) };
    for (const id of experts)
      writeFileSync(path.join(folder, 'experts', id, 'gate.safetensors'), encodeSafetensors([gate]));
    expect(readPool(folder)).toMatchObject({ warnings: [], xlora: { experts } });
    spoil();
    const { xlora, warnings, experts: left } = readPool(folder);
    expect(xlora).toBeUndefined();
    expect(left.map(({ id }) => id)).toEqual(expect.arrayContaining(['first', 'third']));
    expect(warnings).toEqual([{ code: 'part-left-out', text: expect.stringMatching(text) as string }]);
  });
});

import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, afterEach, describe, expect, it } from 'vitest';
import { parseCard } from '../../../src/pool/card.js';
import { resolveInside } from '../../../src/pool/paths.js';
import { byCodePoint, poolSignature, readPool } from '../../../src/pool/pool.js';
import { encodeSafetensors } from '../../../src/formats/safetensors.js';
import { ganderVersion } from '../../../src/product/version.js';

const tiny = fileURLToPath(new URL('../../fixtures/tiny-pool', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gander-pool-'));
  cpSync(tiny, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Uint8Array) => writeFileSync(path.join(folder, name), content);
const change = (name: string, edit: (json: Record<string, unknown>) => void) => {
  const json = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Record<string, unknown>;
  edit(json);
  write(name, JSON.stringify(json));
};
const code = (wanted: string): unknown => expect.objectContaining({ code: wanted });

describe('a pool', () => {
  it('has its experts in code point order, each with the content of its files', () => {
    const pool = readPool(folder);
    expect(pool.warnings).toEqual([]);
    expect(pool.experts.map(({ id }) => id)).toEqual(['Zeta', 'alpha', 'beta-10', 'beta-2']);
    expect(pool.experts.map(({ name }) => name)).toEqual([
      'Zeta',
      'Alpha (rank-stabilised)',
      'Beta 10 (patterns)',
      'Beta 2',
    ]);
    expect(pool.contextLength).toBe(256);
    expect(pool.multitask?.adapter.modules.size).toBe(14);
    expect(pool.experts.every(({ gates, hasExamples }) => gates.size === 14 && hasExamples)).toBe(true);
  });

  it('distinguishes experts of the same name', () => {
    cpSync(path.join(folder, 'experts/beta-2'), path.join(folder, 'experts/mine'), { recursive: true });
    expect(readPool(folder).experts.map(({ name }) => name)).toEqual([
      'Zeta',
      'Alpha (rank-stabilised)',
      'Beta 10 (patterns)',
      'Beta 2 (beta-2)',
      'Beta 2 (mine)',
    ]);
  });

  it('honours rank-stabilised scales and patterns', () => {
    const [zeta, alpha, patterned] = readPool(folder).experts;
    const of = (expert: typeof zeta, module: string) => expert!.adapter.modules.get(module)!;
    expect(of(zeta, 'model.layers.0.self_attn.q_proj')).toMatchObject({ rank: 4, scale: 2, dIn: 32, dOut: 32 });
    expect(of(alpha, 'model.layers.0.self_attn.q_proj').scale).toBe(4 / Math.sqrt(4));
    expect(of(patterned, 'model.layers.0.self_attn.q_proj')).toMatchObject({ rank: 2, scale: 4 });
    expect(of(patterned, 'model.layers.1.mlp.down_proj')).toMatchObject({ rank: 6, scale: 8 / 6 });
    expect(of(patterned, 'model.layers.0.mlp.down_proj').rank).toBe(4);
    expect(of(patterned, 'model.layers.0.self_attn.k_proj').scale).toBe(16 / 4);
  });

  it('reads F16 and BF16 as well as F32', () => {
    for (const expert of readPool(folder).experts) {
      const a = expert.adapter.modules.get('model.layers.0.mlp.up_proj')!.a();
      expect(a).toHaveLength(4 * 32);
      expect(a.some((x) => x !== 0)).toBe(true);
    }
  });

  it('gains an expert by a new folder and loses one by its removal', () => {
    const before = poolSignature(folder);
    cpSync(path.join(folder, 'experts/alpha'), path.join(folder, 'experts/new'), { recursive: true });
    expect(poolSignature(folder)).not.toBe(before);
    expect(readPool(folder).experts.map(({ id }) => id)).toContain('new');
    rmSync(path.join(folder, 'experts/new'), { recursive: true });
    expect(readPool(folder).experts.map(({ id }) => id)).not.toContain('new');
  });

  it('leaves out an expert that it cannot use, and says which and why', () => {
    write('experts/alpha/adapter_model.safetensors', 'nonsense');
    change('experts/Zeta/adapter_config.json', (json) => (json['use_dora'] = true));
    const pool = readPool(folder);
    expect(pool.experts.map(({ id }) => id)).toEqual(['beta-10', 'beta-2']);
    expect(pool.warnings[0]).toMatchObject({
      code: 'expert-left-out',
      expert: 'Zeta',
      text: expect.stringMatching(/"Zeta".*use_dora/) as string,
    });
    expect(pool.warnings[1]!.text).toMatch(/"alpha".*adapter_model\.safetensors/);
  });

  it.each<[string, string, () => void]>([
    ['is missing', 'pool-missing', () => rmSync(folder, { recursive: true })],
    ['has no pool.json', 'pool-missing', () => rmSync(path.join(folder, 'pool.json'))],
    ['is of a newer version', 'pool-invalid', () => change('pool.json', (json) => (json['version'] = 2))],
    ['is not JSON', 'pool-invalid', () => write('pool.json', '{')],
    ['lacks a field', 'pool-invalid', () => change('pool.json', (json) => delete json['base'])],
    ['points outside', 'pool-unsafe-path', () => change('pool.json', (json) => (json['experts'] = '../elsewhere'))],
    ['points to the root', 'pool-unsafe-path', () => change('pool.json', (json) => (json['experts'] = '/etc'))],
    [
      'has no usable expert',
      'pool-invalid',
      () => {
        for (const id of readdirSync(path.join(folder, 'experts')))
          rmSync(path.join(folder, 'experts', id), { recursive: true });
      },
    ],
    ['lost its model', 'pool-invalid', () => rmSync(path.join(folder, 'base/model.onnx'))],
  ])('that %s is refused: %s', (_, wanted, spoil) => {
    spoil();
    expect(() => readPool(folder)).toThrow(code(wanted));
  });

  it('whose base is an encoder-decoder names each of its graphs', () => {
    change('pool.json', (json) => {
      const parts = { encoder: 'base/encoder_model.onnx', decoder: 'base/decoder_model.onnx' };
      json['base'] = { ...(json['base'] as object), model: parts };
    });
    expect(() => readPool(folder)).toThrow('pool.json: "base.model.decoderWithPast" is missing.');
  });

  it.each<[string, number | null, number]>([
    ['max_position_embeddings', 256, 256],
    ['n_positions', 1024, 1024],
    ['n_ctx', 512, 512],
    ['seq_length', 2048, 2048],
    ['max_seq_len', 4096, 4096],
  ])('takes its context length from %s', (name, told, wanted) => {
    change('base/config.json', (json) => {
      delete json['max_position_embeddings'];
      json[name] = told;
    });
    expect(readPool(folder)).toMatchObject({ contextLength: wanted, warnings: [] });
  });

  it('whose base declares no context length says how many tokens are used', () => {
    change('base/config.json', (json) => delete json['max_position_embeddings']);
    expect(readPool(folder)).toMatchObject({
      contextLength: 2048,
      warnings: [{ code: 'context-unknown', text: expect.stringMatching(/no context length: 2048 tokens/) as string }],
    });
    change('base/config.json', (json) => (json['text_config'] = { max_position_embeddings: 77 }));
    expect(readPool(folder)).toMatchObject({ contextLength: 77, warnings: [] });
  });

  it.each<[string, (json: Record<string, unknown>) => unknown, string]>([
    ['topK', (json) => (json['topK'] = 5000), 'pool.json: "topK" must be at most 1024.'],
    ['name', (json) => (json['name'] = ''), 'pool.json: "name" must not be empty.'],
    ['base', (json) => delete json['base'], 'pool.json: "base" is missing.'],
    ['id', (json) => (json['id'] = 7), 'pool.json: "id" must be a text.'],
    ['format', (json) => (json['format'] = 'x'), 'pool.json: "format" must be "gander-pool".'],
    [
      'experts',
      (json) => (json['experts'] = 'x'.repeat(2000)),
      'pool.json: "experts" must be at most 1024 characters long.',
    ],
  ])('explains what is wrong with %s', (_, spoil, message) => {
    change('pool.json', spoil);
    expect(() => readPool(folder)).toThrow(expect.objectContaining({ message }));
  });

  describe('a jointly trained router', () => {
    const experts = ['beta-2', 'alpha', 'gone'];
    const router = (shape: number[], rows = experts) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i);
      const name = 'model.layers.0.self_attn.q_proj';
      write('router.safetensors', encodeSafetensors([{ name, dtype: 'F32', shape, data }], {}));
      change('pool.json', (json) => (json['router'] = { weights: 'router.safetensors', experts: rows }));
      return readPool(folder);
    };

    it('gives each of its experts a row, and the others none', () => {
      const pool = router([3, 32]);
      expect(pool.warnings).toEqual([]);
      const row = (id: string) => pool.experts.find((expert) => expert.id === id)!.routerRows;
      expect(row('alpha')!.get('model.layers.0.self_attn.q_proj')!.read()).toEqual(
        Float32Array.from({ length: 32 }, (_, i) => 32 + i),
      );
      expect(row('beta-2')!.get('model.layers.0.self_attn.q_proj')!.read()[31]).toBe(31);
      expect(row('Zeta')).toBeUndefined();
    });

    it.each([
      ['rows for two of three experts', [2, 32], experts, /is \[2, 32\], not one row for each of 3 experts/],
      ['no matrix', [96], experts, /is \[96\]/],
      ['rows of another width than the input', [3, 31], experts, /rows of 31 numbers, the adapter of "alpha" takes 32/],
      ['two rows for one expert', [3, 32], ['alpha', 'beta-2', 'alpha'], /two of its rows are for the same expert/],
    ])('with %s is left out with a warning', (_, shape, rows, why) => {
      const pool = router(shape, rows);
      expect(pool.experts.every(({ routerRows }) => routerRows === undefined)).toBe(true);
      expect(pool.router).toBeUndefined();
      expect(pool.warnings).toEqual([{ code: 'part-left-out', text: expect.stringMatching(why) as string }]);
    });

    it('outside the pool is not read', () => {
      router([3, 32]);
      change('pool.json', (json) => (json['router'] = { weights: '../router.safetensors', experts }));
      expect(readPool(folder).warnings).toEqual([
        { code: 'part-left-out', text: expect.stringMatching(/The jointly trained router is left out/) as string },
      ]);
    });
  });

  it('does without a multitask adapter that is broken', () => {
    rmSync(path.join(folder, 'multitask/adapter_config.json'));
    const pool = readPool(folder);
    expect(pool.multitask).toBeUndefined();
    expect(pool.warnings).toEqual([{ code: 'part-left-out', text: expect.stringMatching(/multitask/) as string }]);
  });
});

describe('an adapter', () => {
  const refused = (why: RegExp) =>
    expect(readPool(folder).warnings.map(({ text }) => text)).toEqual([expect.stringMatching(why)]);
  const tensors = (entries: Record<string, number[]>) =>
    write(
      'experts/alpha/adapter_model.safetensors',
      encodeSafetensors(
        Object.entries(entries).map(([name, shape]) => ({
          name,
          dtype: 'F32' as const,
          shape,
          data: new Float32Array(shape.reduce((a, b) => a * b)),
        })),
        {},
      ),
    );
  const q = 'base_model.model.model.layers.0.self_attn.q_proj';

  it.each<[string, RegExp, Record<string, number[]>]>([
    ['has half a pair', /only one of its two/, { [`${q}.lora_A.weight`]: [4, 32] }],
    [
      'has pairs that do not fit',
      /4 rows.*3 columns/,
      { [`${q}.lora_A.weight`]: [4, 32], [`${q}.lora_B.weight`]: [32, 3] },
    ],
    [
      'has another rank than it says',
      /rank 3.*says 4/,
      { [`${q}.lora_A.weight`]: [3, 32], [`${q}.lora_B.weight`]: [32, 3] },
    ],
    ['changes an embedding', /adapts an embedding/, { 'base_model.model.embed.lora_embedding_A': [4, 32] }],
    ["adapts the parameters of a MoE's experts", /target_parameters/, { [`${q}.base_layer.lora_A.weight`]: [8, 32] }],
    ['scales by magnitudes', /not a LoRA matrix/, { [`${q}.lora_magnitude_vector`]: [32] }],
    ['brings a trained weight', /weight of the base itself/, { 'base_model.model.lm_head.weight': [320, 32] }],
    ['changes nothing', /adapts nothing/, {}],
  ])('that %s is refused', (_, why, entries) => {
    tensors(entries);
    refused(why);
  });

  it('with a copy of the base weight that it adapts is kept, and the copy is known', () => {
    tensors({
      [`${q}.base_layer.weight`]: [32, 32],
      [`${q}.lora_A.weight`]: [4, 32],
      [`${q}.lora_B.weight`]: [32, 4],
    });
    const alpha = readPool(folder).experts.find(({ id }) => id === 'alpha')!;
    expect([...alpha.adapter.modules.keys()]).toEqual(['model.layers.0.self_attn.q_proj']);
    expect(alpha.adapter.baseCopies.get('model.layers.0.self_attn.q_proj')?.shape).toEqual([32, 32]);
  });

  it.each<[string, unknown, RegExp]>([
    ['init_lora_weights', 'pissa', /PiSSA changes the base.*path_initial_model_for_weight_conversion/],
    ['init_lora_weights', 'pissa_niter_16', /PiSSA changes the base/],
    ['init_lora_weights', 'olora', /OLoRA changes the base.*path_initial_model_for_weight_conversion/],
    ['init_lora_weights', 'corda', /CorDA changes the base/],
    ['init_lora_weights', 'lora_ga', /LoRA-GA changes the base/],
    ['init_lora_weights', 'loftq', /LoftQ changes the base.*init_lora_weights true/],
    ['init_lora_weights', 'of next year', /does not know/],
    ['use_dora', true, /DoRA/],
    ['lora_bias', true, /bias/],
    ['bias', 'lora_only', /biases of the base/],
    ['modules_to_save', ['lm_head'], /whole modules/],
    ['trainable_token_indices', [1], /embeddings of tokens/],
    ['target_parameters', ['mlp.experts.gate_up_proj'], /MoE/],
    ['layer_replication', [[0, 2]], /repeated/],
    ['alora_invocation_tokens', [3, 4], /aLoRA/],
    ['use_qalora', true, /QA-LoRA/],
    ['use_bdlora', { nblocks: 2 }, /block-diagonal/],
    ['arrow_config', { top_k: 2 }, /Arrow/],
    ['kasa_config', { beta: 1 }, /KaSA/],
    ['use_next_years_variant', true, /"use_next_years_variant" is set, which this version of Gander does not know/],
    ['peft_type', 'LOHA', /a LOHA adapter, not LoRA/],
    ['r', 0, /"r" must be more than 0/],
    ['lora_alpha', '8', /"lora_alpha" must be a number/],
    ['alpha_pattern', { q_proj: 'much' }, /"alpha_pattern.q_proj" must be a number/],
  ])('whose %s is %j is refused in words', (field, value, why) => {
    change('experts/alpha/adapter_config.json', (json) => (json[field] = value));
    refused(why);
    expect(readPool(folder).warnings[0]!.text).not.toMatch(/expected|Invalid|Too (big|small)/);
    expect(readPool(folder).leftOut.get('alpha')).toMatchObject({ code: 'expert-invalid' });
  });

  it.each<[string, unknown]>([
    ['init_lora_weights', 'gaussian'],
    ['init_lora_weights', 'eva'],
    ['init_lora_weights', 'orthogonal'],
    ['init_lora_weights', 'mica'],
    ['init_lora_weights', false],
    ['fan_in_fan_out', true],
    ['eva_config', { rho: 2 }],
    ['velora_config', { num_groups: 4 }],
    ['loftq_config', {}],
    ['modules_to_save', []],
    ['use_rslora', true],
  ])('whose %s is %j computes the same and is taken', (field, value) => {
    change('experts/alpha/adapter_config.json', (json) => (json[field] = value));
    expect(readPool(folder).warnings).toEqual([]);
  });

  it("accepts gates under PEFT's names, and reports those that belong to no module", () => {
    const gates = (names: string[]) =>
      write(
        'experts/alpha/gate.safetensors',
        encodeSafetensors(
          names.map((name) => ({ name, dtype: 'F32' as const, shape: [32], data: new Float32Array(32) })),
          {},
        ),
      );
    gates([`${q}.weight`]);
    const { experts, warnings } = readPool(folder);
    expect(warnings).toEqual([]);
    expect([...experts.find(({ id }) => id === 'alpha')!.gates.keys()]).toEqual(['model.layers.0.self_attn.q_proj']);
    gates(['model.layers.0.self_attn.q_proj', 'layers.0.attention.wq', 'a', 'b', 'c']);
    expect(readPool(folder).warnings.map(({ text }) => text)).toEqual([
      'Expert "alpha": 4 of 5 vectors in gate.safetensors are for modules that it does not adapt: "layers.0.attention.wq", "a", "b" and 1 more.',
    ]);
  });

  it('whose gate has another width is refused', () => {
    write(
      'experts/alpha/gate.safetensors',
      encodeSafetensors(
        [{ name: 'model.layers.0.self_attn.q_proj', dtype: 'F32', shape: [31], data: new Float32Array(31) }],
        {},
      ),
    );
    refused(/31 numbers.*takes 32/);
  });

  it('with a number that is not finite is refused when it is read', () => {
    const data = new Float32Array(4 * 32);
    data[5] = NaN;
    write(
      'experts/alpha/adapter_model.safetensors',
      encodeSafetensors(
        [
          { name: `${q}.lora_A.weight`, dtype: 'F32', shape: [4, 32], data },
          { name: `${q}.lora_B.weight`, dtype: 'F32', shape: [32, 4], data: new Float32Array(128) },
        ],
        {},
      ),
    );
    const alpha = readPool(folder).experts.find(({ id }) => id === 'alpha')!;
    expect(() => alpha.adapter.modules.get('model.layers.0.self_attn.q_proj')!.a()).toThrow(code('expert-invalid'));
  });
});

describe('a path', () => {
  it.each(['', '/etc/passwd', '../x', 'a/../../x', 'C:\\x', '\\\\host\\x', 'a\0b', '..', 'x'.repeat(2000)])(
    '%j is unsafe',
    (name) => {
      expect(() => resolveInside(folder, name)).toThrow(code('pool-unsafe-path'));
    },
  );

  it('through a link is unsafe if it leads out, invalid if it is cyclic, and fine inside', () => {
    symlinkSync('/etc/hostname', path.join(folder, 'out'));
    symlinkSync(path.join(folder, 'round'), path.join(folder, 'round'));
    symlinkSync(path.join(folder, 'pool.json'), path.join(folder, 'inside'));
    expect(() => resolveInside(folder, 'out')).toThrow(code('pool-unsafe-path'));
    expect(() => resolveInside(folder, 'round')).toThrow(code('pool-invalid'));
    expect(resolveInside(folder, 'inside')).toBe(path.join(folder, 'inside'));
  });
});

describe('a model card', () => {
  it('returns its front matter, without fields that cannot be read', () => {
    expect(parseCard('---\nname: A\nlicense: mit\ndatasets: [x, y]\nother: 1\n---\ntext')).toEqual({
      name: 'A',
      license: 'mit',
      datasets: ['x', 'y'],
    });
    expect(parseCard('---\r\nname: A\r\nlicense: [1]\r\n---\r\n')).toEqual({ name: 'A' });
    expect(parseCard('no front matter')).toEqual({});
    expect(parseCard('---\n: : :\n  - [\n---\n')).toEqual({});
  });

  it('is not blown up by aliases', () => {
    const bomb = [
      'a0: &a0 [x,x,x,x,x,x,x,x,x]',
      ...Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]`),
    ];
    expect(parseCard(`---\n${bomb.join('\n')}\n---\n`)).toEqual({});
  });
});

it('orders by code point, not by UTF-16 unit', () => {
  expect(['\u{1F9A2}', '\uFFFD', 'a', 'B'].sort(byCodePoint)).toEqual(['B', 'a', '\uFFFD', '\u{1F9A2}']);
});

it('knows its own version', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(ganderVersion).toBe(version);
});

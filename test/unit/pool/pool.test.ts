import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, afterEach, describe, expect, it } from 'vitest';
import { parseCard } from '../../../src/pool/card.js';
import { resolveInside } from '../../../src/pool/paths.js';
import { byCodePoint, poolSignature, readPool } from '../../../src/pool/pool.js';
import { encodeSafetensors } from '../../../src/shared/safetensors.js';
import { ganderVersion } from '../../../src/shared/version.js';

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
  it('has its experts in code point order, each with what its files say', () => {
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

  it('tells experts of the same name apart', () => {
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

  it('leaves an expert out that it cannot use, and says which and why', () => {
    write('experts/alpha/adapter_model.safetensors', 'nonsense');
    change('experts/Zeta/adapter_config.json', (json) => (json['use_dora'] = true));
    const pool = readPool(folder);
    expect(pool.experts.map(({ id }) => id)).toEqual(['beta-10', 'beta-2']);
    expect(pool.warnings[0]).toMatch(/"Zeta".*use_dora/);
    expect(pool.warnings[1]).toMatch(/"alpha".*adapter_model\.safetensors/);
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

  it('does without a multitask adapter that is broken', () => {
    rmSync(path.join(folder, 'multitask/adapter_config.json'));
    const pool = readPool(folder);
    expect(pool.multitask).toBeUndefined();
    expect(pool.warnings[0]).toMatch(/multitask/);
  });
});

describe('an adapter', () => {
  const refused = (why: RegExp) => expect(readPool(folder).warnings).toEqual([expect.stringMatching(why)]);
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
    ['changes more than linear layers', /not a LoRA matrix/, { 'base_model.model.embed.lora_embedding_A': [4, 32] }],
    ['changes nothing', /adapts nothing/, {}],
  ])('that %s is refused', (_, why, entries) => {
    tensors(entries);
    refused(why);
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

  it('with a number that is none is refused when it is read', () => {
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

  it('through a link that leads out is unsafe, one in a circle is invalid, one inside is fine', () => {
    symlinkSync('/etc/hostname', path.join(folder, 'out'));
    symlinkSync(path.join(folder, 'round'), path.join(folder, 'round'));
    symlinkSync(path.join(folder, 'pool.json'), path.join(folder, 'inside'));
    expect(() => resolveInside(folder, 'out')).toThrow(code('pool-unsafe-path'));
    expect(() => resolveInside(folder, 'round')).toThrow(code('pool-invalid'));
    expect(resolveInside(folder, 'inside')).toBe(path.join(folder, 'inside'));
  });
});

describe('a model card', () => {
  it('gives its front matter, and what is odd in it is left out', () => {
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

/** Files that are small to send and would be large to read: sizes are checked first. */
import { appendFileSync, cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readExamples } from '../../../src/pool/adapter.js';
import { parseCard } from '../../../src/pool/card.js';
import { readPool } from '../../../src/pool/pool.js';
import { encodeSafetensors } from '../../../src/formats/safetensors.js';

const tiny = fileURLToPath(new URL('../../fixtures/tiny-pool', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gander-limits-'));
  cpSync(tiny, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string) => path.join(folder, name);
/** A file that takes no space on disk, whatever its size. */
const sparse = (name: string, bytes: number) => {
  appendFileSync(file(name), '');
  truncateSync(file(name), bytes);
};
const refused = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe('a pool', () => {
  it('with a file of a terabyte beside its model is refused before a byte of it is read', () => {
    sparse('base/weights.bin', 2 ** 40);
    expect(() => readPool(folder)).toThrow(refused('pool-invalid', /has 1\.1 TB; at most 69 GB/));
  });

  it('with a model file larger than ONNX allows is refused before a byte of it is read', () => {
    sparse('base/model.onnx', 2 ** 33);
    expect(() => readPool(folder)).toThrow(
      refused('base-invalid', /model file has 8\.6 GB; ONNX allows at most 2\.1 GB/),
    );
  });

  it('with a tokenizer of gigabytes is refused before a byte of it is read', () => {
    sparse('base/tokenizer.json', 2 ** 33);
    expect(() => readPool(folder)).toThrow(refused('tokenizer-invalid', /tokenizer has 8\.6 GB; at most 268 MB/));
  });

  it('leaves out an expert with a file of a terabyte', () => {
    sparse('experts/alpha/activation.safetensors', 2 ** 40);
    const pool = readPool(folder);
    expect(pool.experts.map(({ id }) => id)).not.toContain('alpha');
    expect(pool.warnings.map(({ text }) => text)).toEqual([expect.stringMatching(/"alpha".*1\.1 TB; at most 4\.3 GB/)]);
  });

  it('reads no more of a model card than its beginning', () => {
    sparse('experts/alpha/README.md', 1.9e9);
    const before = process.memoryUsage().rss;
    expect(readPool(folder).experts.find(({ id }) => id === 'alpha')?.name).toBe('Alpha (rank-stabilised)');
    expect(process.memoryUsage().rss - before).toBeLessThan(500e6);
  });

  it('holds no examples of gigabytes in memory', () => {
    sparse('experts/alpha/examples.safetensors', 2 ** 31);
    expect(() => readExamples(file('experts/alpha'))).toThrow(refused('expert-invalid', /2\.1 GB; at most 268 MB/));
  });

  it.each([
    ['more modules than a model has', 10_001, 'm.', /20002 tensors; an adapter changes at most 10000 modules/],
    ['a module with an endless name', 1, 'm.'.repeat(300), /a module's path has 601 characters/],
  ])('leaves out an adapter with %s', (_, count, prefix, why) => {
    const data = new Float32Array(4);
    const pair = (name: string) => [
      { name: `base_model.model.${name}.lora_A.weight`, dtype: 'F32' as const, shape: [4, 1], data },
      { name: `base_model.model.${name}.lora_B.weight`, dtype: 'F32' as const, shape: [1, 4], data },
    ];
    const tensors = Array.from({ length: count }, (_unused, i) => pair(prefix + String(i))).flat();
    writeFileSync(file('experts/alpha/adapter_model.safetensors'), encodeSafetensors(tensors));
    expect(readPool(folder).warnings.map(({ text }) => text)).toEqual([expect.stringMatching(why)]);
  });
});

describe('a model card', () => {
  const withName = (name: string) => parseCard(`---\nlicense: mit\nname: ${name}\n---\n`);

  // V8 aborts the process if a regular expression is compiled at the end of the stack: nothing could be caught then.
  it.each(['[', '{', '- ', '? ', '[\n ', '- [ '])(
    'nested deeply with %j is ignored, and does not end the process',
    (level) => {
      expect(withName(level.repeat(4000 / level.length))).toEqual({ license: 'mit' });
      expect(withName(level.repeat(40_000 / level.length))).toEqual({ license: 'mit' });
    },
  );

  it.each([',', '&a ', '"', '*a ', '!a '])('full of %j is given up quickly', (fault) => {
    expect(withName('['.concat(fault.repeat(60_000 / fault.length)))).toEqual({ license: 'mit' });
  });

  it('keeps its fields beside long ones that are not read', () => {
    const results = Array.from({ length: 2000 }, (_, i) => `  - value: ${i}`).join('\n');
    const card = parseCard(`---\nname: "A\n  card"\nmodel-index:\n${results}\ndatasets:\n- x\n- y\n---\n`);
    expect(card).toEqual({ name: 'A card', datasets: ['x', 'y'] });
  });
});

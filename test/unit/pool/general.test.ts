/** General adapters, which are subtracted from a pool's experts. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { poolHash } from '../../../src/pool/hash.js';
import { readExpertFolder, readPool } from '../../../src/pool/pool.js';

const tiny = fileURLToPath(new URL('../../fixtures/tiny-pool', import.meta.url));
const module = 'model.layers.1.mlp.up_proj';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gander-pool-'));
  cpSync(tiny, folder, { recursive: true });
  for (const [name, of] of Object.entries({ one: 'Zeta', two: 'alpha' }))
    cpSync(path.join(folder, 'experts', of), path.join(folder, 'general', name), { recursive: true });
  // Of other ranks than the general adapters.
  rmSync(path.join(folder, 'experts/beta-10'), { recursive: true });
  name('general');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function name(general: string | undefined): void {
  const file = path.join(folder, 'pool.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), general }));
}
const matrices = (id: string) => {
  const { a, b } = readPool(folder)
    .experts.find((expert) => expert.id === id)!
    .adapter.modules.get(module)!;
  return { a: [...a()], b: [...b()] };
};
/** Each file's content stands for its hash. */
const hash = () =>
  poolHash(readPool(folder), { hash: (file) => readFileSync(file).toString('base64'), dataFiles: () => [] });

describe('general adapters', () => {
  it('are subtracted from every expert, as means of A and of B, whatever types they are stored in', () => {
    const subtracted = { Zeta: matrices('Zeta'), 'beta-2': matrices('beta-2') };
    name(undefined);
    const [zeta, alpha, beta] = ['Zeta', 'alpha', 'beta-2'].map(matrices);
    for (const part of ['a', 'b'] as const) {
      const mean = zeta![part].map((x, i) => Math.fround(Math.fround(x + alpha![part][i]!) / 2));
      expect(subtracted.Zeta[part]).toEqual(zeta![part].map((x, i) => Math.fround(x - mean[i]!)));
      expect(subtracted['beta-2'][part]).toEqual(beta![part].map((x, i) => Math.fround(x - mean[i]!)));
    }
  });

  it('are subtracted from an expert that is tried, too', () => {
    const { general } = readPool(folder);
    const alone = path.join(folder, 'experts/beta-2');
    const read = (from: typeof general) => [...readExpertFolder(alone, from).adapter.modules.get(module)!.a()];
    expect(read(general)).toEqual(matrices('beta-2').a);
    expect(read(undefined)).not.toEqual(read(general));
  });

  it('change the pool’s hash, by their weights and their number', () => {
    const both = hash();
    rmSync(path.join(folder, 'general/two'), { recursive: true });
    const one = hash();
    name(undefined);
    expect(new Set([both, one, hash()]).size).toBe(3);
  });

  it('leave out an expert of another rank, with the reason', () => {
    cpSync(path.join(tiny, 'experts/beta-10'), path.join(folder, 'experts/beta-10'), { recursive: true });
    const { experts, leftOut } = readPool(folder);
    expect(experts.map(({ id }) => id)).toEqual(['Zeta', 'alpha', 'beta-2']);
    expect(leftOut.get('beta-10')).toMatchObject({
      code: 'expert-invalid',
      message: expect.stringMatching(
        /general adapters cannot be subtracted.*its rank is \d at model\.layers\./,
      ) as string,
    });
  });

  it.each<[string, RegExp, () => void]>([
    [
      'is damaged',
      /The general adapter "one" cannot be used: adapter_model\.safetensors/,
      () => writeFileSync(path.join(folder, 'general/one/adapter_model.safetensors'), 'nonsense'),
    ],
    [
      'is unlike the others',
      /The general adapter "two" cannot be used: its rank is/,
      () => cpSync(path.join(tiny, 'experts/beta-10'), path.join(folder, 'general/two'), { recursive: true }),
    ],
    [
      'lacks its configuration',
      /The general adapter "two" cannot be used: .*adapter_config\.json/,
      () => rmSync(path.join(folder, 'general/two/adapter_config.json')),
    ],
    [
      'is missing',
      /"general" contains no general adapter/,
      () => ['one', 'two'].forEach((id) => rmSync(path.join(folder, 'general', id), { recursive: true })),
    ],
    ['is named elsewhere', /"nowhere" is missing/, () => name('nowhere')],
  ])('make the pool unusable if one %s', (_, message, spoil) => {
    spoil();
    expect(() => readPool(folder)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message) as string }),
    );
  });
});

describe('an expert without a gate', () => {
  it('is named if others have one: phatgoose never chooses it', () => {
    name(undefined);
    rmSync(path.join(folder, 'experts/alpha/gate.safetensors'));
    expect(readPool(folder).warnings).toMatchObject([{ code: 'gate-missing', expert: 'alpha' }]);
    for (const id of ['Zeta', 'beta-2']) rmSync(path.join(folder, 'experts', id, 'gate.safetensors'));
    expect(readPool(folder)).toMatchObject({ warnings: [], experts: [{}, {}, {}] });
  });
});

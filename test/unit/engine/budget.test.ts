import { expect, it } from 'vitest';
import { affordable } from '../../../src/engine/families/lora-pool/budget.js';
import type { FoundModule } from '../../../src/graph/find.js';
import type { PoolExpert } from '../../../src/pool/pool.js';

const module = (path: string, dIn: number, dOut: number) => ({ path, dIn, dOut, input: 'x' }) as FoundModule;
const q = module('q_proj', 4096, 4096);

/** Only what a header says: its tensors must not be read. */
const expert = (id: string, rank: number, { path, dIn, dOut }: FoundModule = q) =>
  ({ id, adapter: { rank, modules: new Map([[path, { rank, dIn, dOut }]]) } }) as unknown as PoolExpert;
const many = (count: number, rank: number) => Array.from({ length: count }, (_, i) => expert(`e${i}`, rank));

it('leaves out the expert whose rank all others would be padded to, and names it', () => {
  const large = expert('large', 512);
  const { experts, tooLarge } = affordable([[q]], [...many(300, 1), large]);
  expect(experts).toHaveLength(300);
  expect([...tooLarge.keys()]).toEqual(['large']);
  expect(tooLarge.get('large')!.message).toMatch(
    /^all others would be padded to its rank, 512 \(5\.\d GB instead of \d+ MB\)$/,
  );
});

it('leaves out an expert that takes hours by itself', () => {
  const { experts, tooLarge } = affordable([[q]], [...many(3, 8), expert('slow', 4096)]);
  expect(experts.map(({ id }) => id)).toEqual(['e0', 'e1', 'e2']);
  expect(tooLarge.get('slow')!.message).toMatch(/^its rank, 4096, would take hours/);
});

it('takes different ranks if the padding is small, or at most a few times their own size', () => {
  expect(affordable([[q]], [...many(10, 8), expert('large', 128)]).tooLarge.size).toBe(0);
  expect(affordable([[q]], [...many(200, 64), ...many(100, 128)]).tooLarge.size).toBe(0);
});

it('counts a rank above the narrower side as the narrower side', () => {
  const narrow = module('k_proj', 32, 64);
  const wide = expert('wide', 4096, narrow);
  expect(
    affordable([[narrow]], [...Array.from({ length: 300 }, (_, i) => expert(`e${i}`, 1, narrow)), wide]).tooLarge.size,
  ).toBe(0);
});

it('refuses a pool that would fill the machine even without such experts', () => {
  const large = (count: number) => Array.from({ length: count }, (_, i) => module(`m${i}`, 16_384, 16_384));
  const wide = (modules: readonly FoundModule[]) =>
    Array.from({ length: 500 }, (_, i) => ({
      id: `e${i}`,
      adapter: { rank: 16, modules: new Map(modules.map(({ path, dIn, dOut }) => [path, { rank: 16, dIn, dOut }])) },
    })) as unknown as PoolExpert[];
  const one = large(2);
  expect(() => affordable([one], wide(one))).toThrow(/2\.3 GB at modules that share one input; at most 2\.1 GB/);
  const all = large(40);
  expect(() =>
    affordable(
      all.map((each) => [each]),
      wide(all),
    ),
  ).toThrow(/46 GB; at most 34 GB/);
});

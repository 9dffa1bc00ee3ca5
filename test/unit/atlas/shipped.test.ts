/** The two atlases that come with Gander. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { readAbout, readTableOf } from '../../../src/atlas/files/folder.js';
import { bundledModels } from '../../../src/product/bundled.js';

const all = path.join(import.meta.dirname, '../../../atlases');
const of = (name: string) => path.join(all, `${name}.gander-atlas`);

it.each(bundledModels.map(({ folder }) => folder))(
  'of %s is of documents whose packages and licences are listed',
  async (name) => {
    expect(readAbout(of(name)).corpus.labels).toHaveLength(22);
    const listed = readFileSync(path.join(all, 'README.md'), 'utf8');
    const packages = new Set<string>();
    for (const { document } of await readTableOf(of(name), 'documents')) {
      const [, one] = /^(\w+:(?:@[^/]+\/)?[^@]+@[^/]+)\//.exec(String(document)) ?? [];
      expect(one, String(document)).toBeDefined();
      packages.add(one!);
    }
    expect([...packages].filter((one) => !listed.includes(`${one} (`))).toEqual([]);
  },
);

it('of an earlier version, which had no column for routers, is read all the same', async () => {
  const [row] = await readTableOf(of('gosling-moe'), 'experts', { stack: null, layer: 1, router: null, expert: 2 });
  expect(row).toMatchObject({ layer: 1, router: null, expert: 2 });
  expect(await readTableOf(of('gosling-moe'), 'experts', { router: 'mlp' })).toEqual([]);
  expect(readAbout(of('gosling-moe')).layers.every(({ router }) => router === null)).toBe(true);
});

it('takes less than 6 MB', () => {
  const files = readdirSync(all, { recursive: true }) as string[];
  expect(files.reduce((sum, file) => sum + statSync(path.join(all, file)).size, 0)).toBeLessThan(6 * 2 ** 20);
});

it('knows each of the pool’s experts by its own domain', async () => {
  const labels = (await readTableOf(of('smollm2-135m'), 'labels')).filter(({ layer }) => layer === null);
  const best = new Map<unknown, { label: unknown; lift: number }>();
  for (const { name, label, lift } of labels)
    if (Number(lift) > (best.get(name)?.lift ?? -Infinity)) best.set(name, { label, lift: Number(lift) });
  expect(best.size).toBe(12);
  for (const [name, { label }] of best) expect(label).toBe(name);
});

it('is told of as it was found (docs/atlas.md): what is specialised, and that no unit is dead', async () => {
  const told = readFileSync(path.join(all, '../docs/atlas.md'), 'utf8').replaceAll(/\s+/g, ' ');
  const [experts, pool, gosling] = [
    (await readTableOf(of('smollm2-135m'), 'experts')).filter(({ layer }) => layer === null),
    (await readTableOf(of('smollm2-135m'), 'experts')).filter(({ layer }) => layer !== null),
    await readTableOf(of('gosling-moe'), 'experts'),
  ];
  const found = (rows: typeof pool) => rows.filter(({ label }) => label !== null).length;
  expect(found(experts)).toBe(9);
  expect(told).toContain('nine reach the lift of 1');
  expect(told).toContain(
    `Of the ${pool.length} units of its layers ${found(pool)} are specialised in a label, ` +
      `of Gosling’s ${gosling.length} units ${found(gosling)}; no unit is dead.`,
  );
  expect([...pool, ...gosling].filter(({ dead }) => dead === true)).toEqual([]);
});

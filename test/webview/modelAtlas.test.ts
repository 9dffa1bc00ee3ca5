/** What the routing page shows of the atlas of the model in use: names, the way to an expert's page, the load beside the corpus. */
import { expect, test } from 'vitest';
import type { ModelAtlas, UnitKey } from '../../src/protocol/atlas.js';
import { layersOf, sharedModules } from '../../src/trace/model/access.js';
import { besideCorpus } from '../../src/trace/figures/corpus.js';
import { usage, usageIntervals } from '../../src/trace/figures/usage.js';
import type { Intervention, Trace } from '../../src/trace/model/trace.js';
import { description, fabricate } from './fabricate.js';
import { fabricateMoe, moeDescription } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const openPage = pages();

/** An atlas in which all loads are even, but for the names and loads given. */
function atlasOf(
  trace: Trace,
  given: readonly { readonly key: UnitKey; readonly name?: string; readonly isOwn?: boolean; readonly load?: number }[],
) {
  const places = [...layersOf(trace).map(({ layer }) => layer), null].flatMap((layer) => {
    const modules = sharedModules(trace, layer === null ? {} : { layer });
    return modules ? [{ layer, experts: modules.experts }] : [];
  });
  const atlas: ModelAtlas = {
    model: { name: trace.source.name, hash: trace.source.hash ?? null },
    router: { name: trace.router.name, k: trace.router.k ?? null },
    documents: 90,
    units: places.flatMap(({ layer, experts }) =>
      experts.map(({ id }, expert) => {
        const own = given.find(({ key }) => key.layer === layer && key.expert === expert);
        const load = own?.load ?? 1 / experts.length;
        const name = own?.name === undefined ? {} : { name: own.name, ...(own.isOwn && { isOwn: true as const }) };
        const key = { stack: null, layer, router: null, expert };
        return { key, id, ...name, load, low: 0.95 * load, high: 1.05 * load, chance: 1 / experts.length };
      }),
    ),
  };
  return atlas;
}

async function open(trace: Trace, atlas: ModelAtlas | undefined, setup: Setup = {}): Promise<Panel> {
  const panel = await openPage(setup);
  const isPool = trace.expertSets[0]!.scope === 'pool';
  await panel.post({ type: 'pool', description: isPool ? description : moeDescription });
  await panel.post({ type: 'atlas', atlas });
  const { name, k } = trace.router;
  await panel.side('main', {
    title: 'geese.md',
    strategy: { name, ...(k !== undefined && { k }) },
    interventions: [],
    stale: false,
    trace,
  });
  return panel;
}

const moe = fabricateMoe({ layers: 4, experts: 8, k: 2, tokens: 120 });
const modules = sharedModules(moe, { layer: 0 })!;
const busiest = usage(moe, modules).counts.reduce((best, n, e, all) => (n > all[best]! ? e : best), 0);
const named = { key: { stack: null, layer: 0, router: null, expert: busiest }, name: 'closing brackets' };
const corpus = ({ page }: Panel) => page.locator('[data-figure=corpus]');

test('an atlas of too few documents for intervals does not say that differences are chance', async () => {
  const atlas = atlasOf(moe, [{ ...named, load: 0.5 }]);
  const unsure = { ...atlas, units: atlas.units.map((unit) => ({ ...unit, low: null, high: null })) };
  const panel = await open(moe, unsure);
  await panel.press('tab-summary');
  await expect.poll(() => corpus(panel).innerText()).toContain('too few documents to say');
  expect(await corpus(panel).innerText()).not.toContain('chance alone');
});

test('detail, legend and what-if call an expert of a layer as the atlas does, and lead to its page', async () => {
  const panel = await open(moe, atlasOf(moe, [named]));
  const { page } = panel;
  const called = `expert ${busiest} “closing brackets”`;
  const chip = page.locator(`[data-focus=legend-${modules.experts[busiest]!.id.replace(/\W/g, '\\$&')}]`);
  await expect.poll(() => chip.innerText()).toContain('closing brackets');
  await expect.poll(() => chip.getAttribute('title')).toContain(called);
  await chip.click();
  await page.locator('[data-focus=legend-atlas]').click();
  await expect.poll(() => panel.sent('unit')).toEqual([{ type: 'unit', unit: named.key }]);
  await page.locator('#tab-whatIf').click();
  await expect
    .poll(() => page.locator('[data-focus=whatif-expert]').locator('option').allInnerTexts())
    .toContain(called);
  await page.locator('[data-focus=whatif-expert]').selectOption({ label: called });
  await page.locator('.tabBody .inAtlas').getByRole('button', { name: called }).click();
  await expect.poll(() => panel.sent('unit')).toHaveLength(2);
  // A token that went to it.
  const token = Array.from({ length: 120 }, (_, t) => t).find((t) =>
    moe.blocks[0]!.chosen.subarray(t * 2, t * 2 + 2).includes(busiest),
  )!;
  await panel.post({ type: 'select', token, module: 0 });
  await page.locator('#tab-cell').click();
  await page.locator('.tabBody .inAtlas').getByRole('button', { name: called }).click();
  await expect.poll(() => panel.sent('unit')).toHaveLength(3);
  await expect.poll(() => page.locator('[data-figure=routerLogits] .chart').innerText()).toContain('closing brackets');
  await picture(page, 'modelAtlas-detail');
});

test('an expert of a layer has one name in Detail, and what is quoted in it is explained beside the way to the atlas', async () => {
  const called = `expert ${busiest} “closing brackets”`;
  const token = Array.from({ length: 120 }, (_, t) => t).find((t) =>
    moe.blocks[0]!.chosen.subarray(t * 2, t * 2 + 2).includes(busiest),
  )!;
  for (const isOwn of [false, true]) {
    const atlas = atlasOf(moe, [{ ...named, ...(isOwn && { isOwn }) }]);
    const panel = await open(moe, atlas, { width: 1440, height: 900 });
    const body = panel.page.locator('.tabBody');
    await panel.post({ type: 'select', token, module: 0 });
    await expect.poll(() => body.locator('.sentence').first().innerText()).toContain(called);
    await expect.poll(() => body.locator('.inAtlas button').allInnerTexts()).toContain(called);
    await expect
      .poll(() => body.locator('.inAtlas').innerText())
      .toContain(isOwn ? 'In quotes: the name that the expert was given' : 'In quotes: the kind of text');
    // In the bars it has room.
    const bar = body.locator('[data-figure=routerLogits] .bar .name', { hasText: 'closing brackets' });
    await expect.poll(() => bar.innerText()).toBe(called);
    expect(await bar.evaluate((one) => one.scrollWidth - one.clientWidth)).toBeLessThanOrEqual(0);
    await body.locator('[data-focus=detail-token]').click();
    await expect.poll(() => body.locator('.rung').first().getAttribute('title')).toBeTruthy();
    const rungs = await body.locator('.rung').evaluateAll((all) => all.map((one) => one.getAttribute('title')!));
    expect(rungs.filter((title) => title.includes('closing')).every((title) => title.includes(called))).toBe(true);
  }
});

test('a chip of the legend says an expert’s own name first, then what the atlas calls it unless that is the same, and what that is', async () => {
  const pool = fabricate({ tokens: 200 });
  const { experts } = sharedModules(pool)!;
  const [first, second] = [experts[0]!, experts[1]!];
  const at = (expert: number, name: string) => ({ key: { stack: null, layer: null, router: null, expert }, name });
  const atlas = atlasOf(pool, [at(0, first.name.toUpperCase()), at(1, `${second.name}-inline`)]);
  const panel = await open(pool, atlas);
  const chip = (id: string) => panel.page.locator(`[data-focus="legend-${id}"]`);
  await expect.poll(() => chip(first.id).getAttribute('title')).toContain(`${first.name}:`);
  expect(await chip(first.id).locator('.called').count()).toBe(0);
  const quoted = `“${second.name}-inline”`;
  await expect.poll(() => chip(second.id).getAttribute('title')).toContain(`${second.name} ${quoted}:`);
  await expect.poll(() => chip(second.id).getAttribute('title')).toMatch(/In quotes: the kind of text/);
  expect(await chip(second.id).locator('.name, .unseen, .called').allInnerTexts()).toEqual([second.name, quoted]);
});

test('an atlas of another model says nothing, and one that goes takes its names along', async () => {
  const other = { ...atlasOf(moe, [named]), model: { name: 'another', hash: null } };
  const panel = await open(moe, other);
  const names = () => panel.page.locator('.legend').innerText();
  await panel.settled();
  expect(await names()).not.toContain('closing brackets');
  await panel.page.locator('#tab-summary').click();
  await panel.page.locator('[data-figure=usage]').waitFor();
  expect(await corpus(panel).count()).toBe(0);
  await panel.post({ type: 'atlas', atlas: atlasOf(moe, [named]) });
  await expect.poll(names).toContain('closing brackets');
  await corpus(panel).waitFor();
  await panel.post({ type: 'atlas', atlas: undefined });
  await expect.poll(names).not.toContain('closing brackets');
});

test('the summary says which experts the text takes more or less often than the corpus, with both intervals', async () => {
  const pool = fabricate({ tokens: 200 });
  const experts = sharedModules(pool)!;
  const own = usage(pool, experts);
  const most = own.share.reduce((best, x, e, all) => (x > all[best]! ? e : best), 0);
  const atlas = atlasOf(pool, [
    { key: { stack: null, layer: null, router: null, expert: most }, load: own.share[most]! / 3 },
  ]);
  const panel = await open(pool, atlas);
  const { page } = panel;
  await page.locator('#tab-summary').click();
  await expect.poll(() => corpus(panel).innerText()).toContain(`90 documents of the atlas of ${pool.source.name}.`);
  await expect.poll(() => corpus(panel).locator('.mark').first().innerText()).toBe('↑ 3.0×');
  await picture(page, 'modelAtlas-corpus');
  await corpus(panel).locator('[data-focus=save-corpus]').click();
  // Its figure has what its caption says: arrows, and what pale bars are.
  expect(await page.locator('.figureCaption').innerText()).toContain('Arrows:');
  await page.locator('[data-focus=figure-svg]').click();
  await expect.poll(() => panel.sent('save')).toHaveLength(1);
  const figure = (await panel.sent('save'))[0]!;
  const svg = figure.kind === 'svg' ? figure.data : '';
  for (const text of ['↑ 3.0×', 'may be chance', 'Over the corpus']) expect(svg).toContain(`>${text}</text>`);
  await page.locator('[data-focus=figure-close]').click();
  await corpus(panel).locator('[data-focus=table-corpus]').click();
  const rows = besideCorpus(
    own,
    usageIntervals(pool, experts),
    experts.experts.map(({ id }) => atlas.units.find((unit) => unit.key.layer === null && unit.id === id)),
  );
  const first = corpus(panel).locator('tbody tr').first().locator('th, td');
  const share = `${Math.round(100 * own.share[most]!)}%`;
  const cells = await first.allInnerTexts();
  expect(cells[0]).toBe(experts.experts[most]!.name);
  expect(cells[1]).toBe(share);
  expect(cells.slice(5)).toEqual(['3.0×', 'more']);
  const said = await corpus(panel).locator('tbody tr td:last-child').allInnerTexts();
  expect(said).toEqual(rows.map(({ apart }) => apart ?? 'may be chance'));
  await first.first().getByRole('button').click();
  await expect
    .poll(() => panel.sent('unit'))
    .toEqual([{ type: 'unit', unit: { stack: null, layer: null, router: null, expert: most } }]);
});

test('a text of few tokens is said to be too short, and one that was routed otherwise is not compared', async () => {
  const short = fabricate({ tokens: 12 });
  const panel = await open(short, atlasOf(short, []));
  await panel.page.locator('#tab-summary').click();
  await expect.poll(() => corpus(panel).innerText()).toContain('Too short to say');
  expect(await corpus(panel).locator('.mark').allInnerTexts()).not.toContain('↑');
  const otherwise = { ...atlasOf(short, []), router: { name: 'arrow', k: 3 } };
  await panel.post({ type: 'atlas', atlas: otherwise });
  // By the model, as everywhere else in the panel.
  await expect
    .poll(() => corpus(panel).innerText())
    .toContain(`The corpus of the atlas of ${short.source.name} was routed with Arrow, k = 3`);
  expect(await corpus(panel).locator('.bars').count()).toBe(0);
  // A what-if routes otherwise, too.
  const forced = fabricate({ tokens: 60, interventions: [{ action: 'force', expert: 'rust', scope: {} }] });
  await panel.post({ type: 'atlas', atlas: atlasOf(short, []) });
  await panel.show(forced);
  await expect.poll(() => corpus(panel).innerText()).toContain('was routed without a what-if. Undo this run’s');
  expect(await corpus(panel).locator('.bars').count()).toBe(0);
});

testMany(
  ['dark', 'light', 'high-contrast', 'high-contrast-light'] as const,
  'is readable in %s, and nothing that axe finds serious is in it',
  async (theme) => {
    for (const [width, height] of [
      [460, 600],
      [900, 600],
    ] as const) {
      const panel = await open(moe, atlasOf(moe, [named]), { theme, width, height });
      await panel.page.locator('#tab-summary').click();
      await corpus(panel).scrollIntoViewIfNeeded();
      expect(await panel.serious()).toEqual([]);
      await picture(panel.page, `modelAtlas-${theme}-${width}`);
    }
  },
);

testMany(
  [
    { width: 460, height: 628 },
    { width: 460, height: 628, theme: 'high-contrast' },
    { width: 460, height: 628, theme: 'light' },
    { width: 1230, height: 640 },
  ] as const,
  'all numbers of a what-if are in view with a token selected and an atlas there: %o',
  async (setup) => {
    const trace = fabricate();
    const interventions: Intervention[] = [{ action: 'knock-out', expert: 'html', scope: {} }];
    const panel = await open(trace, atlasOf(trace, []), setup);
    const { page } = panel;
    await panel.post({ type: 'textVisible', is: true });
    await panel.post({ type: 'select', token: 60 });
    const list = page.locator('select[data-focus=tabs]');
    if ((await list.count()) > 0) await list.selectOption('whatIf');
    else await page.locator('#tab-whatIf').click();
    await page.locator('.tabBody .inAtlas').waitFor();
    await page.locator('[data-focus=whatif-apply]').click();
    await panel.show(fabricate({ interventions }), { before: trace });
    const last = page.locator('[data-figure=effect] dd').last();
    await expect.poll(() => last.evaluate((one) => one.getBoundingClientRect().bottom <= innerHeight)).toBe(true);
    await picture(page, `what-if-numbers-${setup.width}${'theme' in setup ? `-${setup.theme}` : ''}`);
    expect(await page.locator('.page').evaluate((one) => one.scrollTop)).toBe(0);
    // The way into the atlas follows the result.
    await expect
      .poll(() =>
        page.evaluate(() => {
          const [link, result] = ['.tabBody .inAtlas', '[data-figure=effect]'].map((one) =>
            document.querySelector(one)!,
          );
          return (result!.compareDocumentPosition(link!) & Node.DOCUMENT_POSITION_FOLLOWING) > 0;
        }),
      )
      .toBe(true);
  },
);

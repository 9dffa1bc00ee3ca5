/** The page's layout in windows of the sizes that people have: nothing overlaps, and everything can be reached. */
import { describe, expect, test } from 'vitest';
import type { Intervention } from '../../src/trace/model/trace.js';
import { boxes, overlaps, unreachable } from './boxes.js';
import { fabricate } from './fabricate.js';
import { fabricateMoe } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';
import { themeNames } from './themes.js';

const openPage = pages();
let panel: Panel;

async function open(setup: Setup): Promise<void> {
  panel = await openPage(setup);
}

const main = fabricate();
const interventions: Intervention[] = [
  { action: 'knock-out', expert: 'html', scope: {} },
  { action: 'force', expert: 'go', scope: { layer: 3 } },
];
const changed = fabricate({ interventions });

/** Pages with different amounts to show. */
const loads = {
  plain: async () => {
    await panel.show(main);
    await panel.post({ type: 'textVisible', is: true });
    await panel.post({ type: 'select', token: 60, module: 100 });
  },
  full: async () => {
    await panel.show(changed, { before: main, stale: true });
    await panel.show(fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } }), { title: 'Arrow' }, 'other');
    await panel.post({ type: 'select', token: 60, module: 100 });
  },
} as const;
type Load = keyof typeof loads;

const root = () => panel.page.locator(':root');

const sizes: readonly (Setup & { readonly name: string })[] = [
  { name: 'narrow', width: 400, height: 780 },
  { name: 'alone at 1440×900', width: 1390, height: 820 },
  { name: 'beside an editor at 1440×900', width: 700, height: 780 },
  { name: 'beside an editor at 1440×900, wide', width: 760, height: 780 },
  { name: 'beside an editor at 1280×720', width: 620, height: 600 },
  { name: 'alone at 1280×720', width: 1230, height: 640 },
  { name: '820×700', width: 820, height: 700 },
  { name: '1000×800', width: 1000, height: 800 },
  { name: 'beside an editor at 150 %', width: 467, height: 520, scale: 1.5 },
  { name: 'alone at 150 %', width: 960, height: 547, scale: 1.5 },
];

describe.each(Object.keys(loads) as Load[])('a %s page', (load) => {
  const run = async (setup: Setup) => {
    await open(setup);
    await loads[load]();
    await panel.settled();
    await picture(panel.page, `layout-${setup.width}x${setup.height}-${load}`);
    await expect.poll(async () => overlaps(await boxes(root()))).toEqual([]);

    const map = (await panel.page.locator('.plot').boundingBox())!;
    expect(map.height).toBeGreaterThanOrEqual(Math.max(260, 0.45 * setup.height!) - 0.5);
    const legend = (await panel.page.locator('.legend').boundingBox())!;
    expect(legend.height).toBeLessThan(40);
    await expect.poll(() => panel.page.evaluate(() => document.documentElement.scrollWidth)).toBe(setup.width);

    expect(await unreachable(root())).toEqual([]);
    // At every scroll position; only the views' text may be under their tabs.
    for (const share of [0.5, 1]) {
      await panel.page.evaluate((part) => {
        for (const scroller of document.querySelectorAll('.page, .left, .tabBody'))
          scroller.scrollTop = part * (scroller.scrollHeight - scroller.clientHeight);
      }, share);
      await panel.settled();
      const found = overlaps(await boxes(root()));
      expect(found.filter((pair) => pair !== 'tabs over tabBody')).toEqual([]);
    }
    const tabs = (await panel.page.locator('.tabs').boundingBox())!;
    expect(tabs.y).toBeGreaterThan(0);
    expect(tabs.y + tabs.height).toBeLessThanOrEqual(setup.height!);
  };
  testMany(sizes, '$name', run, { quick: 2 });
});

describe('no text is cut off', () => {
  /** The matching texts that have too little room, or are not shown at all. */
  const cut = (selector: string) =>
    panel.page
      .locator(selector)
      .evaluateAll((all) =>
        all.length === 0
          ? ['none']
          : all
              .filter((one) => one.scrollWidth > one.clientWidth || !one.checkVisibility())
              .map((one) => one.textContent),
      );

  test.each(['geese.md', 'session_store_of_geese.ts'])(
    'at 400 px: %s, its tokens and what colours it',
    async (title) => {
      await open({ width: 400, height: 780 });
      await panel.show(main, { title });
      await expect.poll(() => cut('.title h1, .title .faint:not(.pool)')).toEqual([]);
      await expect.poll(() => panel.page.locator('.colourBy').innerText()).toContain('Colour by');
      await expect.poll(async () => (await panel.page.locator('.legend').boundingBox())!.height).toBeLessThan(40);
      await expect.poll(async () => overlaps(await boxes(root()))).toEqual([]);
    },
  );

  test('the number of tokens has room, however long a name is', async () => {
    for (const width of [400, 460, 620]) {
      await open({ width, height: 780 });
      await panel.show(main, { title: `${'long_'.repeat(30)}.ts` });
      await expect.poll(() => cut('.title .faint:not(.pool)'), { message: `${width}` }).toEqual([]);
      await expect.poll(async () => overlaps(await boxes(root()))).toEqual([]);
    }
  });

  testMany([400, 600, 760], 'the hint under the map of a mixture at %i px', async (width) => {
    await open({ width, height: 780 });
    await panel.show(fabricateMoe());
    await expect.poll(() => panel.page.locator('.strip').innerText()).toContain('Click');
    await expect.poll(() => cut('.strip')).toEqual([]);
    await expect.poll(async () => overlaps(await boxes(root()))).toEqual([]);
  });
});

describe('beside its editor', { tags: ['slow'] }, () => {
  const beside: Setup = { width: 700, height: 780 };

  test('the text is folded while its editor is visible, and the user’s choice stays', async () => {
    await open(beside);
    await panel.show(main);
    await expect.poll(() => panel.page.locator('.tokens').count()).toBe(1);
    await panel.post({ type: 'textVisible', is: true });
    await expect.poll(() => panel.page.locator('.tokens').count()).toBe(0);
    await expect.poll(() => panel.page.locator('.folded').innerText()).toContain('Text: shown in geese.md');
    // A selection in the editor still selects in the map.
    await panel.post({ type: 'select', token: 40, module: 3 });
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain('token 41 of 266');
    await panel.page.locator('[data-focus=text-show]').click();
    await panel.settled();
    await expect.poll(() => panel.page.locator('.t.selected').getAttribute('data-i')).toBe('40');
    await panel.reload();
    await panel.show(main);
    await panel.post({ type: 'textVisible', is: true });
    await expect.poll(() => panel.page.locator('.t').count()).toBe(266);
    await panel.page.locator('[data-focus=text-fold]').click();
    await panel.post({ type: 'textVisible', is: false });
    await expect.poll(() => panel.page.locator('.tokens').count()).toBe(0);
    await expect.poll(() => panel.page.locator('.folded').innerText()).toContain('Text: folded');
  });

  test('scroll positions stay while the editor’s cursor moves', async () => {
    await open(beside);
    await panel.show(main);
    await panel.page.locator('#tab-summary').click();
    await panel.page.locator('.page').evaluate((page) => {
      page.scrollTop = 600;
    });
    const height = async () => (await panel.page.locator('[data-figure=usage]').boundingBox())!.y;
    const before = await height();
    await panel.post({ type: 'select', token: 250 });
    await expect.poll(async () => Math.abs((await height()) - before)).toBeLessThan(1.5);
    // The tabs can still be reached; the chosen one starts at its top.
    await panel.page.locator('#tab-cell').click();
    await panel.settled();
    const [tabs, title] = [
      (await panel.page.locator('.tabs').boundingBox())!,
      (await panel.page.locator('.tabBody > *').first().boundingBox())!,
    ];
    expect(title.y).toBeGreaterThanOrEqual(tabs.y + tabs.height);
  });

  test('the map can fill the panel; Escape leaves', async () => {
    await open(beside);
    await panel.show(main);
    await panel.page.locator('[data-focus=grid-maximise]').click();
    await panel.settled();
    await expect.poll(async () => (await panel.page.locator('.plot').boundingBox())!.height).toBeGreaterThan(600);
    await expect.poll(() => panel.page.locator('.tabs').count()).toBe(0);
    await expect.poll(async () => overlaps(await boxes(root()))).toEqual([]);
    await picture(panel.page, 'layout-maximised');
    await panel.reload();
    await panel.show(main);
    await expect.poll(() => panel.page.locator('.tabs').count()).toBe(0);
    // From the map itself, and from anywhere else.
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('Escape');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.tabs').count()).toBe(1);
    await panel.page.locator('[data-focus=grid-maximise]').click();
    await panel.page.keyboard.press('Escape');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.tabs').count()).toBe(1);
  });

  test('experts that do not fit on the line are behind a button', async () => {
    await open(beside);
    await panel.show(main);
    const chips = () =>
      panel.page
        .locator('.legend .oneLine > *')
        .evaluateAll((all) => all.filter((one) => one.checkVisibility({ visibilityProperty: true })).length);
    const shown = await chips();
    expect(shown).toBeGreaterThan(3);
    expect(shown).toBeLessThan(12);
    const more = panel.page.locator('[data-focus=legend-more]');
    await expect.poll(() => more.innerText()).toBe(`+${12 - shown}`);
    // The expert that the explorer asks for is on the line, whichever it is.
    await panel.post({ type: 'filter', expert: 'css' });
    await expect.poll(() => panel.page.locator('[data-focus=legend-css]').isVisible()).toBe(true);
    await expect.poll(async () => (await panel.page.locator('.legend').boundingBox())!.height).toBeLessThan(40);
    await more.click();
    await panel.settled();
    await expect.poll(() => chips()).toBe(12);
    await panel.resize(700, 700);
    await more.click();
    await panel.resize(460, 700);
    await expect.poll(() => chips()).toBeLessThan(shown);
  });

  test('what does not fit in the header is in a menu', async () => {
    await open(beside);
    await panel.show(main);
    await expect.poll(async () => (await panel.page.locator('.headBar').boundingBox())!.height).toBeLessThan(30);
    await panel.page.locator('[data-focus=head-more]').click();
    await panel.page.locator('[data-focus=head-generate]').click();
    await panel.settled();
    await expect.poll(() => panel.page.locator('[data-focus=generate-start]').isVisible()).toBe(true);
    await panel.resize(400, 700);
    await panel.page.locator('[data-focus=head-more]').click();
    await panel.page.locator('[data-focus=head-compare]').click();
    await panel.settled();
    // There the tabs are a drop-down list.
    const tabs = panel.page.locator('select[data-focus=tabs]');
    await expect.poll(() => tabs.inputValue()).toBe('compare');
    await tabs.selectOption('summary');
    await panel.page.locator('[data-figure=usage]').waitFor();
    expect(await panel.serious()).toEqual([]);
  });
});

describe('pictures to look at', { tags: ['slow'] }, () => {
  testMany(
    themeNames.slice(0, 3).flatMap((theme) => [400, 700].map((width) => ({ theme, width }))),
    '$theme $width',
    async ({ theme, width }) => {
      await open({ theme, width, height: 780 });
      await loads.plain();
      await panel.settled();
      await picture(panel.page, `layout-${theme}-${width}`);
      await loads.full();
      await panel.settled();
      await picture(panel.page, `layout-${theme}-${width}-full`);
    },
  );
});

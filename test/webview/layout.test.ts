/** The page's layout in windows of the sizes that people have: nothing overlaps, and everything can be reached. */
import { describe, expect, test } from 'vitest';
import type { Intervention } from '../../src/trace/model/trace.js';
import { boxes, overlaps, unreachable } from './boxes.js';
import { description, fabricate, fabricateAttribution, widen } from './fabricate.js';
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
    await panel.post({ type: 'pinned', is: false });
    await panel.post({ type: 'textVisible', is: true });
    await panel.post({ type: 'select', token: 60, module: 100 });
  },
  full: async () => {
    await panel.show(changed, { before: main, stale: true });
    await panel.post({ type: 'pinned', is: true });
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
    // Above the tabs it gives way to what these show.
    const isStacked = setup.width! <= 820;
    expect(map.height).toBeGreaterThanOrEqual(isStacked ? 160 : Math.max(220, 0.4 * setup.height!) - 0.5);
    const legend = (await panel.page.locator('.legend').boundingBox())!;
    // The choice of colours and the chips have a line each where one is too short for both.
    expect(legend.height).toBeLessThan(isStacked && setup.height! < 700 ? (setup.width! > 600 ? 34 : 58) : 100);
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

/** What is in view at the sizes that a panel has beside an editor, alone, zoomed in and on a narrow screen, without scrolling. */
describe('in view, without scrolling', () => {
  const windows: readonly (Setup & { readonly name: string; readonly isBeside: boolean })[] = [
    { name: 'beside an editor at 1280×720', width: 460, height: 600, isBeside: true },
    { name: 'alone', width: 900, height: 600, isBeside: false },
    { name: 'beside an editor at 1440×900', width: 580, height: 780, isBeside: true },
    { name: 'beside an editor at 1920×1080', width: 600, height: 960, isBeside: true },
    { name: 'alone at 1280×720', width: 1280, height: 640, isBeside: false },
    { name: 'at 150 %', width: 306, height: 400, scale: 1.5, isBeside: true },
    { name: 'at 400 px', width: 400, height: 700, isBeside: true },
  ];
  const tabs = ['cell', 'summary', 'predictions', 'whatIf', 'lens', 'compare'] as const;
  /** What a click on a tab must show: a form's button, or a whole figure. */
  const first: Partial<Record<(typeof tabs)[number], string>> = {
    whatIf: '[data-focus=whatif-apply]',
    lens: '[data-focus=lens]',
    compare: '[data-focus=compare-now]',
  };

  /** The elements that are not wholly in the window, and in no part of it that scrolled them away. */
  const outOfView = (selector: string) =>
    panel.page.locator(selector).evaluateAll((all) =>
      all
        .filter((one) => {
          const { left, top, right, bottom } = one.getBoundingClientRect();
          const clip = one.matches(':popover-open') ? undefined : one.closest('.tabBody')?.getBoundingClientRect();
          return left < 0 || top < (clip?.top ?? 0) || right > innerWidth || bottom > innerHeight;
        })
        .map((one) => `${one.getAttribute('class')} ${JSON.stringify(one.getBoundingClientRect())}`),
    );

  async function show({ isBeside, ...setup }: (typeof windows)[number]): Promise<void> {
    await open(setup);
    await panel.show(main);
    await panel.post({ type: 'textVisible', is: isBeside });
    await panel.settled();
  }

  async function choose(tab: string): Promise<void> {
    const list = panel.page.locator('select[data-focus=tabs]');
    if ((await list.count()) > 0) await list.selectOption(tab);
    else await panel.page.locator(`#tab-${tab}`).click();
    await panel.settled();
  }

  testMany(
    windows,
    '$name: the map, all tabs and what the open one shows first',
    async (window) => {
      await show(window);
      const isSmall = window.height! <= 400;
      await expect.poll(() => outOfView('.plot')).toEqual([]);
      await panel.post({ type: 'select', token: 60, module: 100 });
      for (const tab of tabs) {
        await choose(tab);
        if (tab === 'lens') await panel.page.locator('[data-focus=lens]').waitFor();
        await picture(panel.page, `layout-${window.width}-${tab}`);
        const message = `${window.name}: ${tab}`;
        await expect.poll(() => outOfView('.plot, .tabs, .tab'), { message }).toEqual([]);
        expect((await panel.page.locator('.plot').boundingBox())!.height).toBeGreaterThanOrEqual(160);
        // A figure as a whole, or its first line where there is room for no more.
        const line = '.tabBody > :first-child :is(h2, h3), .tabBody > h3:first-child';
        const wanted = first[tab] ?? (isSmall ? line : '.tabBody > .figure >> nth=0');
        await expect.poll(() => panel.page.locator(wanted).count(), { message }).toBeGreaterThan(0);
        await expect.poll(() => outOfView(wanted), { message }).toEqual([]);
        await expect.poll(async () => overlaps(await boxes(root())), { message }).toEqual([]);
        await expect.poll(() => cut('.title .faint:not(.pool), .tab, .button:not(.strip)'), { message }).toEqual([]);
      }
      expect(await panel.serious()).toEqual([]);
    },
    { quick: 2 },
  );

  /** What a click on Apply or Compare must leave in view: what colours the map, three of its rows, and how the answer begins. */
  async function expectAnswer(figure: string, message: string): Promise<void> {
    const numbers = `[data-figure=${figure}]`;
    await panel.page.locator(`${numbers} dl`).waitFor();
    await panel.settled();
    const seen = `.colourBy, .plot, .tabs, ${numbers} h3 >> nth=0`;
    await picture(panel.page, `answer-${message}`);
    for (const one of seen.split(', ')) await expect.poll(() => outOfView(one), { message }).toEqual([]);
    await expect.poll(() => outOfView(`${numbers} dd >> nth=0`), { message }).toEqual([]);
    expect((await panel.page.locator('.plot').boundingBox())!.height).toBeGreaterThanOrEqual(100);
    await expect.poll(() => panel.page.locator('.page').evaluate((page) => page.scrollTop)).toBe(0);
    await expect.poll(async () => overlaps(await boxes(root())), { message }).toEqual([]);
  }

  testMany(
    windows.filter(({ height }) => height! > 400),
    '$name: after Apply and after Compare, the map’s head and how the answer begins',
    async (window) => {
      await show(window);
      await panel.post({ type: 'select', token: 60, module: 100 });
      await choose('whatIf');
      await panel.page.locator('[data-focus=whatif-apply]').click();
      await panel.show(main, { interventions, running: { what: 'route', done: 10, total: 266 } });
      await panel.show(changed, { before: main });
      await expectAnswer('effect', `${window.width}-what-if`);
      // Asked again from further down, where the page scrolls.
      if (window.isBeside)
        await panel.page.locator('.page').evaluate((page) => {
          page.scrollTop = 30;
        });
      await panel.page.locator('[data-focus=whatif-apply]').click();
      await panel.show(changed, { interventions, running: { what: 'route', done: 10, total: 266 } });
      await panel.show(changed, { before: main });
      await expectAnswer('effect', `${window.width}-again`);

      // With the text, which takes room from the map.
      await show(window);
      await panel.post({ type: 'textVisible', is: false });
      await choose('whatIf');
      await panel.page.locator('[data-focus=whatif-apply]').click();
      await panel.show(changed, { before: main });
      await expectAnswer('effect', `${window.width}-with-text`);
      await choose('cell');
      const map = (await panel.page.locator('.plot').boundingBox())!;
      expect(map.height).toBeGreaterThanOrEqual(160);

      // And with what the model wrote.
      const given = main.sequences[0]!.text!.length - 90;
      await show(window);
      await panel.post({ type: 'textVisible', is: false });
      await panel.show(main, { given });
      await panel.page.locator('.writtenBar').waitFor();
      await choose('whatIf');
      await panel.page.locator('[data-focus=whatif-apply]').click();
      await panel.show(main, { given, interventions, running: { what: 'route', done: 10, total: 266 } });
      await panel.show(changed, { given, before: main });
      await expectAnswer('effect', `${window.width}-with-written`);

      await show(window);
      await choose('compare');
      await panel.page.locator('[data-focus=compare-now]').click();
      await panel.show(fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } }), { title: 'Arrow' }, 'other');
      await expectAnswer('agreement', `${window.width}-compare`);
    },
    { quick: 2 },
  );

  testMany(
    [
      ...windows.filter(({ height }) => height! > 400),
      { name: 'with the wider half at 1280×720', width: 700, height: 600, isBeside: true },
    ],
    '$name: when a comparison comes that the page has not asked for, as from Run History, how it begins, too',
    async (window) => {
      const given = main.sequences[0]!.text!.length - 90;
      for (const is of [true, false]) {
        await show(window);
        await panel.post({ type: 'textVisible', is });
        await panel.show(changed, { given, before: main });
        await panel.post({ type: 'select', token: 60, module: 100 });
        await panel.page.locator('[data-focus=head-more]').focus();
        await panel.show(main, { given, title: 'PHATGOOSE, 2 experts per token' }, 'other');
        await expectAnswer('agreement', `${window.width}-finished-${is ? 'folded' : 'text'}`);
        // Who goes on with the keyboard does so where they were.
        expect(await panel.page.evaluate(() => document.activeElement?.getAttribute('data-focus'))).toBe('head-more');
      }
    },
    { quick: 2 },
  );

  testMany(
    windows.filter(({ width }) => width! > 306),
    '$name: after Knock Out Experts in Turn, the chart of the attribution',
    async (window) => {
      await show(window);
      await choose('whatIf');
      await panel.page.locator('[data-focus=attribute]').click();
      await panel.show(main, { running: { what: 'attribute', done: 10, total: 266 } });
      await panel.show(main, { attribution: fabricateAttribution(main) });
      await panel.page.locator('[data-figure=attribution] .bars').waitFor();
      await panel.settled();
      await picture(panel.page, `attributed-${window.width}`);
      const bars = '[data-figure=attribution] .bar';
      const inView = async () => (await panel.page.locator(bars).count()) - (await outOfView(bars)).length;
      await expect.poll(inView).toBeGreaterThanOrEqual(4);
    },
  );

  testMany(
    [
      ...windows.filter(({ width }) => width! > 306),
      { name: 'with the wider half at 1280×720', width: 610, height: 623, isBeside: true },
    ],
    '$name: after that under a what-if, whose effect stays meanwhile, the chart, too',
    async (window) => {
      await show(window);
      const before = { before: main, interventions };
      await panel.show(changed, before);
      await choose('whatIf');
      const attribute = panel.page.locator('[data-focus=attribute]');
      await attribute.scrollIntoViewIfNeeded();
      await attribute.click();
      await panel.show(changed, { ...before, running: { what: 'attribute', done: 10, total: 266 } });
      await panel.settled();
      expect(await panel.page.locator('[data-figure=effect] .numbers').count()).toBe(1);
      const running = { what: 'attribute', done: 266, total: 266 } as const;
      await panel.show(changed, { ...before, running, attribution: fabricateAttribution(changed) });
      await panel.show(changed, { ...before, attribution: fabricateAttribution(changed) });
      await panel.page.locator('[data-figure=attribution] .bars').waitFor();
      await panel.settled();
      await picture(panel.page, `attributed-whatif-${window.width}`);
      expect(await outOfView('[data-figure=attribution] h3')).toEqual([]);
      const bars = '[data-figure=attribution] .bar';
      const inView = async () => (await panel.page.locator(bars).count()) - (await outOfView(bars)).length;
      await expect.poll(inView).toBeGreaterThanOrEqual(4);
    },
  );

  test('beside an editor at 1920×1080: a long chart in one tab does not leave a low map above the blank of the next', async () => {
    await show(windows.find(({ name }) => name.includes('1920'))!);
    const wide = widen(main, 24);
    await panel.show(wide);
    const height = async () => (await panel.page.locator('.plot').boundingBox())!.height;
    await choose('whatIf');
    await panel.page.locator('[data-focus=attribute]').click();
    const { experts } = wide.expertSets[0]!;
    const change = Float32Array.from(
      { length: experts.length * wide.sequences[0]!.tokens.count },
      (_, i) => -(i % 24) / 24,
    );
    await panel.show(wide, { attribution: { experts, logProb: wide.sequences[0]!.logProb!, change } });
    await expect.poll(() => panel.page.locator('[data-figure=attribution] .bar').count()).toBe(24);
    await expect.poll(height).toBeLessThan(200);
    await choose('lens');
    await picture(panel.page, 'kept-lens');
    await expect.poll(height).toBeGreaterThanOrEqual(280);
  });

  testMany(
    windows,
    '$name: one row of controls, the legend as one line or whole, at most 8 Tab stops',
    async (window) => {
      await show(window);
      const middles = await panel.page
        .locator('.actions :is(button, select, input):visible')
        .evaluateAll((all) => all.map((one) => one.getBoundingClientRect()).map(({ top, height }) => top + height / 2));
      expect(Math.max(...middles) - Math.min(...middles)).toBeLessThan(3);
      await expect.poll(() => panel.page.locator('.title').innerText()).toContain(description.name);
      const chips = await panel.page
        .locator('.legend .chip')
        .evaluateAll((all) =>
          all.map((one) => ({ y: one.getBoundingClientRect().y, isShown: getComputedStyle(one).opacity === '1' })),
        );
      expect(chips).toHaveLength(12);
      const shown = chips.filter(({ isShown }) => isShown);
      // What is chosen is named, at every size: the text, the strategy and, with the subject of the choice, what colours the map.
      await expect.poll(() => cut('.title h1, .strategy .choice, .colourBy .what')).toEqual([]);
      const named = await panel.page
        .locator('.legend .chip:not(.out) .name')
        .evaluateAll((all) => all.filter((one) => one.clientWidth > 20 && one.scrollWidth <= one.clientWidth).length);
      expect(named).toBeGreaterThanOrEqual(2);
      const isLine = window.width! <= 820 && window.height! < 700;
      if (isLine) {
        // Beside an editor on a screen of 1280×720, and in any wider panel, most of twelve experts.
        expect(shown.length).toBeGreaterThanOrEqual(window.width! >= 440 ? 9 : 3);
        expect(new Set(chips.map(({ y }) => y)).size).toBe(1);
        await expect
          .poll(() => panel.page.locator('[data-focus=legend-more]').innerText())
          .toBe(shown.length < 12 ? `+${12 - shown.length}` : '…');
      } else expect(shown).toHaveLength(12);

      await panel.page.locator('body').evaluate((body) => {
        body.tabIndex = -1;
        body.focus();
      });
      const stops: string[] = [];
      const focused = () => panel.page.evaluate(() => document.activeElement!.className);
      while (!stops.includes('cell') && stops.length < 30) {
        await panel.page.keyboard.press('Tab');
        stops.push(await focused());
      }
      expect(stops.at(-1)).toBe('cell');
      expect(stops.length).toBeLessThanOrEqual(8);
    },
  );

  testMany(
    [...windows].reverse(),
    '$name: with several notices at once',
    async (window) => {
      await show(window);
      const warnings = [{ text: 'Only 11 text tokens were seen.' }] as unknown as typeof description.warnings;
      await panel.show(fabricate({ done: 200 }), { model: 'Goose 7B', stale: true, fresh: 40 });
      await panel.post({ type: 'pool', description: { ...description, warnings } });
      await panel.post({ type: 'select', token: 60, module: 100 });
      await choose('summary');
      await picture(panel.page, `notices-${window.width}`);
      const line = '.tabBody > :first-child :is(h2, h3), .tabBody > h3:first-child';
      await expect.poll(() => outOfView(`.news, .plot, .tabs, ${line}`)).toEqual([]);
      expect((await panel.page.locator('.plot').boundingBox())!.height).toBeGreaterThanOrEqual(160);
      await expect.poll(async () => overlaps(await boxes(root()))).toEqual([]);
      if (window.height! <= 400) {
        await expect.poll(() => panel.page.locator('.folded > summary').innerText()).toContain('4 notices');
        await panel.page.locator('[data-focus=notices]').press('Enter');
      }
      for (const [i, name] of ['again-other', 'again', 'partial-again'].entries()) {
        await panel.page.locator(`[data-focus=${name}]`).click();
        await expect.poll(() => panel.sent('again')).toHaveLength(i + 1);
      }
      await expect.poll(() => panel.page.locator('.notice').allInnerTexts()).toHaveLength(3);
      expect(await panel.serious()).toEqual([]);
    },
    { quick: 2 },
  );

  testMany(windows, '$name: all of a menu, wherever its button is', async (window) => {
    await show(window);
    await choose('compare');
    for (const name of ['strategy', 'compare-with', 'head-more']) {
      await panel.press(name);
      const menu = panel.page.locator('.menu:popover-open');
      await picture(panel.page, `menu-${window.width}-${name}`);
      await expect.poll(() => outOfView('.menu:popover-open')).toEqual([]);
      await panel.page.keyboard.press('Escape');
      await menu.waitFor({ state: 'hidden' });
    }
  });

  test('the map opens on lines beside an editor, and on the grid where it is alone', async () => {
    for (const window of windows) {
      await show(window);
      const caption = panel.page.locator('#grid-caption');
      await expect.poll(() => caption.innerText()).toContain(window.isBeside ? 'Lines down' : 'Tokens across');
    }
  });
});

describe('by keyboard', () => {
  const focused = () =>
    panel.page.evaluate(
      () => (document.activeElement as HTMLElement).dataset['focus'] ?? document.activeElement!.className,
    );

  const press = async (digit: number, from: string): Promise<void> => {
    await panel.page.locator(from).focus();
    await panel.page.keyboard.press(String(digit));
  };

  test('a digit goes to each part of the page, except while something is typed', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(main);
    const experts = await panel.page.locator('.legend .chip').first().getAttribute('data-focus');
    const goals = ['strategy', experts, 'tokens', 'cell', 'tab-cell', 'tabBody'];
    await panel.page.locator('#tab-whatIf').click();
    // Also from a list: no digit finds an option there.
    for (const from of ['.cell', '[data-focus=colour-by]', '[data-focus=whatif-expert]'])
      for (const [i, goal] of goals.entries()) {
        await press(i + 1, from);
        await expect
          .poll(() => focused(), { message: `${i + 1} from ${from}` })
          .toBe(goal === 'tab-cell' ? 'tab-whatIf' : goal);
      }
    // To the expert that was left.
    await panel.page.locator('.legend .chip').nth(1).focus();
    const second = await focused();
    await press(2, '.cell');
    await expect.poll(() => focused()).toBe(second);
    await press(4, '[data-focus=strategy-k]');
    await expect.poll(() => focused()).toBe('strategy-k');
    await panel.page.locator('[data-focus=whatif-expert]').evaluate((list) => list.append(new Option('4th expert')));
    await press(4, '[data-focus=whatif-expert]');
    await expect.poll(() => focused()).toBe('whatif-expert');
    // Numbers have no experts.
    await panel.page.locator('[data-focus=colour-by]').selectOption('entropy');
    await press(2, '.cell');
    await expect.poll(() => focused()).toBe('colour-by');
  });

  test.each([460, 1280])(
    'the digit of the text goes to the button that shows it while it is folded: %o',
    async (width) => {
      await open({ width, height: 600 });
      await panel.show(main);
      await panel.post({ type: 'textVisible', is: true });
      await panel.page.locator('[data-focus=text-show]').waitFor();
      await press(3, '.cell');
      await expect.poll(() => focused()).toBe('text-show');
      await panel.page.keyboard.press('Enter');
      await panel.page.locator('.tokens').waitFor();
      await press(3, '.cell');
      await expect.poll(() => focused()).toBe('tokens');
    },
  );

  test('arrow keys go through a toolbar, which keeps its place', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(main);
    await panel.page.locator('[data-focus=colour-by]').focus();
    const seen: string[] = [];
    for (let i = 0; i < 15; i++) {
      seen.push(await focused());
      await panel.page.keyboard.press('ArrowRight');
    }
    // All twelve, also those that are out of sight.
    expect(seen.filter((name) => /^legend-(?!more)/.test(name))).toHaveLength(12);
    expect(seen.at(-1)).toBe('legend-more');
    await expect.poll(() => focused()).toBe('colour-by');
    await panel.page.keyboard.press('ArrowLeft');
    await panel.page.keyboard.press('ArrowLeft');
    const last = await focused();
    expect(last).toMatch(/^legend-/);
    // What the keyboard reaches is seen.
    await expect.poll(() => panel.page.evaluate(() => getComputedStyle(document.activeElement!).opacity)).toBe('1');
    await panel.page.keyboard.press('Tab');
    await panel.page.keyboard.press('Shift+Tab');
    await expect.poll(() => focused()).toBe(last);
  });
});

describe('a result that appears elsewhere', () => {
  const focused = () =>
    panel.page.evaluate(() => document.activeElement!.closest('[data-figure], .tabBody')?.className);

  test('is scrolled to and takes the focus, unless the person has gone on', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(main);
    await panel.page.locator('#tab-whatIf').click();
    await panel.page.locator('[data-focus=whatif-apply]').click();
    await panel.show(main, { interventions, running: { what: 'route', done: 10, total: 266 } });
    await panel.show(changed, { before: main });
    const heading = panel.page.locator('[data-figure=effect] h3').first();
    await expect.poll(() => heading.evaluate((one) => one === document.activeElement)).toBe(true);
    const box = (await heading.boundingBox())!;
    expect(box.y).toBeGreaterThan(0);
    expect(box.y + box.height).toBeLessThanOrEqual(600);
    await panel.page.locator('[data-focus=whatif-apply]').click();
    await panel.page.locator('.cell').focus();
    await panel.show(changed, { interventions, running: { what: 'route', done: 10, total: 266 } });
    await panel.show(changed, { before: main });
    await panel.page.locator('[data-figure=effectByLayer]').waitFor();
    await expect.poll(() => panel.page.evaluate(() => document.activeElement!.className)).toBe('cell');
  });

  test('a tab that is opened from the menu or from the line under the map', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(main);
    await panel.post({ type: 'select', token: 60, module: 100 });
    await panel.press('head-compare');
    await expect.poll(() => panel.page.locator('#tab-compare').getAttribute('aria-selected')).toBe('true');
    await expect.poll(() => focused()).toBe('tabBody');
    await panel.press('grid-strip');
    await expect.poll(() => panel.page.locator('#tab-cell').getAttribute('aria-selected')).toBe('true');
    await expect.poll(() => focused()).toBe('tabBody');
  });
});

describe('the tabs', () => {
  test.each([
    { where: 'beside an editor at 1440×900', width: 580, height: 780, most: 2 },
    // Where the map is as low as it gets, the lines in the header take their room from what is below.
    { where: 'beside an editor at 1280×720', width: 460, height: 600, most: 60 },
  ])('stay where they are while a run is asked for, comes and is undone: $where', async ({ width, height, most }) => {
    await open({ width, height });
    await panel.show(main);
    await panel.post({ type: 'textVisible', is: true });
    await panel.page.locator('#tab-summary').click();
    await panel.page.locator('#tab-whatIf').click();
    const tops: number[] = [];
    const look = async () => {
      await panel.settled();
      tops.push((await panel.page.locator('.tabs').boundingBox())!.y);
    };
    await look();
    await panel.page.locator('[data-focus=whatif-apply]').click();
    await panel.show(main, { interventions, running: { what: 'route', done: 10, total: 266 } });
    await look();
    await panel.show(changed, { before: main });
    await look();
    await panel.show(main);
    await look();
    expect(Math.max(...tops) - tops[0]!, tops.join(', ')).toBeLessThanOrEqual(most);
    expect(tops.at(-1)!, tops.join(', ')).toBeLessThanOrEqual(tops[0]!);
  });
});

/** The matching texts that have too little room, or are not shown at all. */
const cut = (selector: string) =>
  panel.page.locator(selector).evaluateAll((all) =>
    all.length === 0
      ? ['none']
      : all
          .filter((one) => !one.closest('[hidden]'))
          .filter((one) => one.scrollWidth > one.clientWidth + 1 || !one.checkVisibility())
          .map((one) => one.textContent),
  );

describe('no text is cut off', () => {
  test.each(['geese.md', 'session_store_of_geese.ts'])(
    'at 400 px: %s, its tokens and what colours it',
    async (title) => {
      await open({ width: 400, height: 780 });
      await panel.show(main, { title });
      await expect.poll(() => cut('.title h1, .title .faint:not(.pool)')).toEqual([]);
      await expect.poll(() => panel.page.locator('.colourBy').innerText()).toContain('Colour by');
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

  testMany(
    [460, 400, 580, 760],
    'the line under the map at %i px, in lines and in the grid, and it keeps its room',
    async (width) => {
      await open({ width, height: 780 });
      await panel.show(main);
      await panel.page.locator('#tab-summary, select[data-focus=tabs]').first().waitFor();
      const tabs = panel.page.locator('select[data-focus=tabs]');
      if (await tabs.isVisible()) await tabs.selectOption('summary');
      else await panel.page.locator('#tab-summary').click();
      for (const map of ['Grid', 'Lines']) {
        await panel.press('head-map');
        await panel.page.locator(`[data-focus="segment-${map}"]`).click();
        const heights = new Set<number>();
        for (const token of [3, 20, 60, 200]) {
          await panel.post({ type: 'select', token, module: 7 * token });
          await expect
            .poll(() => panel.page.locator('.strip').innerText())
            .toContain(map === 'Grid' ? `token ${token + 1} of` : 'line');
          await expect.poll(() => cut('.strip')).toEqual([]);
          const [own, all, seen] = await panel.page
            .locator('.strip')
            .evaluate((one) => [one.getBoundingClientRect().height, one.scrollHeight, one.clientHeight] as const);
          expect(all).toBeLessThanOrEqual(seen + 1);
          heights.add(own);
        }
        expect([...heights]).toHaveLength(1);
        await picture(panel.page, `strip-${map}-${width}`);
      }
    },
  );

  test('the hint under a grid beside an editor names what is there, and not a tool that is in a menu', async () => {
    for (const [width, said] of [
      [580, 'In the menu “Grid” above: “Zoom until the tokens can be read”.'],
      [1230, 'A above: larger, with the tokens.'],
    ] as const) {
      await open({ width, height: 780 });
      await panel.show(fabricateMoe());
      if (width < 1100) await panel.press('head-map');
      await panel.press('segment-Grid');
      await expect.poll(() => panel.page.locator('.strip').innerText()).toContain(said);
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
    const unfold = panel.page.locator('[data-focus=text-show]');
    await expect.poll(() => unfold.getAttribute('title')).toContain('Text: shown in geese.md');
    // A selection in the editor still selects in the map.
    await panel.post({ type: 'select', token: 40, module: 3 });
    const { text, tokens } = main.sequences[0]!;
    const line = text!.slice(0, tokens.start![40]).split('\n').length;
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain(`line ${line}, `);
    await unfold.click();
    await panel.settled();
    await expect.poll(() => panel.page.locator('.t.selected').getAttribute('data-i')).toBe('40');
    await panel.reload();
    await panel.show(main);
    await panel.post({ type: 'textVisible', is: true });
    await expect.poll(() => panel.page.locator('.t').count()).toBe(266);
    await panel.page.locator('[data-focus=text-fold]').click();
    await panel.post({ type: 'textVisible', is: false });
    await expect.poll(() => panel.page.locator('.tokens').count()).toBe(0);
    await expect.poll(() => unfold.getAttribute('title')).toContain('Text: folded');
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
    // The map is in view with it, from its top.
    const head = (await panel.page.locator('.head').boundingBox())!;
    expect((await panel.page.locator('.plot').boundingBox())!.y).toBeGreaterThanOrEqual(head.y + head.height);
  });

  test('the map can fill the panel; Escape leaves', async () => {
    await open(beside);
    await panel.show(main);
    await panel.press('grid-maximise');
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
    await panel.press('grid-maximise');
    await panel.page.keyboard.press('Escape');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.tabs').count()).toBe(1);
  });

  test('experts that do not fit on the line are behind a button', async () => {
    await open({ width: 440, height: 600 });
    await panel.show(main);
    const legend = async () => (await panel.page.locator('.legend').boundingBox())!.height;
    const chips = () =>
      panel.page
        .locator('.legend .chip')
        .evaluateAll((all) => all.filter((one) => getComputedStyle(one).opacity !== '0').length);
    const shown = await chips();
    expect(shown).toBeGreaterThan(2);
    expect(shown).toBeLessThan(12);
    const more = panel.page.locator('[data-focus=legend-more]');
    await expect.poll(() => more.innerText()).toBe(`+${12 - shown}`);
    // The expert that the explorer asks for is scrolled to, whichever it is.
    await panel.post({ type: 'filter', expert: 'css' });
    const css = panel.page.locator('[data-focus=legend-css]');
    await expect.poll(() => css.evaluate((one) => getComputedStyle(one).opacity)).toBe('1');
    // The choice of colours, and one line of chips with names.
    await expect.poll(() => legend()).toBeLessThan(58);
    await more.click();
    await panel.settled();
    await expect.poll(() => chips()).toBe(12);
    // With their names.
    await expect
      .poll(() =>
        panel.page
          .locator('[data-focus=legend-html] .name')
          .boundingBox()
          .then((box) => box!.width),
      )
      .toBeGreaterThan(10);
    await more.click();
    await panel.resize(306, 600);
    await expect.poll(() => chips()).toBeLessThan(shown);
    // Where there is room below, all of them have it.
    await panel.resize(460, 780);
    await expect.poll(() => chips()).toBe(12);
    await expect.poll(() => more.count()).toBe(0);
  });

  testMany(
    ['dark', 'light', 'high-contrast'] as const,
    'one line of experts leaves out the last names first ($0)',
    async (theme) => {
      await open({ width: 640, height: 600, theme });
      await panel.show(main);
      const chip = (name: string) => panel.page.locator(`[data-focus=legend-${name}]`);
      const width = (name: string) =>
        chip(name)
          .locator('.name')
          .evaluate((one) => one.getBoundingClientRect().width);
      const shown = () => panel.page.locator('.legend .chip:not(.out)').count();
      // The height is that of one line.
      await expect.poll(async () => (await panel.page.locator('.legend').boundingBox())!.height).toBeLessThan(34);
      await expect.poll(() => shown()).toBeGreaterThanOrEqual(10);
      await expect.poll(() => width('typescript')).toBeGreaterThan(40);
      await expect.poll(() => width('html')).toBeGreaterThan(20);
      await expect.poll(() => width('shell')).toBeLessThan(2);
      // Still read out, and named on hovering.
      await expect.poll(() => chip('shell').getAttribute('title')).toMatch(/^shell: [\d.]+% of all choices$/);
      await panel.page.getByRole('button', { name: /shell/, pressed: false }).waitFor();
      await picture(panel.page, `legend-line-${theme}`);
      // One that is chosen is named, wherever it is.
      await chip('shell').click();
      await expect.poll(() => width('shell')).toBeGreaterThan(20);
      await panel.page.locator('[data-focus=legend-all]').click();
      // All are in sight, not all names: these are one press away.
      await panel.resize(760, 600);
      await expect.poll(() => shown()).toBe(12);
      const more = panel.page.locator('[data-focus=legend-more]');
      await expect.poll(() => more.getAttribute('title')).toBe('Show all names');
      await more.click();
      await expect.poll(() => width('java')).toBeGreaterThan(20);
      expect(await panel.serious()).toEqual([]);
    },
  );

  test('experts come before what is said of the colours where there is no room for both', async () => {
    await open({ width: 610, height: 620 });
    await panel.show(main, { attribution: fabricateAttribution(main) });
    await panel.page.locator('#tab-whatIf').click();
    const colours = panel.page.locator('[data-focus=colour-by]');
    await expect.poll(() => colours.inputValue()).toBe('attribution');
    await panel.settled();
    const chips = () =>
      panel.page
        .locator('.legend .chip')
        .evaluateAll((all) => all.filter((one) => one.checkVisibility({ visibilityProperty: true })).length);
    await expect.poll(chips).toBeGreaterThanOrEqual(5);
    await panel.page.locator('[data-focus=legend-more]').click();
    await panel.page.locator('.legend .scale.of').waitFor();
  });

  test('what does not fit in the header is in a menu', async () => {
    await open(beside);
    await panel.show(main);
    await expect.poll(async () => (await panel.page.locator('.headBar').boundingBox())!.height).toBeLessThan(30);
    await panel.press('head-generate');
    await expect.poll(() => panel.page.locator('[data-focus=generate-start]').isVisible()).toBe(true);
    await panel.resize(400, 700);
    await panel.press('head-compare');
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

/** "?" on every figure, and the tour: by keyboard, in each theme, and never covering what they are about. */
import { describe, expect, test } from 'vitest';
import type { Intervention } from '../../src/trace/model/trace.js';
import { fabricate, fileDescription, requestOf } from './fabricate.js';
import { fabricateMoe, moeDescription } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';
import { themeNames } from './themes.js';

const openPage = pages();
let panel: Panel;

const main = fabricate();
const interventions: Intervention[] = [{ action: 'knock-out', expert: 'html', scope: {} }];
const changed = fabricate({ interventions });

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
  await panel.show(main);
}

/** Opens a page with all the figures that there can be. */
async function openFull(setup: Setup): Promise<void> {
  panel = await openPage(setup);
  await panel.show(changed, { before: main });
  await panel.show(fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } }), { title: 'Arrow' }, 'other');
  await panel.post({ type: 'select', token: 60, module: 100 });
}

const inWindow = (selector: string) =>
  panel.page.locator(selector).evaluate((box) => {
    const { left, top, right, bottom } = box.getBoundingClientRect();
    return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
  });

const focused = () => panel.page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['focus'] ?? '');

const tabs = ['cell', 'summary', 'predictions', 'whatIf', 'compare'];

async function goToTab(name: string, isNarrow: boolean): Promise<void> {
  if (isNarrow) await panel.page.locator('[data-focus=tabs]').selectOption(name);
  else await panel.page.locator(`#tab-${name}`).click();
  await panel.settled();
}

describe('the explanation of a number', () => {
  test('is beside its figure, and its text is loaded on request', async () => {
    await open();
    const loaded = () => panel.page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
    await expect.poll(async () => (await loaded()).filter((name) => name.includes('lessons'))).toEqual([]);
    await panel.page.locator('#tab-summary').click();
    await panel.page.locator('[data-focus=explain-usage]').click();
    const box = panel.page.getByRole('dialog', { name: 'What this says: Load' });
    await expect
      .poll(() => box.innerText())
      // What the letters are comes before the formula, and the glossary is in sight.
      .toMatch(
        /E: how many experts there are\.\s+Formula\s+fᵢ = nᵢ \/ Σⱼ nⱼ\s+Range\s+From 0 %.*\s+By chance\s+1 \/ E/,
      );
    await expect.poll(async () => (await loaded()).filter((name) => name.includes('lessons'))).toHaveLength(1);
    const [around, link] = [await box.boundingBox(), await box.getByRole('link').boundingBox()];
    expect(link!.y + link!.height).toBeLessThanOrEqual(around!.y + around!.height);
    // A press elsewhere closes it and also does what it would do anyway.
    await panel.page.locator('#tab-cell').click();
    await expect.poll(() => box.count()).toBe(0);
    await expect.poll(() => panel.page.locator('#tab-cell').getAttribute('aria-selected')).toBe('true');
  });

  testMany(
    [
      { width: 1280, height: 720, theme: 'dark' as const },
      { width: 400, height: 680, theme: 'high-contrast' as const },
    ],
    'of each figure opens and closes by keyboard, $width wide, $theme',
    async (setup) => {
      await openFull(setup);
      const seen = new Set<string>();
      for (const tab of tabs) {
        await goToTab(tab, setup.width < 460);
        // What lies below comes a frame later.
        await panel.settled();
        const names = await panel.page
          .locator('[data-focus^=explain-]')
          .evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset['focus']!));
        const figures = await panel.page
          .locator('.figure')
          .evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset['figure']!));
        expect(figures.filter((name) => !names.includes(`explain-${name}`))).toEqual([]);
        for (const name of names) {
          seen.add(name);
          const opener = panel.page.locator(`[data-focus=${name}]`);
          await opener.focus();
          await panel.page.keyboard.press('Enter');
          const box = panel.page.locator('.explanation');
          await box.waitFor();
          await expect.poll(() => opener.getAttribute('aria-expanded')).toBe('true');
          await expect.poll(() => box.evaluate((one) => one === document.activeElement)).toBe(true);
          await expect.poll(() => inWindow('.explanation')).toBe(true);
          await panel.page.keyboard.press('Escape');
          await panel.settled();
          await expect.poll(() => box.count()).toBe(0);
          await expect.poll(() => focused()).toBe(name);
          await expect.poll(() => opener.getAttribute('aria-expanded')).toBe('false');
        }
      }
      expect(seen.size).toBeGreaterThan(18);
    },
  );

  test('is all that Escape closes: the map still fills the page', async () => {
    await open();
    await panel.page.locator('[data-focus=grid-maximise]').click();
    await panel.page.locator('[data-focus=explain-map_experts]').click();
    await panel.page.locator('.explanation').waitFor();
    await panel.page.keyboard.press('Escape');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.page.maximised').count()).toBe(1);
  });

  testMany(themeNames, 'axe finds nothing, %s', async (theme) => {
    await openFull({ theme, width: 700, height: 780 });
    await goToTab('cell', false);
    await panel.page.locator('[data-focus=explain-cell]').click();
    await panel.page.locator('.explanation').waitFor();
    await picture(panel.page, `lessons-explain-${theme}`);
    expect(await panel.serious()).toEqual([]);
  });
});

interface Stop {
  readonly title: string;
  readonly text: string;
  /** The callout is inside the window, and the page's header is where it was. */
  readonly isInside: boolean;
  /** CSS pixels² of its target that the callout covers. */
  readonly covered: number;
}

function stop(): Promise<Stop> {
  return panel.page.evaluate(() => {
    const [box, ring] = ['.tour', '.tourRing'].map((one) => document.querySelector(one)!.getBoundingClientRect());
    const wide = Math.min(box!.right, ring!.right) - Math.max(box!.left, ring!.left);
    const high = Math.min(box!.bottom, ring!.bottom) - Math.max(box!.top, ring!.top);
    return {
      title: document.querySelector('.tour h2')!.firstChild!.textContent!.trim(),
      text: document.querySelector('.tour p')!.textContent,
      isInside:
        document.querySelector('.head')!.getBoundingClientRect().top === 0 &&
        box!.left >= 0 &&
        box!.top >= 0 &&
        box!.right <= innerWidth &&
        box!.bottom <= innerHeight,
      covered: ring!.width * ring!.height > 0 ? Math.max(0, wide) * Math.max(0, high) : Infinity,
    };
  });
}

/** Starts the tour from the menu, by keyboard. */
async function begin(): Promise<void> {
  await panel.page.locator('[data-focus=head-more]').focus();
  await panel.page.keyboard.press('Enter');
  await panel.settled();
  await panel.page.keyboard.press('End');
  await panel.page.keyboard.press('Enter');
  await panel.page.locator('.tour').waitFor();
  await panel.settled();
}

const title = async () => (await stop()).title;

const isInCallout = () => panel.page.evaluate(() => document.activeElement!.closest('.tour') !== null);

/** Every stop from the one that is shown; the tour stays at the last. */
async function walk(name?: string): Promise<Stop[]> {
  const stops: Stop[] = [];
  for (let i = 0; i < 10; i++) {
    await expect.poll(title).not.toBe(stops.at(-1)?.title);
    // Its target is opened once the stop is drawn, and is then drawn itself.
    await panel.settled();
    await panel.settled();
    stops.push(await stop());
    if (name) await picture(panel.page, `tour-${name}-${i + 1}`);
    await expect.poll(() => isInCallout()).toBe(true);
    if (i < 9) await panel.page.keyboard.press('ArrowRight');
  }
  return stops;
}

const themes = ['dark', 'high-contrast', 'light'] as const;
const sizes = [
  { width: 720, height: 680 },
  { width: 400, height: 680 },
  { width: 640, height: 600 },
  { width: 720, height: 780 },
  { width: 1390, height: 820 },
];

describe('the tour', { tags: ['slow'] }, () => {
  testMany(
    sizes.map((size, i) => ({ ...size, theme: themes[i % themes.length]! })),
    'ten stops by keyboard alone, $width × $height, $theme',
    async (setup) => {
      await open(setup);
      await begin();
      const stops = await walk(`${setup.width}x${setup.height}-${setup.theme}`);
      expect(new Set(stops.map(({ title }) => title)).size).toBe(10);
      expect(stops.filter(({ isInside, covered }) => !isInside || covered > 0)).toEqual([]);
      expect(stops.map(({ text }) => text).join(' ')).not.toContain('{');
      // The last step ends the tour.
      await panel.page.keyboard.press('ArrowRight');
      await panel.settled();
      await expect.poll(() => panel.page.locator('.tour').count()).toBe(0);
      await expect.poll(() => focused()).toBe('head-more');
    },
  );

  testMany(['entropy', 'surprise'] as const, 'says that a number colours the map: $0', async (by) => {
    panel = await openPage({ width: 640, height: 600 });
    await panel.show(main);
    await panel.page.locator('[data-focus=colour-by]').selectOption(by);
    await begin();
    const { text } = (await walk()).find(({ title }) => title === 'The map')!;
    expect(text).toContain(`a number colours each cell: ${by === 'entropy' ? 'entropy' : 'surprisal (−log p)'}, `);
  });

  testMany(
    [
      { width: 460, height: 600 },
      { width: 620, height: 600 },
      { width: 580, height: 780 },
    ],
    'shows a choice with the map in view, and the numbers that it speaks of, $width × $height',
    async (setup) => {
      panel = await openPage(setup);
      const interventions = [{ action: 'knock-out', expert: 'html', scope: {} }] as const;
      await panel.show(fabricate({ interventions }), { before: main });
      await panel.post({ type: 'textVisible', is: true });
      await begin();
      const stops = await walk(`told-${setup.width}`);
      expect(stops.filter(({ isInside, covered }) => !isInside || covered > 0)).toEqual([]);
      for (let i = 0; i < 5; i++) await panel.page.keyboard.press('ArrowLeft');
      await panel.settled();
      await panel.settled();
      await expect.poll(() => title()).toBe('One choice, in words');
      const map = (await panel.page.locator('.plot').boundingBox())!;
      const callout = (await panel.page.locator('.tour').boundingBox())!;
      const head = (await panel.page.locator('.head').boundingBox())!;
      expect(map.y).toBeGreaterThanOrEqual(head.y + head.height);
      expect(callout.y).toBeGreaterThanOrEqual(map.y + map.height);
      for (let i = 0; i < 4; i++) await panel.page.keyboard.press('ArrowRight');
      await panel.settled();
      await panel.settled();
      await expect.poll(async () => (await stop()).text).toContain('less than 1 % per token is hardly noticed');
      const numbers = (await panel.page.locator('[data-figure=effect] .numbers').boundingBox())!;
      const now = (await panel.page.locator('.tour').boundingBox())!;
      expect(now.y >= numbers.y + numbers.height || now.y + now.height <= numbers.y).toBe(true);
    },
  );

  test('leaves focus and view as they were when it is skipped', async () => {
    await open({ width: 720, height: 680 });
    await goToTab('predictions', false);
    await panel.post({ type: 'select', token: 33, module: 12 });
    await panel.page.locator('[data-focus=colour-by]').focus();
    const scrolled = () => panel.page.locator('.page').evaluate((one) => one.scrollTop);
    const before = await scrolled();
    await panel.post({ type: 'tour' });
    await panel.page.locator('.tour').waitFor();
    for (let i = 0; i < 5; i++) await panel.page.keyboard.press('ArrowRight');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.tabBody').innerText()).toContain('token 34 of');
    await panel.page.keyboard.press('Escape');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.tour, .tourRing').count()).toBe(0);
    await expect.poll(() => focused()).toBe('colour-by');
    await expect.poll(scrolled).toBe(before);
    await expect.poll(() => panel.page.locator('#tab-predictions').getAttribute('aria-selected')).toBe('true');
    // The editor does not follow what the tour looked at.
    await expect.poll(() => panel.sent('select')).toEqual([]);
  });

  test('has buttons to go on, back and away', async () => {
    await open({ width: 720, height: 680 });
    await begin();
    const press = async (name: string) => {
      await panel.page.locator(`[data-focus=tour-${name}]`).focus();
      await panel.page.keyboard.press('Enter');
      await panel.settled();
    };
    const first = await title();
    await press('back');
    await expect.poll(() => title()).toBe(first);
    await press('next');
    await expect.poll(() => title()).not.toBe(first);
    await press('back');
    await expect.poll(() => title()).toBe(first);
    await press('skip');
    await expect.poll(() => panel.page.locator('.tour').count()).toBe(0);
    await expect.poll(() => focused()).toBe('head-more');
  });

  test('lets the panel be used meanwhile', async () => {
    await open({ width: 720, height: 680 });
    await panel.page.locator('[data-focus=head-map]').click();
    await panel.page.locator('.menu [data-focus^="scope-"]').nth(3).click();
    await panel.page.locator('[data-focus=scope-leave]').waitFor();
    await begin();
    await panel.page.locator('#tab-summary').click();
    await panel.settled();
    await expect.poll(() => panel.page.locator('#tab-summary').getAttribute('aria-selected')).toBe('true');
    await expect.poll(() => panel.page.locator('.tour').count()).toBe(1);
    await panel.page.keyboard.press('Escape');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.tour').count()).toBe(0);
    // The scope stays.
    await expect.poll(() => panel.page.locator('[data-focus=scope-leave]').count()).toBe(1);
  });

  test('says on the first stop what tokens, modules, routers and experts are, by the text itself', async () => {
    await open({ width: 720, height: 680 });
    await begin();
    const said = (await stop()).text;
    expect(said).toContain(`here ${main.sequences[0]!.tokens.count}, such as “`);
    const [, example = ''] = /such as “(.+?)”/.exec(said) ?? [];
    expect(example).toMatch(/\p{L}{2}/u);
    expect(main.sequences[0]!.tokens.text!.map((text) => text.trim())).toContain(example);
    expect(said).toContain(`each of ${main.modules.length} places`);
    expect(said).toMatch(/to 2 of 12 experts[^]*what it was trained on, not what it does/);
  });

  test('finds a knock-out that matters by asking the model', async () => {
    await open({ width: 720, height: 680 });
    await begin();
    for (let i = 0; i < 8; i++) await panel.page.keyboard.press('ArrowRight');
    await panel.settled();
    await panel.page.locator('[data-focus=tour-offer]').click();
    await expect.poll(() => panel.sent('ask')).toEqual([{ type: 'ask', name: 'attribute', more: { most: 4 } }]);
    const id = await panel.page.evaluate(
      () =>
        (globalThis as unknown as { sent: { name?: string; id: number }[] }).sent.find(({ name }) => name === 'ask')!
          .id,
    );
    const { experts } = main.expertSets[0]!;
    const tokens = main.sequences[0]!.tokens.count;
    // The second and the third change the text; the third changes it more, but for the better: the text needs the second.
    const change = Float32Array.from({ length: tokens * experts.length }, (_, i) =>
      i < experts.length ? NaN : [0, -0.1, 0.2, 0][i % experts.length]!,
    );
    const logProb = new Float32Array(tokens);
    await panel.post({ type: 'result', id, result: { experts, logProb, change } });
    await expect
      .poll(async () => (await panel.sent('route')).at(-1)?.interventions)
      .toEqual([{ action: 'knock-out', expert: experts[1]!.id, scope: {} }]);
  });

  test('begins once there is something to show, if nothing is routed yet', async () => {
    panel = await openPage({ width: 720, height: 680 });
    await panel.show(undefined);
    await panel.page.locator('[data-focus=head-more]').click();
    await expect.poll(() => panel.page.locator('[data-focus=head-tour]').getAttribute('aria-disabled')).toBe('true');
    await panel.page.keyboard.press('Escape');
    await panel.post({ type: 'tour' });
    await expect.poll(() => panel.page.locator('.tour').count()).toBe(0);
    await panel.show(main);
    await panel.page.locator('.tour').waitFor();
  });

  test('says what is different in a mixture, between two runs, and in a file', async () => {
    panel = await openPage({ width: 720, height: 680 });
    await panel.post({ type: 'pool', description: moeDescription });
    const mixture = fabricateMoe();
    await panel.side('main', { title: 'a.md', ...requestOf(mixture), stale: false, trace: mixture });
    await begin();
    const stops = await walk();
    expect(stops.filter(({ isInside, covered }) => !isInside || covered > 0)).toEqual([]);
    expect(stops.map(({ text }) => text).join(' ')).toMatch(
      /model’s router chooses.*Each layer has experts of its own/,
    );

    panel = await openPage({ width: 720, height: 680 });
    await panel.post({ type: 'pool', description: fileDescription });
    await panel.side('main', { title: 'a', ...requestOf(main), stale: false, trace: main });
    const other = fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } });
    await panel.side('other', { title: 'b', ...requestOf(other), stale: false, trace: other });
    await begin();
    const said = (await walk()).map(({ text }) => text).join(' ');
    expect(said).toMatch(/A saved run.*what changes between two runs.*there is none.*Two runs, side by side/);
  });

  testMany(themeNames, 'axe finds nothing, %s', async (theme) => {
    await open({ theme, width: 720, height: 680, reducedMotion: true });
    await begin();
    expect(await panel.serious()).toEqual([]);
  });

  test('shares its menu with the runs of the text', async () => {
    await open({ width: 720, height: 680 });
    await panel.page.locator('[data-focus=head-more]').click();
    await panel.page.locator('[data-focus=head-history]').click();
    await expect.poll(() => panel.sent('history')).toEqual([{ type: 'history' }]);
  });
});

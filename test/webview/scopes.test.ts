/** A scope: a part of the text, looked at by itself. */
import { expect, test } from 'vitest';
import { sharedModules } from '../../src/trace/model/access.js';
import { contrast } from '../../src/trace/figures/contrast.js';
import { difference } from '../../src/trace/figures/difference.js';
import { regionScopes } from '../../src/trace/text/scopes.js';
import { fabricate, names } from './fabricate.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';
import { themeNames } from './themes.js';

const openPage = pages();
const main = fabricate();
const fence = regionScopes(main, 'geese.md').find(({ region }) => region!.name === 'code fence')!;
const [[from, to]] = fence.ranges as [readonly [number, number]];
let panel: Panel;

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage({ width: 700, height: 780, ...setup });
  await panel.show(main);
}

const chip = () => panel.page.locator('[data-focus=scope-leave]');
const dimmed = () =>
  panel.page.locator('.t').evaluateAll((all) => all.flatMap((one, i) => (one.matches('.scoped .beyond') ? [i] : [])));

const parts = () => panel.page.locator('.menu [data-focus^="scope-"]');

/** Opens the menu that the parts are in. */
async function openMenu(): Promise<void> {
  await panel.page.locator('[data-focus=head-map]').click();
  await parts().nth(3).waitFor();
}

/** Chooses the fence, the last part, by keyboard. */
async function choose(): Promise<void> {
  await panel.page.locator('[data-focus=head-map]').focus();
  await panel.page.keyboard.press('Enter');
  await parts().nth(3).waitFor();
  const isReached = () =>
    parts()
      .last()
      .evaluate((part) => part === document.activeElement);
  while (!(await isReached())) await panel.page.keyboard.press('ArrowDown');
  await panel.page.keyboard.press('Enter');
  await chip().waitFor();
  await panel.settled();
}

/** How opaque the veil over a token's column is, 0..255. */
function strongestAt(token: number): Promise<number> {
  return panel.page.evaluate((t) => {
    const [base, over] = [...document.querySelectorAll<HTMLCanvasElement>('.stage canvas')] as [
      HTMLCanvasElement,
      HTMLCanvasElement,
    ];
    const scale = base.width / base.getBoundingClientRect().width;
    const count = Number(document.querySelector('.cells')!.getAttribute('aria-colcount'));
    const cell = document.querySelector('.cell')!.getBoundingClientRect();
    const left = 62 * scale;
    const x = Math.round(left + ((base.width - left) * (t + 0.5)) / count);
    const y = Math.round((cell.top - base.getBoundingClientRect().top + 4) * scale);
    return over.getContext('2d')!.getImageData(x, y, 1, 1).data[3]!;
  }, token);
}

test('is chosen by keyboard: a chip shows it, everything else fades, and Escape leaves it', async () => {
  await open();
  await panel.press('segment-Grid');
  await choose();
  await expect.poll(() => panel.page.locator('.chips').innerText()).toContain('ts fence');
  const beyond = await dimmed();
  expect(beyond).toEqual([...main.sequences[0]!.tokens.ids!.keys()].filter((t) => t < from || t >= to));
  await expect.poll(() => strongestAt(from + 5)).toBe(0);
  await expect.poll(() => strongestAt(to + 40)).toBeGreaterThan(100);
  // It is found again after a reload, and in a run of another text.
  await panel.reload();
  await panel.show(main);
  await chip().waitFor();
  await panel.settled();
  await expect.poll(() => dimmed()).toEqual(beyond);
  await panel.page.keyboard.press('Escape');
  await panel.settled();
  await expect.poll(() => chip().count()).toBe(0);
  await expect.poll(() => dimmed()).toEqual([]);
});

test('is scrolled to when it is chosen, and the strip is of it', async () => {
  await open({ width: 460, height: 600 });
  await panel.goTo(0, 0);
  await panel.press('tab-summary');
  const strip = panel.page.locator('.strip.button');
  await expect.poll(() => strip.innerText()).toMatch(/^line 1,/);
  await openMenu();
  await parts().last().click();
  await chip().waitFor();
  await expect.poll(() => strip.innerText()).toMatch(/^line 7,/);
  /** The first line in view, from 1, and the last one of which all is. */
  const inView = () =>
    panel.page.evaluate(() => {
      const scroller = document.querySelector('.scroller')!;
      const height = document.querySelector('.cell')!.getBoundingClientRect().height;
      const from = scroller.scrollTop / height;
      return [Math.ceil(from) + 1, Math.floor(from + (scroller.clientHeight - 18) / height)] as const;
    });
  await expect.poll(async () => (await inView())[0]).toBeLessThanOrEqual(7);
  await expect.poll(async () => (await inView())[1]).toBeGreaterThanOrEqual(11);
  // A selection in it stays, and so does the place of the map.
  await panel.page.locator('.cell').focus();
  await panel.page.keyboard.press('ArrowDown');
  await expect.poll(() => strip.innerText()).toMatch(/^line 8,/);
  await panel.page.locator('[data-focus=scope-leave]').click();
  await expect.poll(() => chip().count()).toBe(0);
  await openMenu();
  await parts().last().click();
  await chip().waitFor();
  await panel.settled();
  expect(await strip.innerText()).toMatch(/^line 8,/);
  // In a grid, too.
  await panel.press('segment-Grid');
  await openMenu();
  await panel.page.locator('[data-focus=grid-zoomRead]').click();
  await panel.page.locator('[data-focus=scope-leave]').click();
  await panel.goTo(0, 0);
  await openMenu();
  await parts().last().click();
  await expect.poll(() => strip.innerText()).toContain(`token ${from + 1} of`);
  await expect.poll(() => panel.page.locator('.scroller').evaluate((one) => one.scrollLeft)).toBeGreaterThan(100);
});

test('fades lines outside it, too', async () => {
  await open({ width: 400, height: 1100 });
  await openMenu();
  await parts().nth(3).click();
  await chip().waitFor();
  await panel.settled();
  /** Faded pixels of a row or a column of the map. */
  const paled = (part: 'row' | 'column', at: number) =>
    panel.page.evaluate(
      ([of, n]) => {
        const over = document.querySelector<HTMLCanvasElement>('canvas.over')!;
        const context = over.getContext('2d')!;
        const { data } =
          of === 'row' ? context.getImageData(80, n, 250, 1) : context.getImageData(n, 0, 1, over.height);
        return Array.from({ length: data.length / 4 }, (_, i) => data[i * 4 + 3]! > 100);
      },
      [part, at] as const,
    );
  const down = await paled('column', 200);
  const [first, last] = [down.indexOf(true), down.lastIndexOf(true)];
  expect(down.slice(first, last)).toContain(false);
  await expect.poll(async () => new Set(await paled('row', first + 3))).toEqual(new Set([true]));
  await expect.poll(async () => new Set(await paled('row', down.indexOf(false, first) + 3))).toEqual(new Set([false]));
});

test('the summary describes it and compares it with the rest', { tags: ['slow'] }, async () => {
  await open();
  await choose();
  const found = contrast(main, sharedModules(main)!, fence.ranges);
  await panel.page.locator('[data-figure=scopeChange] tbody tr').first().waitFor();
  const rows = await panel.page.locator('[data-figure=scopeChange] tbody tr').allInnerTexts();
  expect(rows).toHaveLength(names.length);
  const largest = [...found.change.keys()].sort((a, b) => Math.abs(found.change[b]!) - Math.abs(found.change[a]!))[0]!;
  expect(rows[0]).toContain(names[largest]);
  expect(rows[0]).toContain(Math.abs(found.change[largest]! * 100).toFixed(1));
  const usage = await panel.page.locator('[data-figure=scopeUsage] tbody tr').first().innerText();
  expect(usage).toContain(`${Math.round(found.inside.share[names.indexOf('typescript')]! * 100)}%`);
  await expect
    .poll(() => panel.page.locator('.about').innerText())
    .toBe(`Of ts fence: ${found.inside.tokens} text tokens. The rest: ${found.outside.tokens}.`);
  expect(await panel.serious()).toEqual([]);
});

test('is made of tokens selected with Shift, named as lines if they are whole ones', async () => {
  await open();
  const token = (i: number) => panel.page.locator(`.t[data-i="${i}"]`);
  await token(1).click();
  await token(9).click({ modifiers: ['Shift'] });
  await expect.poll(async () => (await panel.sent('select')).at(-1)).toMatchObject({ token: 1, end: 10 });
  expect(await panel.page.evaluate(() => String(getSelection()))).toBe('');
  await panel.page.keyboard.press('Shift+ArrowLeft');
  await panel.settled();
  await expect.poll(() => panel.page.locator('.t.selected').count()).toBe(8);
  await openMenu();
  await parts().nth(1).click();
  await chip().waitFor();
  await expect.poll(() => panel.page.locator('.chips').innerText()).toContain('tokens 2 to 9');
  await expect.poll(() => panel.page.locator('.warning').innerText()).toContain('Only 8 text tokens');
  // In another text, the scope is gone.
  await panel.show(fabricate({ words: ['quite', ' another', ' text'] }));
  await expect.poll(() => chip().count()).toBe(0);
});

testMany(
  themeNames.slice(0, 3).flatMap((theme) => [400, 640].map((width) => ({ theme, width }))),
  'its menu and summary have room: $theme $width',
  async ({ theme, width }) => {
    await open({ theme, width });
    await openMenu();
    await panel.settled();
    const menu = (await panel.page.locator('.menu:visible').boundingBox())!;
    expect(menu.x).toBeGreaterThanOrEqual(0);
    expect(menu.x + menu.width).toBeLessThanOrEqual(width);
    await picture(panel.page, `scope-menu-${theme}-${width}`);
    await parts().last().click();
    await chip().waitFor();
    await panel.settled();
    await picture(panel.page, `scope-${theme}-${width}`);
    await panel.page.locator('[data-figure=scopeChange]').scrollIntoViewIfNeeded();
    await picture(panel.page, `scope-summary-${theme}-${width}`);
    await expect.poll(() => panel.page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  },
);

test('a what-if applies only in it, as a whole, and names its lines', async () => {
  await open();
  await choose();
  await panel.page.locator('#tab-whatIf').click();
  await panel.page.locator('[data-focus=whatif-apply]').click();
  await expect.poll(() => panel.sent('route')).toHaveLength(1);
  const { scope } = (await panel.sent('route')).at(-1)!.interventions[0]!;
  expect(scope).toEqual({ tokens: fence.ranges });
  await panel.show(fabricate({ interventions: (await panel.sent('route')).at(-1)!.interventions }), { before: main });
  await expect.poll(() => panel.page.locator('[aria-label="What if:"]').innerText()).toContain('within lines 7 to 11');
  // Everywhere, on request.
  await panel.page.locator('[data-focus=whatif-scope]').uncheck();
  await panel.page.locator('[data-focus=whatif-apply]').click();
  await expect.poll(async () => (await panel.sent('route')).at(-1)!.interventions[1]!.scope).toEqual({});
});

test('a comparison is of its tokens only', { tags: ['slow'] }, async () => {
  const other = fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } });
  await open();
  await panel.show(other, { title: 'Arrow' }, 'other');
  await choose();
  await panel.page.locator('#tab-compare').click();
  await panel.page.locator('.about').waitFor();
  const tokens = to - from;
  const whole = difference(main, other);
  const found = difference(main, other, {}, whole.alignment, fence.ranges);
  expect(found.all.cells).toBe(tokens * main.modules.length);
  const numbers = (await panel.page.locator('.tabBody .numbers').innerText()).replace(/\s+/g, ' ');
  expect(numbers).toContain(`${Math.round(found.all.topKOverlap * 100)}%`);
  expect(numbers).toContain(`${tokens} of ${tokens}`);
  expect(numbers).toContain(`over ${tokens} tokens that both have (aligned)`);
});

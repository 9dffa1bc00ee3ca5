/** "?" on every figure, and the tour: by the keyboard, in each theme, and never on top of what is spoken of. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Intervention } from '../../src/trace/trace.js';
import { fabricate } from './fabricate.js';
import type { Panel, Setup } from './harness.js';
import { pages, pictures } from './pages.js';
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

/** With all the figures that there can be. */
async function openFull(setup: Setup): Promise<void> {
  panel = await openPage(setup);
  await panel.show(changed, { before: main });
  await panel.show(fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } }), { title: 'Arrow' }, 'other');
  await panel.post({ type: 'select', token: 60, site: 100 });
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

describe('what a number says', () => {
  test('it is explained beside its figure, and the words come when they are asked for', async () => {
    await open();
    const loaded = () => panel.page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
    expect((await loaded()).filter((name) => name.includes('lessons'))).toEqual([]);
    await panel.page.locator('[data-focus=explain-usage]').click();
    const box = panel.page.getByRole('dialog', { name: 'What this says: Usage' });
    expect(await box.innerText()).toMatch(/Formula\s+fᵢ = nᵢ \/ Σⱼ nⱼ\s+Range\s+From 0 %.*\s+By chance\s+1 \/ E/);
    expect((await loaded()).filter((name) => name.includes('lessons'))).toHaveLength(1);
    // A press elsewhere closes it and has its own effect.
    await panel.page.locator('#tab-summary').click();
    expect(await box.count()).toBe(0);
    expect(await panel.page.locator('#tab-summary').getAttribute('aria-selected')).toBe('true');
  });

  test.each([
    { width: 1280, height: 720, theme: 'dark' as const },
    { width: 400, height: 680, theme: 'high-contrast' as const },
  ])('each figure’s opens and closes by the keyboard, $width wide, $theme', async (setup) => {
    await openFull(setup);
    const seen = new Set<string>();
    for (const tab of tabs) {
      await goToTab(tab, setup.width < 460);
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
        expect(await opener.getAttribute('aria-expanded')).toBe('true');
        expect(await box.evaluate((one) => one === document.activeElement)).toBe(true);
        expect(await inWindow('.explanation')).toBe(true);
        await panel.page.keyboard.press('Escape');
        await panel.settled();
        expect(await box.count()).toBe(0);
        expect(await focused()).toBe(name);
        expect(await opener.getAttribute('aria-expanded')).toBe('false');
      }
    }
    expect(seen.size).toBeGreaterThan(18);
  });

  test('Escape closes the explanation alone: a map that has the whole page keeps it', async () => {
    await open();
    await panel.page.locator('[data-focus=grid-maximise]').click();
    await panel.page.locator('[data-focus=explain-map_experts]').click();
    await panel.page.locator('.explanation').waitFor();
    await panel.page.keyboard.press('Escape');
    await panel.settled();
    expect(await panel.page.locator('.page.maximised').count()).toBe(1);
  });

  test.each(themeNames)('axe finds nothing, %s', async (theme) => {
    await openFull({ theme, width: 700, height: 780 });
    await goToTab('cell', false);
    await panel.page.locator('[data-focus=explain-cell]').click();
    await panel.page.locator('.explanation').waitFor();
    await panel.page.screenshot({ path: join(pictures, `lessons-explain-${theme}.png`) });
    expect(await panel.serious()).toEqual([]);
  });
});

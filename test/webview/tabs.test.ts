/** What the panel says of two runs, wherever one looks. */
import { describe, expect, test } from 'vitest';
import { fabricate } from './fabricate.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const openPage = pages();
let panel: Panel;

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
}

async function text(selector: string): Promise<string> {
  await panel.settled();
  return panel.page.locator(selector).first().innerText();
}

/** Of an element, as the person sees it: in the window, and hit where it is. */
const isInView = (selector: string) =>
  panel.page
    .locator(selector)
    .first()
    .evaluate((one) => {
      const { left, top, right, bottom } = one.getBoundingClientRect();
      const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && one.contains(hit);
    });

const windows = [
  { width: 460, height: 600 },
  { width: 400, height: 700, theme: 'high-contrast' },
  { width: 306, height: 400 },
  { width: 580, height: 780, theme: 'light' },
  { width: 1280, height: 640 },
  { width: 1440, height: 900, theme: 'high-contrast-light' },
] as const satisfies readonly Setup[];
const nameOf = ({ width, height, theme }: Setup) => `${width}x${height}${theme ? `-${theme}` : ''}`;

describe('while two runs are compared', () => {
  const main = fabricate();
  const other = fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } });

  testMany(
    windows,
    'the header names the other run and has the way out, wherever the tab is scrolled to: %o',
    async (setup) => {
      await open(setup);
      await panel.show(main);
      expect(await panel.page.locator('[data-focus=compared-end]').count()).toBe(0);
      await panel.show(other, { title: 'Arrow, 2 experts per token' }, 'other');
      await expect.poll(() => text('.head .named')).toBe('Arrow, 2 experts per token');
      await panel.page.locator('[data-focus=compare-stop]').waitFor();
      await picture(panel.page, `compared-${nameOf(setup)}`);
      await expect.poll(() => isInView('[data-focus=compared-end]')).toBe(true);
      await panel.page.evaluate(() => {
        for (const one of document.querySelectorAll('.page, .tabBody')) one.scrollTop = one.scrollHeight;
      });
      await expect.poll(() => isInView('[data-focus=compared-end]')).toBe(true);
      expect(await panel.serious()).toEqual([]);
      await panel.page.locator('[data-focus=compared-end]').click();
      await expect.poll(() => panel.sent('closeCompare')).toHaveLength(1);
      await panel.side('other', undefined);
      await expect.poll(() => panel.page.locator('.head .named').count()).toBe(0);
    },
    { quick: 2 },
  );
});

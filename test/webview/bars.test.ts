/** All bars of a chart share one scale, whatever is beside each bar. */
import { expect } from 'vitest';
import { fabricate, widen } from './fabricate.js';
import type { Panel } from './harness.js';
import { pages, testMany } from './pages.js';

const openPage = pages();

/** Left edges of some parts of a chart's rows, in pixels, each once. */
async function edges(panel: Panel, figure: string, part: string): Promise<number[]> {
  await panel.settled();
  const lefts = await panel.page
    .locator(`[data-figure=${figure}] ${part}`)
    .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().left));
  return [...new Set(lefts.map((x) => Math.round(x * 100) / 100))];
}

// E1 and E15, Py and C: short labels have one to three characters.
testMany([12, 24, 64], 'bars, chance and zero are in the same places for all of %i experts', async (experts) => {
  const panel = await openPage({ width: 640, height: 800 });
  const wide = (seed: number) => widen(fabricate({ seed, layers: 6 }), experts);
  await panel.show(wide(7));
  await panel.page.locator('#tab-summary').click();
  await panel.page.locator('[data-figure=usage] .badge').first().waitFor();
  const shortLabels = await panel.page.locator('[data-figure=usage] .badge').allInnerTexts();
  expect(new Set(shortLabels.map((shortLabel) => shortLabel.length)).size).toBeGreaterThan(1);
  for (const part of ['.badge', '.name', '.track', '.fill', '.reference'])
    await expect.poll(() => edges(panel, 'usage', part), { message: part }).toHaveLength(1);

  await panel.show(wide(9), { title: 'Another' }, 'other');
  await panel.page.locator('#tab-compare').click();
  await panel.page.locator('[data-figure=compareUsage]').waitFor();
  for (const part of ['.track', '.zero'])
    await expect.poll(() => edges(panel, 'compareUsage', part), { message: part }).toHaveLength(1);
});

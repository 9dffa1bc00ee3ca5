/** The page that compares a pool's experts. */
import { expect, test } from 'vitest';
import { parsePageMessage } from '../../src/panel/messages.js';
import type { SimilarityMessage } from '../../src/protocol/similarity.js';
import type { Panel } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const open = pages();

const names = [
  'C',
  'CSS',
  'Go',
  'HTML',
  'Java',
  'JSON',
  'Technical prose',
  'Python',
  'Rust',
  'Shell',
  'SQL',
  'TypeScript',
];

/** Cosines that decrease with the distance of two experts, in a different way at each layer; the last expert is unknown at layer 1. */
function message(count = names.length): SimilarityMessage {
  const experts = Array.from({ length: count }, (_, i) => ({ id: `e${i}`, name: names[i] ?? `Expert ${i}` }));
  const plane = (most: number, unknown = -1) =>
    Float32Array.from({ length: count * count }, (_, at) => {
      const [i, j] = [Math.floor(at / count), at % count];
      if (i === unknown || j === unknown) return NaN;
      return i === j ? 1 : most * (1 - (1.6 * (Math.abs(i - j) + 0.01 * Math.min(i, j))) / count);
    });
  const planes = (most: number) => ({ all: plane(most), layers: [plane(most / 2), plane(most / 4, count - 1)] });
  const layers = [{ layer: 0 }, { layer: 1 }];
  return {
    type: 'similarity',
    name: 'SmolLM2',
    similarity: { experts, layers, gate: planes(0.4), adapter: planes(0.1) },
  };
}

async function shown(setup: Parameters<typeof open>[0] = {}, count?: number): Promise<Panel> {
  const panel = await open({ script: 'similarity', ...setup });
  await expect.poll(() => panel.sent('ready')).toHaveLength(1);
  await panel.post(message(count));
  return panel;
}

const squareCell = (panel: Panel, row: number, column: number) =>
  panel.page.locator('.square tbody tr').nth(row).locator('td').nth(column);
const firstPair = (panel: Panel) => panel.page.locator('.tableBox').last().locator('tbody tr').first().innerText();

test('compares every expert with every other, most similar first, by gate and by adapter, at each layer', async () => {
  const panel = await shown();
  const { page } = panel;
  await expect.poll(() => page.locator('h1').innerText()).toContain('SmolLM2');
  await expect.poll(() => page.locator('.square tbody tr').count()).toBe(12);
  await expect.poll(() => squareCell(panel, 0, 0).innerText()).toBe('1.00');
  await expect.poll(() => squareCell(panel, 0, 1).innerText()).toBe('0.35');
  await expect.poll(() => squareCell(panel, 0, 11).innerText()).toBe('−0.19');
  await expect.poll(() => squareCell(panel, 0, 1).getAttribute('title')).toBe('C and CSS: 0.347');
  await expect.poll(() => firstPair(panel)).toBe('C\tCSS\t0.347\t0.087');
  await page.getByRole('button', { name: 'Adapter', exact: true }).click();
  await expect.poll(() => squareCell(panel, 0, 1).innerText()).toBe('0.09');
  await expect.poll(() => page.locator('.similarity > .caption').innerText()).toContain('same random numbers');
  await page.getByRole('combobox', { name: 'Layer' }).selectOption('1');
  // What is unknown is not drawn as 0, and is in no pair.
  await expect.poll(() => squareCell(panel, 0, 11).innerText()).toBe('–');
  await expect.poll(() => page.locator('.tableBox').last().locator('tbody tr').count()).toBe((11 * 10) / 2);
});

test('keeps what the user is looking at, and works with the keyboard alone', async () => {
  const panel = await shown();
  await panel.page.keyboard.press('Tab');
  await panel.page.keyboard.press('Tab');
  await panel.page.keyboard.press('Enter');
  await expect
    .poll(() => panel.page.getByRole('button', { name: 'Adapter', exact: true }).getAttribute('aria-pressed'))
    .toBe('true');
  await panel.page.keyboard.press('Tab');
  await panel.page.keyboard.press('ArrowDown');
  await expect.poll(() => squareCell(panel, 0, 1).innerText()).toBe('0.04');
  await panel.page.keyboard.press('Tab');
  await expect.poll(() => panel.page.locator(':focus').getAttribute('data-focus')).toBe('save-square');
  await panel.page.keyboard.press('Tab');
  await expect
    .poll(() => panel.page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
    .toBe('Every expert with every other: Adapter');
  await panel.reload();
  await panel.post(message());
  await expect.poll(() => squareCell(panel, 0, 1).innerText()).toBe('0.04');
});

test('draws many experts as a picture, whose numbers are in the list', async () => {
  const panel = await shown({}, 60);
  const picture = panel.page.getByRole('img');
  await expect.poll(() => picture.getAttribute('aria-label')).toBe('Every expert with every other: Gate');
  await picture.hover({ position: { x: 3, y: 3 } });
  await expect.poll(() => picture.getAttribute('title')).toBe('C and C: 1.000');
  const list = panel.page.locator('.tableBox table');
  await expect.poll(() => list.getAttribute('aria-rowcount')).toBe(String((60 * 59) / 2 + 1));
});

test('the square and its list are saved as every figure is: picture, data and caption', async () => {
  const panel = await shown();
  const { page } = panel;
  await panel.press('save-square');
  await page.locator('dialog[open]').waitFor();
  await picture(page, 'similarity-save');
  await expect
    .poll(() => page.locator('.figureCaption').innerText())
    .toMatch(/^Every expert with every other: Gate\. .*model: SmolLM2; all layers\.$/s);
  const kinds = ['svg', 'pdf', 'png', 'csv', 'vega'];
  for (const kind of kinds) await panel.press(`figure-${kind}`);
  await expect.poll(async () => (await panel.sent('save')).map(({ kind }) => kind)).toHaveLength(kinds.length);
  const sent = await panel.sent('save');
  for (const one of sent.filter(({ kind }) => kind !== 'png')) expect(parsePageMessage(one)).toEqual(one);
  const dataOf = (wanted: string) => sent.flatMap((one) => (one.kind === wanted && 'data' in one ? [one.data] : []))[0];
  const rows = (dataOf('csv') as string).trim().split('\r\n');
  expect(rows[0]).toBe('"Expert","Expert 2","Cosine"');
  expect(rows).toHaveLength(1 + 12 * 12);
  expect(rows.slice(1, 3)).toEqual(['"C","C",', expect.stringMatching(/^"C","CSS",0\.346/)]);
  // Both hues: some cosines are below 0.
  expect(dataOf('svg')).toContain('Cosine: −0.35');
  await panel.press('figure-caption');
  await expect.poll(() => panel.sent('copy')).toHaveLength(1);
  expect(await panel.serious()).toEqual([]);
  await panel.press('figure-close');
  await panel.press('save-pairs');
  await panel.press('figure-csv');
  await expect.poll(() => panel.sent('save')).toHaveLength(kinds.length + 1);
  const [list] = (await panel.sent('save')).slice(-1);
  expect(list && 'data' in list && (list.data as string).split('\r\n')[1]).toBe('"C","CSS","0.347","0.087"');
});

test('says so if there are no two experts to compare', async () => {
  const panel = await shown({}, 1);
  await expect.poll(() => panel.page.locator('.similarity').innerText()).toContain('No two experts');
});

testMany(
  ['dark', 'light', 'high-contrast', 'high-contrast-light'] as const,
  'has enough contrast and nothing that axe finds serious in %s, in every width',
  async (theme) => {
    for (const [width, height] of [
      [720, 850],
      [400, 680],
    ] as const) {
      const panel = await shown({ theme, width, height });
      expect(await panel.serious()).toEqual([]);
      // What does not fit scrolls in its own box.
      await expect
        .poll(() => panel.page.evaluate(() => document.querySelector('.similarity')!.scrollWidth))
        .toBeLessThanOrEqual(width);
      await picture(panel.page, `similarity-${theme}-${width}`);
    }
  },
);

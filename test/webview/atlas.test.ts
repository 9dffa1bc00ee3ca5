/** The page of an atlas: its numbers are those of the tables, what is planted is found, and what is not is said so. */
import type { Locator } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { UnitKey } from '../../src/atlas/protocol.js';
import type { TableName } from '../../src/atlas/tables/index.js';
import { number, unitKeyIn, word } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { unitId } from '../../src/protocol/atlas.js';
import { asked, type Made, madeAtlas, openAtlas, planted, refuse, show } from './atlasHost.js';
import type { Panel } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const open = pages();
const made = madeAtlas();

const rowsOf = (table: TableName, { stack, layer, expert }: UnitKey): Row[] =>
  made.tables[table].filter((row) => row['stack'] === stack && row['layer'] === layer && row['expert'] === expert);

/** How many units take a token like this, and how many experts these are. */
function takers({ tables }: Made, token: string): { readonly cells: number; readonly experts: number } {
  const rows = tables.tokens.filter((row) => word(row, 'token').includes(token) && number(row, 'lift') >= 1);
  const distinct = (of: (row: Row) => unknown) => new Set(rows.map(of)).size;
  return { cells: distinct((row) => unitId(unitKeyIn(row))), experts: distinct((row) => row['expert']) };
}

const cell = ({ page }: Panel) => page.locator('.unitMap .cell');
const heading = ({ page }: Panel) => page.locator('h2').innerText();
const figure = ({ page }: Panel, name: string) => page.locator(`[data-figure=${name}]`);
const cellsOf = (table: Locator, row: number) => table.locator('tbody tr').nth(row).locator('th, td').allInnerTexts();

/** Goes to a unit of the map with keys alone. */
async function goTo(panel: Panel, { layer, expert }: UnitKey): Promise<void> {
  await cell(panel).focus();
  await panel.page.keyboard.press('Control+Home');
  for (let i = 0; i < (layer ?? 0); i++) await panel.page.keyboard.press('ArrowDown');
  for (let i = 0; i < expert; i++) await panel.page.keyboard.press('ArrowRight');
}

async function openUnit(panel: Panel, unit: UnitKey): Promise<void> {
  await goTo(panel, unit);
  await panel.page.keyboard.press('Enter');
  await expect.poll(() => heading(panel)).toContain(`layer ${unit.layer}, expert ${unit.expert}`);
}

const field = ({ page }: Panel) =>
  page.getByRole('searchbox').or(page.getByRole('combobox', { name: 'What the experts' }));

async function find(panel: Panel, kind: string, text: string): Promise<void> {
  await panel.page.getByRole('combobox', { name: 'Find experts by' }).selectOption(kind);
  await field(panel).fill(text);
  await panel.page.keyboard.press('Enter');
}

/** The pixels of a cell, as they are on the screen. */
async function pixels(panel: Panel, unit: UnitKey): Promise<string> {
  await goTo(panel, unit);
  await expect
    .poll(() => cell(panel).getAttribute('aria-label'))
    .toContain(`layer ${unit.layer}, expert ${unit.expert}:`);
  return panel.page.evaluate(() => {
    const [canvas, at] = [
      document.querySelector<HTMLCanvasElement>('.unitMap canvas')!,
      document.querySelector<HTMLElement>('.unitMap .cell')!,
    ];
    const ratio = canvas.width / canvas.clientWidth;
    const box = [at.offsetLeft, at.offsetTop, at.offsetWidth, at.offsetHeight].map((x) => Math.round(x * ratio));
    return String(canvas.getContext('2d')!.getImageData(...(box as [number, number, number, number])).data);
  });
}

test('the page of a pool’s expert says which others are most and least alike, once that is asked for', async () => {
  const pool = madeAtlas({ experts: 12, isPool: true });
  const panel = await openAtlas(open, pool);
  await panel.page.locator('.unitMap .cell').focus();
  await panel.page.keyboard.press('Control+Home');
  await panel.page.keyboard.press('Enter');
  const similar = figure(panel, 'atlasSimilar');
  await similar.locator('[data-focus=similar]').waitFor();
  expect(await asked(panel, 'similar')).toEqual([]);
  await similar.locator('[data-focus=similar]').press('Enter');
  const lists = similar.locator('section');
  await expect.poll(() => lists.locator('h4').allInnerTexts()).toEqual(['Nearest', 'Farthest']);
  expect(await cellsOf(lists.nth(0).locator('table'), 0)).toEqual(['all layers, CSS', '0.500', '0.250']);
  expect(await cellsOf(lists.nth(1).locator('table'), 0)).toEqual(['all layers, Prose', '0.083', '0.042']);
  expect(await lists.nth(0).locator('tbody tr').count()).toBe(4);
  // The next expert’s is there without another press; C has no adapter.
  await lists.nth(0).getByRole('button', { name: 'CSS' }).click();
  await expect.poll(() => heading(panel)).toContain('CSS');
  await expect.poll(() => asked(panel, 'similar')).toHaveLength(2);
  await expect.poll(() => cellsOf(lists.nth(0).locator('table'), 0)).toEqual(['all layers, C', '0.500', '–']);
  await similar.locator('[data-focus=compare-experts]').click();
  await expect
    .poll(() => panel.page.evaluate(() => (window as unknown as { sent: { type: string }[] }).sent.at(-1)?.type))
    .toBe('compareExperts');
  expect(await panel.serious()).toEqual([]);
  await picture(panel.page, 'atlas-similar', { fullPage: true });
});

describe('the overview', () => {
  test('draws each unit by its load; dead and overloaded ones have marks of their own', async () => {
    const panel = await openAtlas(open, made);
    await expect.poll(() => panel.page.locator('h1').innerText()).toBe('planted.gander-atlas');
    const [dead, overloaded, nothing] = [
      await pixels(panel, planted.dead),
      await pixels(panel, planted.overloaded),
      await pixels(panel, planted.nothing),
    ];
    expect(new Set([dead, overloaded, nothing]).size).toBe(3);
    // A mark is drawn in black or white, whatever the colours of the theme.
    const isMarked = (data: string) => /(^|,)(0,0,0|255,255,255),255(,|$)/.test(data);
    expect([dead, overloaded, nothing].map(isMarked)).toEqual([true, true, false]);
    await goTo(panel, planted.dead);
    await expect.poll(() => panel.page.locator('.readout').innerText()).toContain('dead: no token chose it');
    await expect.poll(() => panel.page.locator('.mapLegend').innerText()).toContain('overloaded');
  });

  test('is walked with the keyboard, and says the numbers of the unit that it is on', async () => {
    const panel = await openAtlas(open, made);
    await goTo(panel, planted.law);
    const [row] = rowsOf('experts', planted.law);
    const load = `${Math.round(100 * number(row, 'load'))}%`;
    await expect
      .poll(() => cell(panel).getAttribute('aria-label'))
      .toBe(`layer 0, expert 5: load ${load}, by chance 13%`);
    await expect.poll(() => panel.page.locator('[role=status]').last().innerText()).toContain('layer 0, expert 5');
    await panel.page.keyboard.press('End');
    await expect.poll(() => cell(panel).getAttribute('aria-colindex')).toBe('8');
    await panel.page.keyboard.press('ArrowRight');
    await panel.page.keyboard.press('PageDown');
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toContain('layer 2, expert 7');
  });

  test('is coloured by the lift of a label, which marks what is specialised in it', async () => {
    const panel = await openAtlas(open, made);
    const { page } = panel;
    await page.getByRole('combobox', { name: 'Colour by' }).selectOption('lift');
    await page.getByRole('combobox', { name: 'Label', exact: true }).selectOption('law');
    await goTo(panel, planted.law);
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toMatch(/law: lift \+\d\.\d\d, .* specialised$/);
    await page.keyboard.press('Home');
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toContain('not specialised');
    // Nothing is known of the labels of a unit that nobody chose.
    await goTo(panel, planted.dead);
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toContain('dead');
    await page.getByRole('combobox', { name: 'Colour by' }).selectOption('ablation');
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toContain('was not knocked out');
  });

  test('has a table that says the same, and one of the layers that the keyboard walks', async () => {
    const panel = await openAtlas(open, made);
    const { page } = panel;
    await page.getByRole('button', { name: 'Show as table: Load' }).click();
    const table = figure(panel, 'atlas_load').locator('table');
    await expect.poll(() => table.locator('tbody tr').count()).toBe(24);
    expect(await cellsOf(table, 8 + 3)).toEqual(['layer 1, expert 3', '0%', '13%', 'too few documents', 'dead']);
    const layers = figure(panel, 'atlasLayers').locator('table');
    const [first] = made.tables.layers;
    expect((await cellsOf(layers, 1))[1]).toBe('1 of 8 (0.0)');
    expect((await cellsOf(layers, 0))[2]).toBe(
      `${number(first, 'cv').toFixed(2)} (${number(first, 'cvChance').toFixed(2)})`,
    );
    await layers.getByRole('button', { name: 'layer 0' }).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('layer 2');
  });

  test('finds the units that take a label, a token or a text', async () => {
    const panel = await openAtlas(open, made);
    const found = figure(panel, 'atlasFound');
    await find(panel, 'label', 'law');
    await expect.poll(() => cellsOf(found.locator('table'), 0)).toContain('layer 0, expert 5');
    await expect.poll(() => found.locator('tbody tr').count()).toBe(1);
    await find(panel, 'token', 'w7 ');
    await expect.poll(() => cellsOf(found.locator('table'), 0)).toContain('layer 1, expert 2');
    await find(panel, 'text', 'law');
    await expect.poll(() => found.locator('tbody tr').first().innerText()).toContain('90%');
    expect((await asked(panel, 'text')).at(-1)).toEqual({ text: 'law' });
    await find(panel, 'label', 'xyz');
    await expect.poll(() => found.innerText()).toContain('No expert is specialised in a label like “xyz”');
  });

  test('counts experts where each layer has its own, and cells of the map where a pool has the same in all', async () => {
    const said = (panel: Panel) => figure(panel, 'atlasFound').locator('p').first();
    const own = await openAtlas(open, made);
    const mixture = takers(made, 'w1');
    await find(own, 'token', 'w1');
    await expect.poll(() => said(own).innerText()).toBe(`${mixture.cells} experts, outlined on the map.`);
    const pool = madeAtlas({ experts: 12, isPool: true });
    const panel = await openAtlas(open, pool);
    const { cells, experts } = takers(pool, 'w1');
    expect(experts).toBeLessThan(cells);
    await find(panel, 'token', 'w1');
    const words = `${experts} experts in ${cells} cells, outlined on the map.`;
    await expect.poll(() => said(panel).innerText()).toBe(words);
    expect(await panel.page.locator('[role=status]', { hasText: 'outlined' }).innerText()).toBe(words);
    expect(await figure(panel, 'atlasFound').locator('thead th').first().innerText()).toBe('Layer, expert');
    // Its first row has one cell for all layers.
    expect(await figure(panel, 'atlas_load').locator('.caption').innerText()).toContain(
      'A cell is one expert in one layer or, at the top, over all layers.',
    );
    await find(panel, 'label', 'law');
    await expect.poll(() => said(panel).innerText()).toMatch(/^1 expert in \d+ cells?, outlined on the map\.$/);
    await goTo(panel, { ...planted.law, layer: 0, expert: 0 });
    await panel.page.keyboard.press('Enter');
    await expect.poll(() => heading(panel)).toBe('all layers, C');
    expect(await figure(panel, 'atlasUnit').innerText()).toContain('of the choices in these layers');
  });

  test('draws 128 experts a layer as one picture, also where they do not fit', async () => {
    const panel = await openAtlas(open, madeAtlas({ experts: 128, layers: 2, documents: 40 }), {
      width: 400,
      height: 700,
    });
    await expect
      .poll(() => panel.page.locator('.unitMap canvas').evaluate((one) => one.clientWidth))
      .toBeGreaterThan(1000);
    await cell(panel).focus();
    await panel.page.keyboard.press('End');
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toContain('expert 127');
    // The cursor is scrolled into view, and the page does not scroll sideways.
    await expect.poll(() => cell(panel).evaluate((one) => one.getBoundingClientRect().right)).toBeLessThanOrEqual(400);
    await expect
      .poll(() => panel.page.evaluate(() => document.querySelector('.atlas')!.scrollWidth))
      .toBeLessThanOrEqual(400);
  });

  test('shows a pool’s experts over all layers, too, by name', async () => {
    const panel = await openAtlas(open, madeAtlas({ experts: 12, isPool: true }));
    await cell(panel).focus();
    await panel.page.keyboard.press('Control+Home');
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toContain('all layers, C:');
    await panel.page.keyboard.press('ArrowDown');
    await panel.page.keyboard.press('ArrowRight');
    await panel.page.keyboard.press('Enter');
    await expect.poll(() => heading(panel)).toBe('layer 0, CSS');
  });

  test('of a corpus without labels offers no colours by label', async () => {
    const panel = await openAtlas(open, madeAtlas({ isUnlabelled: true }));
    const option = panel.page.getByRole('combobox', { name: 'Colour by' }).locator('option[value=lift]');
    await expect.poll(() => option.innerText()).toContain('the corpus has no labels to compare');
    await openUnit(panel, planted.law);
    await expect.poll(() => panel.page.locator('.verdict').innerText()).toContain('No specialisation can be found');
  });
});

/** What a hidden editor does: its page goes, and another comes with what that one kept. */
async function hideAndShow(panel: Panel): Promise<void> {
  await panel.reload();
  await show(panel, made);
  await panel.page.locator('h1').waitFor();
}

describe('after its editor was hidden, the page', () => {
  test.for([
    ['label', 'law', 'layer 0, expert 5'],
    ['token', 'w7 ', 'layer 1, expert 2'],
  ] as const)('shows again what was searched for, by %s', async ([kind, text, unit]) => {
    const panel = await openAtlas(open, made);
    const found = figure(panel, 'atlasFound');
    await find(panel, kind, text);
    await expect.poll(() => cellsOf(found.locator('table'), 0)).toContain(unit);
    const rows = await found.locator('tbody').innerText();
    const outlined = await pixels(panel, planted.law);
    await hideAndShow(panel);
    await expect.poll(() => field(panel).inputValue()).toBe(text);
    expect(await panel.page.getByRole('combobox', { name: 'Find experts by' }).inputValue()).toBe(kind);
    await expect.poll(() => found.locator('tbody').innerText()).toBe(rows);
    expect(await pixels(panel, planted.law)).toBe(outlined);
    await found.getByRole('button', { name: 'Clear' }).click();
    await hideAndShow(panel);
    await panel.settled();
    expect(await found.count()).toBe(0);
  });

  test('has a text that was searched for in its field, but does not run it unasked', async () => {
    const panel = await openAtlas(open, made);
    await find(panel, 'text', 'law');
    await figure(panel, 'atlasFound').locator('table').waitFor();
    await hideAndShow(panel);
    await expect.poll(() => field(panel).inputValue()).toBe('law');
    await panel.settled();
    expect(await figure(panel, 'atlasFound').count()).toBe(0);
    await field(panel).press('Enter');
    await figure(panel, 'atlasFound').locator('table').waitFor();
  });

  test('has the words that were not searched for yet, beside what was, from a unit’s page, too', async () => {
    const panel = await openAtlas(open, made);
    const found = figure(panel, 'atlasFound');
    await find(panel, 'label', 'law');
    await found.locator('table').waitFor();
    await field(panel).fill('vers');
    await openUnit(panel, planted.law);
    await hideAndShow(panel);
    await expect.poll(() => heading(panel)).toContain('layer 0, expert 5');
    await panel.page.keyboard.press('Escape');
    await expect.poll(() => field(panel).inputValue()).toBe('vers');
    expect(await found.locator('h3').innerText()).toContain('Experts for “law”');
  });

  test('is where it was scrolled to', async () => {
    const panel = await openAtlas(open, made, { width: 700, height: 400 });
    const box = panel.page.locator('.atlas');
    const scrolled = () => box.evaluate((one) => one.scrollTop);
    const scroll = async (to: number) => {
      await box.evaluate((one, to) => (one.scrollTop = to), to);
      await expect.poll(() => panel.page.evaluate(() => sessionStorage.getItem('state'))).toContain(`"scrolled":${to}`);
    };
    await figure(panel, 'atlasLayers').locator('table').waitFor();
    await scroll(150);
    await hideAndShow(panel);
    await expect.poll(scrolled).toBe(150);
    await openUnit(panel, planted.law);
    await expect.poll(scrolled).toBe(0);
    await figure(panel, 'atlasContexts').getByRole('listitem').first().waitFor();
    await scroll(900);
    await hideAndShow(panel);
    await expect.poll(scrolled).toBe(900);
  });
});

describe('a unit’s page', () => {
  test('has the numbers of the tables', async () => {
    const panel = await openAtlas(open, made);
    await openUnit(panel, planted.law);
    const [row] = rowsOf('experts', planted.law);
    await expect
      .poll(() => panel.page.locator('.verdict').innerText())
      .toMatch(/^Specialised in law: chosen \d\.\d times/);
    const load = figure(panel, 'atlasUnit');
    for (const name of ['tokens', 'documents'])
      await expect.poll(() => load.innerText()).toContain(number(row, name).toLocaleString('en'));
    const law = rowsOf('labels', planted.law).find((one) => one['label'] === 'law');
    const labels = await cellsOf(figure(panel, 'atlasLabels').locator('table'), 0);
    expect(labels[0]).toBe('law');
    expect(labels.slice(2)).toEqual([
      'specialised',
      `+${number(law, 'lift').toFixed(2)}`,
      `+${number(law, 'low').toFixed(2)} to +${number(law, 'high').toFixed(2)}`,
      number(law, 'q') < 0.001 ? '<0.001' : number(law, 'q').toFixed(3),
      `${Math.round(100 * number(law, 'share'))}%`,
      `+${number(law, 'firstHalf').toFixed(2)}, +${number(law, 'secondHalf').toFixed(2)}`,
    ]);
    const ablation = figure(panel, 'atlasAblation');
    await expect.poll(() => ablation.innerText()).toContain('hurts more than knocking out another expert:');
    const [top] = rowsOf('ablations', planted.law);
    await expect.poll(() => ablation.innerText()).toContain(number(top, 'difference').toFixed(3).replace('-', '−'));
  });

  test('has the tokens that it is chosen at, and who is chosen after it', async () => {
    const panel = await openAtlas(open, made);
    await openUnit(panel, planted.token);
    const [token] = rowsOf('tokens', planted.token).filter((row) => row['kind'] === 'read');
    const read = figure(panel, 'atlasTokens').locator('table').first();
    await expect.poll(() => read.locator('tbody tr').count()).toBeGreaterThan(0);
    const cells = await cellsOf(read, 0);
    expect([cells[0], ...cells.slice(2)]).toEqual([
      'w7␣',
      String(number(token, 'count')),
      number(token, 'expected').toFixed(1),
      `+${number(token, 'lift').toFixed(2)}`,
    ]);
    const after = figure(panel, 'atlasPairs').getByRole('button', { name: /layer 2/ });
    await after.first().click();
    await expect.poll(() => heading(panel)).toContain('layer 2');
    await panel.page.keyboard.press('Escape');
    await expect.poll(() => heading(panel)).toContain('layer 1, expert 2');
    await panel.page.keyboard.press('Escape');
    await expect.poll(() => cell(panel).getAttribute('aria-label')).toContain('layer 1, expert 2');
    await expect.poll(() => cell(panel).evaluate((one) => document.activeElement === one)).toBe(true);
  });

  test('says plainly that nothing was found, and offers no name for it', async () => {
    const panel = await openAtlas(open, made);
    await openUnit(panel, planted.nothing);
    const { page } = panel;
    await expect
      .poll(() => page.locator('.verdict').innerText())
      .toMatch(/^No specialisation found\..* (too small|may be chance|not so in both halves)/);
    const lacks = await figure(panel, 'atlasLabels').locator('tbody td:nth-child(3)').allInnerTexts();
    expect(lacks.every((text) => /too small|may be chance|not in both halves/.test(text))).toBe(true);
    expect(await page.getByRole('button', { name: /Use the label/ }).count()).toBe(0);
    await expect.poll(() => figure(panel, 'atlasAblation').innerText()).toContain('hurts no more than');
    await page.keyboard.press('Escape');
    await openUnit(panel, planted.dead);
    await expect.poll(() => page.locator('.verdict').innerText()).toBe('Dead: no token of the corpus chose it.');
    expect(await page.locator('body').innerText()).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });

  test('of few documents has no interval, and says so', async () => {
    const panel = await openAtlas(open, madeAtlas({ documents: 4 }));
    await openUnit(panel, planted.law);
    await expect.poll(() => figure(panel, 'atlasUnit').innerText()).toContain('too few documents');
    await expect.poll(() => panel.page.locator('.verdict').innerText()).toMatch(/^No specialisation found\./);
    expect((await figure(panel, 'atlasLabels').locator('tbody').innerText()).match(/too few documents/g)?.length).toBe(
      4,
    );
  });

  test('opens a context at its place, beside top and random ones', async () => {
    const panel = await openAtlas(open, made);
    await openUnit(panel, planted.law);
    const contexts = figure(panel, 'atlasContexts');
    await expect.poll(() => contexts.getByRole('listitem').count()).toBe(16);
    const [top, random] = await Promise.all(
      ['Largest weights', 'Random places'].map((name) => contexts.getByRole('region', { name }).boundingBox()),
    );
    expect([top!.y === random!.y, top!.x + top!.width <= random!.x]).toEqual([true, true]);
    await contexts.getByRole('region', { name: 'Random places' }).getByRole('button').nth(1).click();
    const row = rowsOf('contexts', planted.law).find((one) => one['kind'] === 'random' && one['rank'] === 1)!;
    const { document, start, end } = row;
    await expect.poll(() => asked(panel, 'open')).toEqual([{ document, sequence: 0, start, end }]);
  });

  testMany(
    [400, 1280],
    'says beside the context that was pressed, in view and once, that its document is not here ($0 pixels)',
    async (width) => {
      const panel = await openAtlas(open, made, { width, height: 720 });
      await openUnit(panel, planted.law);
      const context = panel.page.locator('[data-focus=context-top-7]');
      await context.scrollIntoViewIfNeeded();
      const error = {
        code: 'io' as const,
        message: 'law/1.txt is not here.',
        remedy: 'Open the folder that the corpus is in, then try again.',
      };
      await refuse(panel, 'open', error);
      await context.click();
      const alert = panel.page.getByRole('alert');
      await expect.poll(() => alert.innerText()).toBe(`${error.message} ${error.remedy}`);
      expect(await alert.count()).toBe(1);
      const [said, pressed] = [(await alert.boundingBox())!, (await context.boundingBox())!];
      expect(said.y).toBeCloseTo(pressed.y + pressed.height, -1);
      expect(pressed.y).toBeGreaterThanOrEqual(0);
      expect(said.y + said.height).toBeLessThanOrEqual(720);
      await picture(panel.page, `atlas-context-gone-${width}`);
      expect(await panel.serious()).toEqual([]);
      // Another press takes it away from here.
      await panel.page.locator('[data-focus=context-top-6]').click();
      await expect.poll(() => panel.page.locator('li:has([data-focus=context-top-6]) [role=alert]').count()).toBe(1);
      expect(await alert.count()).toBe(1);
    },
    { quick: 2 },
  );

  test('keeps a name and a note, and offers the label that was found', async () => {
    const panel = await openAtlas(open, made);
    const { page } = panel;
    await openUnit(panel, planted.law);
    await page.getByRole('button', { name: 'Use the label found: law' }).click();
    await page.getByRole('textbox', { name: 'Note' }).fill('Contracts, mostly.');
    await page.getByRole('button', { name: 'Keep' }).click();
    await expect.poll(() => heading(panel)).toBe('layer 0, expert 5 “law”');
    expect(await asked(panel, 'name')).toEqual([{ ...planted.law, name: 'law', note: 'Contracts, mostly.' }]);
  });

  test('is where the host leads to, and is there again after a reload', async () => {
    const panel = await openAtlas(open, made);
    await panel.post({ type: 'unit', unit: planted.dead });
    await expect.poll(() => heading(panel)).toBe('layer 1, expert 3');
    const own = { ...planted.dead, name: 'nobody', note: '' };
    await panel.post({ type: 'names', names: [own] });
    await expect.poll(() => heading(panel)).toBe('layer 1, expert 3 “nobody”');
    await panel.reload();
    await show(panel, made, [own]);
    await expect.poll(() => heading(panel)).toBe('layer 1, expert 3 “nobody”');
  });
});

test('every figure is saved for a paper or as data, its table as it is, and has its "?"', async () => {
  const panel = await openAtlas(open, made);
  const { page } = panel;
  const saves = async () =>
    (await asked(panel, 'save')) as { readonly kind: string; readonly name: string; readonly data: string }[];
  const last = async (act: () => Promise<void>) => {
    const before = (await saves()).length;
    await act();
    await expect.poll(async () => (await saves()).length).toBe(before + 1);
    return (await saves()).at(-1)!;
  };
  const inDialog = (name: string) => last(() => page.locator(`[data-focus="figure-${name}"]`).click());
  const table = (name: string, item: string) =>
    last(async () => {
      await page.getByRole('button', { name: `Save table: ${name}` }).click();
      await page.getByRole('menuitem', { name: item }).click();
    });

  await page.getByRole('button', { name: 'Save figure: Load', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  const map = await inDialog('svg');
  expect(map.data).toContain('<svg xmlns="http://www.w3.org/2000/svg" width="85mm"');
  for (const words of ['Layer', 'Expert', 'Load ÷ chance (log2):', '+3.00 or more', 'dead: no token chose it'])
    expect(map.data).toContain(`>${words}`);
  expect((await inDialog('pdf')).kind).toBe('pdf');
  await inDialog('png');
  const png = await page.evaluate(() => {
    const { sent } = window as unknown as { sent: { request?: { kind?: string; data: ArrayBuffer } }[] };
    return [...new Uint8Array(sent.find(({ request }) => request?.kind === 'png')!.request!.data)].slice(1, 4);
  });
  expect(String.fromCharCode(...png)).toBe('PNG');
  const cells = (await inDialog('csv')).data.trim().split('\r\n');
  expect(cells).toHaveLength(24 + 1);
  expect(cells.filter((row) => row.startsWith('"1","3",'))).toEqual(['"1","3",,1,0']);
  const vega = JSON.parse((await inDialog('vega')).data) as { description: string; encoding: { color: object } };
  expect(vega.description).toContain('Blue: chosen more often than by chance');
  expect(vega.encoding.color).toMatchObject({ scale: { domain: [-3, 0, 3] } });
  expect(await dialog.innerText()).not.toContain('font lacks');
  await picture(page, 'atlas-save-figure');
  await page.getByRole('button', { name: '174 mm' }).click();
  expect((await inDialog('svg')).data).toContain('<svg xmlns="http://www.w3.org/2000/svg" width="174mm"');
  await picture(page, 'atlas-save-figure-174');
  await page.keyboard.press('Escape');
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-focus')))
    .toBe('save-atlas_load');

  const units = await table('Load', 'All columns (CSV)');
  expect(units.data.split('\r\n')).toHaveLength(24 + 2);
  expect(units.data).toMatch(/^stack,layer,router,expert,name,tokens,documents,load,low,high,chance,/);
  await openUnit(panel, planted.law);
  await page.getByRole('button', { name: 'Save figure: Labels' }).click();
  const bars = await inDialog('svg');
  expect(bars.data).toContain('layer 0, expert 5: Labels');
  // An axis that says what the bars are, and their whiskers.
  expect(bars.data).toContain('>Lift (log2)<');
  expect(bars.data).toContain('>95% interval<');
  await page.keyboard.press('Escape');
  const labels = await table('Labels', 'All columns (CSV)');
  expect(labels.name).toBe('layer 0, expert 5 labels');
  expect(labels.data).toContain('"law"');
  expect((await table('Labels', 'Table (Markdown)')).data).toMatch(/\| law \| specialised \|/);
  for (const part of await page.locator('.figure').all()) {
    await part.getByRole('button', { name: /^What this says/ }).click();
    await expect.poll(() => page.getByRole('dialog').innerText()).toContain('By chance');
    await page.keyboard.press('Escape');
  }
});

test.for([
  [1280, 720],
  [1440, 900],
  [400, 700],
] as const)('has its first figure in view at %i × %i, and does not scroll sideways', async ([width, height]) => {
  const panel = await openAtlas(open, made, { width, height });
  const inView = async (what: Locator) => {
    await what.waitFor();
    const box = (await what.boundingBox())!;
    expect(box.y + box.height).toBeLessThanOrEqual(height);
    expect(await panel.page.evaluate(() => document.querySelector('.atlas')!.scrollWidth)).toBeLessThanOrEqual(width);
  };
  await inView(panel.page.locator('.unitMap'));
  await openUnit(panel, planted.law);
  await inView(figure(panel, 'atlasUnit'));
  if (width > 1000) await inView(figure(panel, 'atlasLabels').locator('table'));
});

test.for([
  [1280, 720],
  [1440, 900],
  [400, 700],
] as const)('cuts off no column of any table at %i × %i', async ([width, height]) => {
  const panel = await openAtlas(open, madeAtlas({ experts: 12, isPool: true }), { width, height });
  const { page } = panel;
  const asTable = async (by: string) => {
    await page.getByRole('combobox', { name: 'Colour by' }).selectOption(by);
    await page.getByRole('button', { name: /^Show as table/ }).click();
    await figure(panel, `atlas_${by}`).locator('table').waitFor();
    expect(await cut()).toEqual([]);
    await page.locator('[data-focus=table-map]').click();
  };
  const shown = async () => {
    await panel.settled();
    return page.locator('.tableBox').evaluateAll((all) => {
      const isCut = (box: Element) => box.scrollWidth > box.clientWidth;
      const isHidden = (cell: Element) => {
        const { left, right } = cell.getBoundingClientRect();
        return right > innerWidth || left < 0;
      };
      return all.map((box) => ({
        of: box.getAttribute('aria-label'),
        isCut: isCut(box) || [...box.querySelectorAll('td')].some(isHidden),
      }));
    });
  };
  const cut = async () => (await shown()).filter(({ isCut }) => isCut);
  await cell(panel).waitFor();
  for (const by of ['load', 'lift', 'specialisation', 'entropy']) await asTable(by);
  await cell(panel).focus();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('Enter');
  await figure(panel, 'atlasSimilar').locator('[data-focus=similar]').click();
  await figure(panel, 'atlasSimilar').locator('table').first().waitFor();
  expect((await shown()).length).toBeGreaterThan(3);
  expect(await cut()).toEqual([]);
  await panel.reload();
  await show(panel, made);
  await page.keyboard.press('Escape');
  await asTable('ablation');
  await openUnit(panel, planted.token);
  await figure(panel, 'atlasPairs').locator('table').first().waitFor();
  expect(await cut()).toEqual([]);
  await page.keyboard.press('Escape');
  await openUnit(panel, planted.law);
  await figure(panel, 'atlasAblation').locator('table').waitFor();
  expect(await cut()).toEqual([]);
});

/** How the boxes that scroll begin: what is cut through at their lower end, and whether they have an edge. */
const boxesThatScroll = ({ page }: Panel) =>
  page.locator('.fitting .tableBox').evaluateAll((all) =>
    all
      .filter((box) => box.scrollHeight > box.clientHeight + 1)
      .map((box) => {
        const end = box.getBoundingClientRect().bottom - 1.5;
        const isCut = [...box.querySelectorAll('tbody tr')].some((row) => {
          const { top, bottom } = row.getBoundingClientRect();
          return top + 1 < end && bottom > end + 1.5;
        });
        return { of: box.getAttribute('aria-label'), isCut, edge: getComputedStyle(box).borderBottomWidth };
      }),
  );

testMany(
  [
    [520, 780],
    [690, 600],
    [1230, 640],
  ] as const,
  'a table that scrolls ends with a whole row and has an edge, at %j',
  async ([width, height]) => {
    const panel = await openAtlas(open, madeAtlas({ layers: 40 }), { width, height });
    await figure(panel, 'atlasLayers').locator('tbody tr').first().waitFor();
    await panel.settled();
    await picture(panel.page, `atlas-scrolls-${width}`, { fullPage: true });
    const found = await boxesThatScroll(panel);
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(({ isCut, edge }) => isCut || edge === '0px')).toEqual([]);
  },
);

testMany(
  [
    [1280, 720, 'dark'],
    [700, 600, 'dark'],
    [400, 700, 'dark'],
    [1440, 900, 'high-contrast'],
  ] as const,
  'several things found are in view at once, and it is said that there are more, at %j',
  async ([width, height, theme]) => {
    const panel = await openAtlas(open, madeAtlas({ experts: 12, isPool: true }), { width, height, theme });
    await find(panel, 'token', 'w');
    const found = figure(panel, 'atlasFound');
    await found.locator('table').waitFor();
    await panel.settled();
    const all = await found.locator('tbody tr').count();
    const inView = () =>
      found.locator('.tableBox').evaluate((box) => {
        const [top, end] = [
          box.querySelector('thead')!.getBoundingClientRect().bottom,
          box.getBoundingClientRect().bottom,
        ];
        return [...box.querySelectorAll('tbody tr')].flatMap((row, i) => {
          const own = row.getBoundingClientRect();
          return own.top >= top - 2 && own.bottom <= Math.min(end, innerHeight) + 1 ? [i + 1] : [];
        });
      });
    const seen = found.locator('.rowsSeen');
    const rows = await inView();
    expect(rows.length).toBeGreaterThanOrEqual(width < 500 ? 3 : 6);
    expect(rows.length).toBeLessThan(all);
    await expect.poll(() => seen.innerText()).toBe(`Rows 1 to ${rows.length} of ${all}; scroll for the others.`);
    const box = (await seen.boundingBox())!;
    expect(box.y + box.height).toBeLessThanOrEqual(height);
    await picture(panel.page, `atlas-found-${width}-${theme}`);
    expect(await panel.serious()).toEqual([]);
    await found.locator('.tableBox').evaluate((one) => (one.scrollTop = one.scrollHeight));
    await expect.poll(() => seen.innerText()).toMatch(new RegExp(`^Rows \\d+ to ${all} of ${all}`));
    // What is found next, which is as long, begins at its first row.
    await find(panel, 'token', ' ');
    await expect.poll(() => seen.innerText()).toMatch(/^Rows 1 to/);
  },
  { quick: 3 },
);

test('beside the panel, what an expert’s labels say is in columns, each value with its head', async () => {
  const panel = await openAtlas(open, made, { width: 520, height: 780 });
  await openUnit(panel, planted.law);
  const labels = figure(panel, 'atlasLabels');
  await labels.locator('.stacked').waitFor();
  await panel.settled();
  await picture(panel.page, 'atlas-labels-narrow', { fullPage: true });
  const rows = await labels.locator('tbody tr').evaluateAll((all) =>
    all.map((row) =>
      [...row.querySelectorAll('td')].slice(1).map((cell) => {
        const head = cell.querySelector('.cellHead')!;
        const { left, top } = cell.getBoundingClientRect();
        return { left, top: top - row.getBoundingClientRect().top, after: getComputedStyle(head, '::after').content };
      }),
    ),
  );
  expect(rows.length).toBeGreaterThan(2);
  // The same value is at the same place in each row, and a line has two at most.
  for (const row of rows) expect(row.map(({ left }) => left)).toEqual(rows[0]!.map(({ left }) => left));
  expect(new Set(rows[0]!.map(({ left }) => left)).size).toBe(2);
  expect(rows.flat().every(({ after }) => after.includes(':'))).toBe(true);
});

test('the words of the field in the heads of its tables are explained under them', async () => {
  const panel = await openAtlas(open, made);
  const terms = (name: string) => figure(panel, name).locator('.terms').innerText();
  for (const said of ['load CV', 'effective', 'MaxVio']) expect(await terms('atlasLayers')).toContain(said);
  await openUnit(panel, planted.law);
  expect(await terms('atlasLabels')).toContain('q of everything');
  expect(await figure(panel, 'atlasLabels').locator('.caption').innerText()).toMatch(/^Lift: how much more often/);
  await expect.poll(() => terms('atlasAblation')).toContain('q of everything');
  for (const name of ['atlasTokens', 'atlasPairs'])
    expect(await figure(panel, name).locator('.caption').innerText()).toContain('Lift: how far above');
  const score = figure(panel, 'atlasUnit').locator('dt', { hasText: 'Mean router score' }).locator('+ dd');
  expect(await score.innerText()).toContain('what the router gave it there');
});

testMany(
  ['dark', 'light', 'high-contrast', 'high-contrast-light'] as const,
  'has enough contrast and nothing that axe finds serious in %s, in every width',
  async (theme) => {
    for (const [width, height] of [
      [1280, 720],
      [400, 700],
    ] as const) {
      const panel = await openAtlas(open, made, { theme, width, height });
      await cell(panel).waitFor();
      expect(await panel.serious()).toEqual([]);
      await picture(panel.page, `atlas-${theme}-${width}`);
      await openUnit(panel, planted.law);
      await figure(panel, 'atlasContexts').getByRole('listitem').first().waitFor();
      expect(await panel.serious()).toEqual([]);
      await picture(panel.page, `atlas-unit-${theme}-${width}`, { fullPage: true });
    }
  },
);

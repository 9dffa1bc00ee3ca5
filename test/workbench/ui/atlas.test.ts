// An atlas from a folder to a name in the hover, in a window of a small laptop. The steps follow one another.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hoverText, openContainer } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
const kinds = {
  code: (i: number) => `def f${i}(a, b):\n    return a + ${i} * b\n`,
  prose: (i: number) => `The cat sat on mat ${i}, and the mat was flat.\n`,
  sql: (i: number) => `SELECT name, ${i} FROM geese ORDER BY name;\n`,
};
let window: Window;

beforeAll(async () => {
  for (const [kind, textOf] of Object.entries(kinds)) {
    mkdirSync(path.join(folder, 'corpus', kind), { recursive: true });
    for (let i = 0; i < 10; i++) writeFileSync(path.join(folder, 'corpus', kind, `${kind}${i}.txt`), textOf(i));
  }
  window = await Window.open(folder, { settings: { 'gander.pool': tinyPool } });
  await window.page.setViewportSize({ width: 1280, height: 720 });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const expert = () => window.page.locator('.pane-body .monaco-list-row', { hasText: 'Zeta' });

/** Opens the menu of a row by keyboard, and runs its command. */
async function runFromMenu(row: ReturnType<typeof expert>, command: string): Promise<void> {
  const item = window.page.locator('.monaco-menu .action-item', { hasText: command });
  await row.click();
  await row.press('Shift+F10');
  await item.waitFor();
  for (let left = 20; left > 0 && !(await item.and(window.page.locator('.focused')).isVisible()); left--)
    await window.page.keyboard.press('ArrowDown');
  await window.page.keyboard.press('Enter');
  await item.waitFor({ state: 'hidden' });
}

step('is made of a folder, after it was said what it takes', async () => {
  const { page } = window;
  await openContainer(page, 'Explorer');
  await runFromMenu(page.locator('.explorer-folders-view .monaco-list-row', { hasText: 'corpus' }), 'Make Atlas…');
  await page.locator('.quick-input-widget .monaco-list-row.focused', { hasText: 'Its Folder' }).waitFor();
  await window.input.press('Enter');
  const dialog = page.locator('.monaco-dialog-box');
  await dialog.waitFor();
  expect(await dialog.innerText()).toMatch(/30 documents, about [\d,]+ tokens[^]*3 labels: code, prose, sql/);
  await window.shot('atlas-plan');
  await page.keyboard.press('Enter');
  await page.locator('.quick-input-title', { hasText: 'Where to put the atlas' }).waitFor();
  await expect.poll(() => window.input.inputValue()).toContain('corpus.gander-atlas');
  await window.input.press('Enter');
  const told = page.locator('.notification-toast', { hasText: /corpus is made: 30 documents/ });
  await told.locator('.monaco-button', { hasText: 'Open' }).click();
  await window.panel.getByRole('heading', { name: 'corpus' }).waitFor();
  await expect.poll(() => window.panel.locator('canvas').count()).toBeGreaterThan(0);
  await window.shot('atlas');
});

step('shows an expert’s page from the tree', async () => {
  await openContainer(window.page, 'Gander');
  await runFromMenu(expert(), 'Show in Atlas');
  await window.panel.getByRole('heading', { name: /all layers.*Zeta/ }).waitFor();
  await expect.poll(() => window.panel.locator('.contexts button').count()).toBeGreaterThan(2);
  await window.shot('atlas-unit');
});

step('keeps the name that a person gives, and the tree shows it', async () => {
  const name = window.panel.getByRole('textbox', { name: 'Name' });
  await name.fill('closing brackets');
  await name.press('Enter');
  await expert().filter({ hasText: 'closing brackets' }).waitFor();
  const kept = JSON.parse(readFileSync(path.join(folder, 'corpus.gander-atlas/names.json'), 'utf8')) as object;
  expect(kept).toMatchObject({ names: [{ layer: null, name: 'closing brackets' }] });
});

let file = '';
const routing = () => window.page.locator('.tab', { hasText: 'Routing:' });

step('opens a context where it is and routes it there; the hover says the name', async () => {
  const { page } = window;
  await window.panel.locator('.contexts button').first().click();
  await routing().waitFor();
  file = (await routing().innerText()).replace('Routing:', '').trim();
  expect(file).toMatch(/^(code|prose|sql)\d\.txt$/);
  // Some token of the text goes to the expert.
  const words = readFileSync(path.join(folder, 'corpus', file.replace(/\d.*$/, ''), file), 'utf8').match(/\w{2,}/g)!;
  let told = '';
  for (const word of words) if (!told.includes('closing brackets')) told = await hoverText(page, file, word);
  expect(told).toContain('closing brackets');
  expect(told).toContain('Show in the atlas');
  await window.shot('atlas-hover');
});

/** The atlas's page and the panel may be side by side. */
async function atlasPage() {
  for (const frame of window.page.frames()) if (await frame.locator('.atlas').count()) return frame;
  return undefined;
}

/** Follows a link of the panel to the expert's page, leaves that page for the overview, and comes back to the panel. */
async function leadsToItsPage(link: Locator, shot: string): Promise<void> {
  const heading = async () => (await (await atlasPage())?.locator('h2').allInnerTexts())?.join('');
  await link.click();
  await expect.poll(heading).toMatch(/all layers.*Zeta “closing brackets”/);
  await window.shot(shot);
  await (await atlasPage())!.locator('[data-focus=back]').click();
  await expect.poll(heading).toBe('');
  for (const tab of [window.page.locator(`.tab[aria-label^="${file}"]`), routing()]) await tab.click();
  await window.panel.locator('.legend').waitFor();
}

step('the panel says the name in its legend, in Detail and in What if, and each leads to the page', async () => {
  const named = 'Zeta “closing brackets”';
  const chip = window.panel.locator(`.legend [title*="${named}"]`);
  await chip.click();
  // Beside an editor there is one line for the legend; the rest of it unfolds.
  await window.panel.locator('.legend .more').click();
  await window.shot('atlas-legend');
  await leadsToItsPage(window.panel.locator('[data-focus=legend-atlas]'), 'atlas-from-legend');
  await window.view('cell');
  await window.shot('atlas-detail');
  await leadsToItsPage(window.panel.locator('.tabBody .inAtlas button', { hasText: named }), 'atlas-from-detail');
  await window.view('whatIf');
  await window.panel.locator('[data-focus=whatif-expert]').selectOption({ label: named });
  await window.shot('atlas-what-if');
  await leadsToItsPage(window.panel.locator('.tabBody .inAtlas button', { hasText: named }), 'atlas-from-what-if');
});

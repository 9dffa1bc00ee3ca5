// What a person sees, with the packaged extension, the pool that it brings along and a text of the samples. The steps
// follow each other in one window.
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { editor, hoverText, openContainer, openFile, runCommand, selectLine } from '../harness/workbench.mjs';
import { Window, witnessed } from './window.js';

const samples = path.resolve(import.meta.dirname, '../../../samples');
let window: Window;

beforeAll(async () => {
  window = await Window.open(samples, { settings: { 'workbench.colorTheme': 'Default Dark Modern' } });
});
afterAll(() => window.close());

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const text = () => window.panel.locator('.tokens').first();
const tab = (name: string) => window.panel.locator(`#tab-${name}`).click();
const tree = () => window.page.locator('.pane-body .monaco-list-row');

describe('Gander in the workbench', () => {
  step('routes the selection from the palette to a painted grid, with no question and no network', async () => {
    await openFile(window.page, 'README.md');
    await selectLine(window.page, 'README.md', 3, 12);
    await runCommand(window.page, 'Gander: Route Selection');
    await text().locator('[role=option]').first().waitFor({ timeout: 60_000 });
    await window.panel.locator('.progress:empty, .progress:not(:visible)').first().waitFor({ state: 'attached' });
    await expect.poll(() => window.painted(), { timeout: 20_000 }).toBeGreaterThan(1000);
    expect(await window.panel.locator('.legend .expert').count()).toBeGreaterThanOrEqual(12);
    expect(await window.notifications()).toEqual([]);
    await window.shot('dark');
  });

  step('underlines the routed text in the colours of the experts', async () => {
    const lines = editor(window.page, 'README.md').locator('.view-overlays [class*="ced-"]');
    await expect.poll(() => lines.count()).toBeGreaterThan(3);
    const styles = await lines.evaluateAll((all) => [
      ...new Set(
        all.map((one) => `${getComputedStyle(one).borderBottomStyle} ${getComputedStyle(one).borderBottomColor}`),
      ),
    ]);
    expect(styles.length).toBeGreaterThan(1);
  });

  step('tells on hover who leads a token', async () => {
    const told = (await hoverText(window.page, 'README.md', 'formation')).replaceAll('\u00a0', ' ');
    expect(told).toMatch(/Gander: PHATGOOSE, top 2/);
    expect(told).toMatch(/[█▉▊▋▌▍▎▏] *\d+ ?%/);
    expect(told).toMatch(/Probability/);
    await window.shot('hover');
    await window.page.locator('.monaco-hover a', { hasText: 'routing panel' }).click();
    const dialog = window.page.locator('.monaco-dialog-box', { hasText: 'Gander' });
    await dialog.getByRole('button', { name: 'Open' }).click();
    await expect.poll(() => text().locator('[aria-selected=true]').innerText()).toMatch(/form/);
  });

  step('follows the cursor in the panel, and the panel in the editor', async () => {
    await editor(window.page, 'README.md')
      .locator('.view-line', { hasText: 'and write down' })
      .click({ position: { x: 40, y: 8 } });
    await expect.poll(() => text().locator('[aria-selected=true]').innerText()).toMatch(/write/);
    await text().focus();
    await text().press('ArrowRight');
    await expect.poll(() => window.page.locator('#status\\.editor\\.selection').innerText()).toMatch(/Ln 4, Col 1\d/);
  });

  step('lists the pool, the experts and what each took', async () => {
    await openContainer(window.page, 'Gander');
    await tree().filter({ hasText: /%/ }).first().waitFor();
    expect(await tree().filter({ hasText: /%/ }).count()).toBeGreaterThanOrEqual(12);
    await tree().filter({ hasText: 'Python' }).first().click();
    await tree().filter({ hasText: 'Layers where it leads' }).first().waitFor();
    await tree().filter({ hasText: 'Tokens it took' }).first().click();
    await tree().filter({ hasText: 'Layers where it leads' }).first().click();
    await tree()
      .filter({ hasText: /Layer \d+/ })
      .first()
      .waitFor();
    await window.shot('explorer');
  });

  step('changes a prediction by knocking an expert out', async () => {
    await tab('predictions');
    await runCommand(window.page, 'Gander: Knock Out Expert…', 'Python', 'Everywhere');
    await window.panel.locator('.whatIfChip', { hasText: 'Python' }).waitFor();
    await window.panel.locator('th', { hasText: 'Before' }).first().waitFor({ timeout: 30_000 });
    await tab('whatIf');
    await window.panel.locator('.numbers').first().waitFor();
    await window.shot('what-if');
    await runCommand(window.page, 'Gander: Clear What-If');
    await window.panel.locator('.whatIfChip').waitFor({ state: 'detached' });
  });

  step('compares with another strategy', async () => {
    await runCommand(window.page, 'Gander: Compare With…', 'Another Strategy', 'Base model alone');
    await window.panel.locator('.text.other [role=option]').first().waitFor({ timeout: 30_000 });
    await window.panel.locator('#tab-compare[aria-selected=true]').waitFor();
    await window.shot('compare');
  });

  step('strikes the text through once it has changed', async () => {
    await editor(window.page, 'README.md')
      .locator('.view-line', { hasText: 'and write down' })
      .click({ position: { x: 60, y: 8 } });
    await window.page.keyboard.type('x');
    await window.panel.locator('.notice.stale').waitFor();
    const struck = editor(window.page, 'README.md').locator('.view-line span');
    await expect
      .poll(() =>
        struck.evaluateAll(
          (all) => all.filter((one) => getComputedStyle(one).textDecorationLine === 'line-through').length,
        ),
      )
      .toBeGreaterThan(0);
    await window.shot('stale');
    await window.page.keyboard.press('ControlOrMeta+Z');
    await window.panel.locator('.notice.stale').waitFor({ state: 'detached' });
  });

  step('brings the panel back when the window is reloaded', async () => {
    await window.page.reload();
    await window.page.waitForSelector('.monaco-workbench');
    await text().locator('[role=option]').first().waitFor({ timeout: 60_000 });
    await expect.poll(() => window.painted(), { timeout: 20_000 }).toBeGreaterThan(1000);
    expect(await text().innerText()).toMatch(/formation/);
    expect(await window.notifications()).toEqual([]);
    await window.shot('reloaded');
  });

  for (const [name, theme] of [
    ['light', 'Default Light Modern'],
    ['high-contrast', 'Default High Contrast'],
    ['high-contrast-light', 'Default High Contrast Light'],
  ] as const) {
    step(`shows itself in ${theme}`, async () => {
      window.configure({
        'workbench.colorTheme': theme,
        'window.autoDetectColorScheme': false,
        'window.autoDetectHighContrast': false,
      });
      const kind = { light: 'vs', 'high-contrast': 'hc-black', 'high-contrast-light': 'hc-light' }[name];
      await window.page.locator(`.monaco-workbench.${kind}`).waitFor();
      await window.panel.locator(`body.vscode-${name}`).waitFor();
      await expect.poll(() => window.painted(), { timeout: 20_000 }).toBeGreaterThan(1000);
      await window.shot(name);
    });
  }
});

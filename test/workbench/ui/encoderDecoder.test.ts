// A pool on a tiny T5: its output, a target given in either way, hover, what-if and comparison, in three themes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { words } from '../../../src/words/words.js';
import { decodeTrace } from '../../../src/trace/file/file.js';
import { hoverText, openFile, runCommand, selectLine, startCommand } from '../harness/workbench.mjs';
import { Window, witnessed } from './window.js';

const pool = path.resolve(import.meta.dirname, '../../fixtures/tiny-t5');
const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
const text = 'question: the farmer counts sheep near the old mill every morning. why?';
const target = 'because the gate was open and the cold wind moves it.';
let window: Window;

beforeAll(async () => {
  writeFileSync(path.join(folder, 'question.txt'), text);
  writeFileSync(path.join(folder, 'both.txt'), `${text}\n${target}`);
  window = await Window.open(folder, {
    settings: { 'gander.pool': pool, 'gander.outputTokens': 12, 'workbench.colorTheme': 'Default Dark Modern' },
  });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const texts = () => window.panel.locator('.tokens').allInnerTexts();
/** The characters of the tokens, without what is drawn between them. */
const plain = (shown: string) => shown.replace(/\s+/g, ' ').trim();

describe('an encoder-decoder in the workbench', () => {
  step('reads a text and writes an output, both of which are shown', async () => {
    await openFile(window.page, 'question.txt');
    await runCommand(window.page, 'Gander: Route Selection');
    await window.panel.locator('.tokens [role=option]').first().waitFor();
    await expect.poll(async () => (await texts()).length).toBe(2);
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    await expect.poll(async () => plain((await texts())[1] ?? '')).toContain('hrhrhr');
    expect(await window.notifications()).toEqual([]);
    await window.shot('encoder-decoder-written');
  });

  step('takes a target that it asks for', async () => {
    await openFile(window.page, 'question.txt');
    await startCommand(window.page, 'Gander: Route With Target…');
    const box = window.page.locator('.quick-input-widget input.input[aria-label^="Route With Target"]');
    await box.fill(target);
    await box.press('Enter');
    await expect.poll(async () => plain((await texts())[1] ?? '')).toContain('the cold wind');
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    await window.shot('encoder-decoder-target');
    await window.panel.locator('[data-focus=head-map]').click();
    await window.panel.locator('[data-focus=segment-Modules]').click();
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    await window.shot('encoder-decoder-modules');
  });

  step('says which sequence a number belongs to', async () => {
    await window.panel.locator('.tokens').nth(1).locator('[role=option]').nth(3).click();
    await window.view('cell');
    await window.panel.locator('[role=tabpanel]', { hasText: 'output, token 4' }).waitFor();
    await window.shot('encoder-decoder-detail');
    await window.view('predictions');
    await window.panel.locator('[role=tabpanel]', { hasText: 'Predictions of the output' }).waitFor();
    await window.shot('encoder-decoder-predictions');
  });

  step('shows the leading experts of an input token on the text', async () => {
    expect(plain(await hoverText(window.page, 'question.txt', 'farmer'))).toMatch(/Gander: PHATGOOSE.*P3/);
    await window.shot('encoder-decoder-hover');
  });

  step('takes a what-if, and says which sequence changed', async () => {
    await window.view('whatIf');
    await window.panel.locator('[role=tabpanel] button', { hasText: 'Apply' }).click();
    await window.panel.locator('.whatIfChip').waitFor();
    await window.panel.locator('.progress:empty, .progress:not(:visible)').first().waitFor({ state: 'attached' });
    await window.panel.locator('[role=tabpanel]', { hasText: 'Of the output' }).waitFor();
    await window.shot('encoder-decoder-what-if');
  });

  step('is compared with another strategy, sequence by sequence', async () => {
    await runCommand(window.page, 'Gander: Compare With…', 'Another Strategy…', 'Merged factors');
    await window.panel.locator('[role=tabpanel]', { hasText: 'Of the output' }).waitFor();
    await expect.poll(async () => (await texts()).length).toBe(4);
    await window.shot('encoder-decoder-compare');
    await window.panel.locator('[data-focus=compare-stop]').click();
    await expect.poll(async () => (await texts()).length).toBe(2);
  });

  step('is saved with both sequences, and opened again unchanged', async () => {
    const file = path.join(folder, 'question.txt.gander.safetensors');
    const saved = decodeTrace(new Uint8Array(await window.save(words.saveTrace, file)));
    expect(saved.sequences.map(({ role }) => role)).toEqual(['input', 'output']);
    expect(saved.sequences[1]!.text).toBe(target);
    expect(saved.interventions).toHaveLength(1);
    // What is opened would be beside the panel.
    await window.page.locator('.tab', { hasText: 'Routing: ' }).click({ button: 'middle' });
    await window.page
      .locator('.pane-body .monaco-list-row')
      .filter({ hasText: path.basename(file) })
      .dblclick();
    await window.panel.locator('h1', { hasText: path.basename(file) }).waitFor();
    await expect.poll(async () => (await texts()).map(plain)[1]).toContain('the cold wind');
    expect(await texts()).toHaveLength(2);
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    await window.shot('encoder-decoder-reopened');
    await runCommand(window.page, 'View: Close Editor');
  });

  step('takes the second selection as the target', async () => {
    await openFile(window.page, 'both.txt');
    await selectLine(window.page, 'both.txt', 1);
    await window.page.keyboard.press('Home');
    await runCommand(window.page, 'Add Cursor Below');
    await window.page.keyboard.press('Shift+End');
    await window.page
      .locator(String.raw`#status\.editor\.selection`, { hasText: `2 selections (${text.length + target.length}` })
      .waitFor();
    await runCommand(window.page, 'Gander: Route With Target…');
    await window.page.locator('.tab.active', { hasText: 'Routing: both.txt:1' }).waitFor();
    await expect.poll(async () => plain((await texts())[1] ?? '')).toContain('because the gate');
    const [input] = (await texts()).map(plain);
    expect(input).toContain('morning. why?');
    expect(input).not.toContain('because');
    await window.shot('encoder-decoder-selections');
  });

  for (const theme of ['light', 'high-contrast'] as const)
    step(`is shown in ${theme}`, () => window.showIn(theme, 1000, 'encoder-decoder'));
});

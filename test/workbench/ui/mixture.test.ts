// Mixtures of experts instead of a pool, from the command that opens one to a trace that is opened again: the shipped one, and
// one that onnxruntime-genai exported in 4 bits.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundledModels } from '../../../src/product/bundled.js';
import { nativeRouter } from '../../../src/strategies/native.js';
import { words } from '../../../src/words/words.js';
import { decodeTrace } from '../../../src/trace/file/file.js';
import { openContainer, openFile, runCommand, startCommand } from '../harness/workbench.mjs';
import { themes, Window, witnessed } from './window.js';

const gosling = bundledModels[1];
const fixtures = path.resolve(import.meta.dirname, '../../fixtures/moe');
const quantised = path.join(fixtures, 'lfm2-moe-genai-int4');
const twoRouters = path.join(fixtures, 'jetmoe-transformers');

const ways = [
  {
    picture: 'mixture-shipped',
    name: gosling.title,
    router: 'mixtral',
    text: 'kinds.txt',
    inUse: async (window: Window) => {
      const { page, input } = window;
      const rows = page.locator('.quick-input-widget .monaco-list-row');
      await startCommand(page, 'Gander: Choose Model…');
      for (const { title, hint } of bundledModels)
        await rows.filter({ hasText: title }).filter({ hasText: hint }).waitFor();
      const box = page.locator('.quick-input-widget');
      await box.evaluate((shown) =>
        Promise.all(shown.getAnimations({ subtree: true }).map(({ finished }) => finished)),
      );
      await window.shot('mixture-choose');
      await rows.filter({ hasText: gosling.title }).click();
      await input.waitFor({ state: 'hidden' });
    },
  },
  {
    picture: 'mixture',
    name: path.basename(quantised),
    router: 'lfm2_moe',
    text: 'geese.txt',
    inUse: (window: Window) => window.openModel(quantised),
  },
];

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;
beforeAll(async () => {
  copyFileSync(path.resolve(import.meta.dirname, '../../../samples/kinds.txt'), path.join(folder, 'kinds.txt'));
  writeFileSync(path.join(folder, 'geese.txt'), 'the model of a goose\n');
  window = await Window.open(folder, { settings: { 'workbench.colorTheme': 'Default Dark Modern' }, own: {} });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(ways)('$name in the workbench', ({ picture, name: model, router, text, inUse }) => {
  const step = (name: string, body: () => Promise<void>) =>
    it(name, () => witnessed(window, `${picture} ${name}`, body));
  const tree = () => window.page.locator('.pane-body .monaco-list-row');

  beforeAll(async () => {
    // Left over from the other model.
    await runCommand(window.page, 'View: Close All Editors');
    await runCommand(window.page, 'Preferences: Color Theme', themes.dark);
  });

  step('is routed to a painted map', async () => {
    await openFile(window.page, text);
    await inUse(window);
    await window.page.locator('.statusbar-item', { hasText: model }).waitFor();
    await runCommand(window.page, 'Gander: Route Selection');
    await window.showText();
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    expect(await window.notifications()).toEqual([]);
    await expect.poll(() => window.panel.locator('[data-focus=strategy]').innerText()).toBe(nativeRouter.title);
    await window.shot(`${picture}-dark`);
  });

  step('shows layers, their experts and the tokens they took in the tree', async () => {
    await openContainer(window.page, 'Gander');
    await tree().filter({ hasText: /Layer/i }).first().waitFor();
    await window.shot(`${picture}-tree`);
  });

  step('takes a what-if', async () => {
    await window.view('whatIf');
    // The leading expert of the layer, unless another one is chosen.
    const leader = await window.panel.locator('[role=tabpanel] select').nth(1).locator('option:checked').innerText();
    await window.panel.locator('[role=tabpanel] button', { hasText: 'Apply' }).click();
    await window.panel.locator('.whatIfChip', { hasText: leader }).waitFor();
    await window.panel.locator('.progress:empty, .progress:not(:visible)').first().waitFor({ state: 'attached' });
    await window.shot(`${picture}-what-if`);
  });

  step('is compared with itself without the what-if', async () => {
    await runCommand(window.page, 'Gander: Compare With…', 'Without the What-If');
    await window.panel.locator('#tab-compare[aria-selected=true]').waitFor();
    await window.panel.locator('dt', { hasText: words.compareAligned }).waitFor();
    await window.panel.locator('[data-focus=stop]').waitFor({ state: 'hidden' });
    await window.shot(`${picture}-compare`);
  });

  for (const theme of ['light', 'high-contrast'] as const)
    step(`is shown in ${theme}`, () => window.showIn(theme, 1000, picture));

  step('is saved, and opened again unchanged', async () => {
    const file = path.join(folder, `${text}.gander.safetensors`);
    const trace = decodeTrace(new Uint8Array(await window.save(words.saveTrace, file)));
    expect(trace.router.name).toBe(router);
    expect(trace.interventions).toHaveLength(1);
    expect(trace.expertSets.every(({ scope }) => scope === 'layer')).toBe(true);
    // What is opened would be beside the panel.
    await window.page.locator('.tab', { hasText: 'Routing: ' }).click({ button: 'middle' });
    await openContainer(window.page, 'Explorer');
    await tree()
      .filter({ hasText: path.basename(file) })
      .dblclick();
    await window.panel.locator('h1', { hasText: path.basename(file) }).waitFor();
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    await window.shot(`${picture}-reopened`);
  });
});

it('with two routers in a layer, tree, hover and what-if keep them apart', () =>
  witnessed(window, 'two-routers', async () => {
    const { page, panel } = window;
    await runCommand(page, 'View: Close All Editors');
    await openFile(page, 'geese.txt');
    await window.openModel(twoRouters);
    await page.locator('.statusbar-item', { hasText: path.basename(twoRouters) }).waitFor();
    await runCommand(page, 'Gander: Route Selection');
    await window.showText();
    await openContainer(page, 'Gander');
    const layers = page.locator('.pane-body .monaco-list-row', { hasText: 'layer' });
    const routers = ['layer 0, self_attention', 'layer 0, mlp', 'layer 1, self_attention', 'layer 1, mlp'];
    await expect
      .poll(() => layers.allInnerTexts())
      .toEqual(routers.map((router) => expect.stringMatching(`^${router}`) as string));
    await window.view('whatIf');
    const places = panel.locator('[role=tabpanel] select').nth(2).locator('option');
    expect(await places.allInnerTexts()).toEqual(routers.map((router) => `in ${router}`));
    await page.locator('.view-line span', { hasText: 'goose' }).last().hover();
    const hover = page.locator('.monaco-hover:visible', { hasText: 'Gander: jetmoe' });
    await expect
      .poll(() => hover.innerText())
      .toMatch(new RegExp(routers.map((router) => `${router}[,:].*`).join('[^]*')));
    await window.shot('two-routers');
  }));

// A mixture of experts as onnxruntime-genai exports it in 4 bits, in the pool's place: from the command to a painted grid.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContainer, openFile, runCommand } from '../harness/workbench.mjs';
import { Window, witnessed } from './window.js';

const model = path.resolve(import.meta.dirname, '../../fixtures/moe/lfm2-moe-genai-int4');
const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;

beforeAll(async () => {
  writeFileSync(path.join(folder, 'geese.txt'), 'the model of a goose\n');
  window = await Window.open(folder, {
    settings: { 'gander.pool': model, 'workbench.colorTheme': 'Default Dark Modern' },
  });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const tree = () => window.page.locator('.pane-body .monaco-list-row');

describe('a mixture of experts in the workbench', () => {
  step('is routed to a painted grid', async () => {
    await openFile(window.page, 'geese.txt');
    await runCommand(window.page, 'Gander: Route Selection');
    await window.showText(60_000);
    await expect.poll(() => window.painted(), { timeout: 20_000 }).toBeGreaterThan(1000);
    expect(await window.notifications()).toEqual([]);
    await window.page.locator('.statusbar-item', { hasText: 'lfm2-moe-genai-int4' }).waitFor();
    expect(await window.panel.locator('[data-focus=strategy] option').allInnerTexts()).toEqual(['lfm2_moe']);
    await window.shot('mixture-dark');
  });

  step('is layers, their experts and what they took in the tree', async () => {
    await openContainer(window.page, 'Gander');
    await tree().filter({ hasText: /Layer/i }).first().waitFor();
    await window.shot('mixture-tree');
  });

  step('can be asked what if', async () => {
    await window.panel.locator('#tab-whatIf').click();
    await window.panel.locator('[role=tabpanel] button', { hasText: 'Apply' }).click();
    await window.panel.locator('.whatIfChip', { hasText: 'expert 0' }).waitFor();
    await window.panel.locator('.progress:empty, .progress:not(:visible)').first().waitFor({ state: 'attached' });
    await window.shot('mixture-what-if');
  });

  for (const [name, theme] of [
    ['light', 'Light Modern'],
    ['high-contrast', 'Dark High Contrast'],
  ] as const) {
    step(`shows itself in ${theme}`, async () => {
      await runCommand(window.page, 'Preferences: Color Theme', theme);
      await window.panel.locator(`body.vscode-${name}`).waitFor();
      await expect.poll(() => window.painted(), { timeout: 20_000 }).toBeGreaterThan(1000);
      await window.shot(`mixture-${name}`);
    });
  }
});

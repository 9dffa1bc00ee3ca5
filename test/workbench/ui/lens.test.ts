// What each layer would predict, from a token in the panel to its table: asked of a real engine, by code that the page loads late.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { editor, openFile, runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;

beforeAll(async () => {
  writeFileSync(path.join(folder, 'geese.txt'), 'the model of a goose flies over the model\n');
  window = await Window.open(folder, { settings: { 'gander.pool': tinyPool } });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

it('what each layer would predict is shown where it is asked for', () =>
  witnessed(window, 'lens', async () => {
    await openFile(window.page, 'geese.txt');
    await editor(window.page, 'geese.txt').click();
    await runCommand(window.page, 'Gander: Route Selection');
    await window.showText(60_000);
    await window.panel.locator('.tokens [role=option]').nth(2).click();
    await window.view('lens');
    const button = window.panel.locator('[data-focus=lens]');
    await button.click();
    const rows = window.panel.locator('table.lens tbody tr');
    await rows.first().waitFor({ timeout: 60_000 });
    expect(await rows.count()).toBe(2);
    await window.shot('lens');
    // Another token has nothing yet; the one that one returns to has what it had.
    await window.panel.locator('.tokens [role=option]').nth(4).click();
    await button.waitFor();
    await window.panel.locator('.tokens [role=option]').nth(2).click();
    await rows.first().waitFor();
  }));

// What a refusal in the panel offers, pressed there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { editor, openFile, runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;

beforeAll(async () => {
  // More tokens than the pool reads, and not so many characters that this is seen without counting tokens.
  writeFileSync(path.join(folder, 'long.txt'), 'a b c d e f\n'.repeat(150));
  window = await Window.open(folder, { settings: { 'gander.pool': tinyPool } });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

it('a text that is too long: its first part is routed from where that is said', () =>
  witnessed(window, 'first part', async () => {
    await openFile(window.page, 'long.txt');
    await editor(window.page, 'long.txt').click();
    await runCommand(window.page, 'Gander: Route Selection');
    const button = window.panel.locator('[data-focus=mend-firstPart]');
    await button.waitFor({ timeout: 30_000 });
    await window.shot('refusal');
    await button.click();
    await window.showText(30_000);
    await button.waitFor({ state: 'hidden' });
    expect(await window.panel.locator('h1').innerText()).toMatch(/^long\.txt:1–\d+$/);
  }));

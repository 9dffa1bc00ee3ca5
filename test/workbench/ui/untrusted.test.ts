// A folder that is not trusted.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openFile, runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;

beforeAll(async () => {
  writeFileSync(path.join(folder, 'geese.txt'), 'Geese fly south over the lake.\n');
  window = await Window.open(folder, {
    settings: { 'gander.pool': '/nowhere/at/all' },
    own: { trust: true, settings: { 'gander.pool': tinyPool } },
  });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

it('does not choose the pool', () =>
  witnessed(window, 'untrusted', async () => {
    await window.page.locator('.statusbar-item', { hasText: 'Restricted Mode' }).waitFor();
    await openFile(window.page, 'geese.txt');
    await runCommand(window.page, 'Gander: Route Selection');
    await window.showText();
    await window.page.locator('.statusbar-item', { hasText: 'Tiny pool' }).waitFor();
    expect(await window.notifications()).toEqual([]);
    await window.shot('untrusted');
  }));

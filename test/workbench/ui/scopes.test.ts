// A part of the text looked at by itself: from the menu of its regions to a what-if that holds only there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { editor, openFile, runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
const text = [
  'Geese can be counted:',
  '',
  '```python',
  'for goose in flock:',
  '    count(goose)',
  '```',
  '',
  'So they were.',
];
let window: Window;

beforeAll(async () => {
  writeFileSync(path.join(folder, 'geese.md'), text.join('\n'));
  window = await Window.open(folder, { settings: { 'gander.pool': tinyPool } });
  await openFile(window.page, 'geese.md');
  await editor(window.page, 'geese.md').click();
  await runCommand(window.page, 'Gander: Route Selection');
  await window.showText(60_000);
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const chip = () => window.panel.locator('[data-focus=scope-leave]');

step('a fence is chosen, and summed up beside the rest', async () => {
  await window.panel.locator('[data-focus=grid-scope]').click();
  await window.panel.locator('[role=menuitemradio]', { hasText: 'python fence' }).click();
  await chip().waitFor();
  await window.view('summary');
  await window.panel.locator('[data-figure=scopeUsage]').waitFor();
  expect(await window.panel.locator('.about').innerText()).toMatch(
    /^Of python fence: \d+ text tokens\. The rest: \d+\.$/,
  );
  await window.shot('scope');
});

step('a what-if holds only there', async () => {
  await window.view('whatIf');
  await window.panel.locator('[data-focus=whatif-apply]').click();
  await window.panel.locator('.whatIfChip', { hasText: 'within lines 4 to 5' }).waitFor();
  await window.shot('scope-what-if');
});

step('one leads back to the whole text', async () => {
  await chip().click();
  await chip().waitFor({ state: 'hidden' });
  expect(await window.notifications()).toEqual([]);
});

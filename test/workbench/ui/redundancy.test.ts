// How similar the experts are, and what an expert outside the pool would do to a text.
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { enter, openFile, runCommand, startCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
const [pool, alpha] = [path.join(folder, 'pool'), path.join(folder, 'alpha')];
let window: Window;

beforeAll(async () => {
  cpSync(tinyPool, pool, { recursive: true });
  // An expert that fits the pool but is not in it.
  cpSync(path.join(pool, 'experts/alpha'), alpha, { recursive: true });
  rmSync(path.join(pool, 'experts/alpha'), { recursive: true });
  writeFileSync(path.join(folder, 'geese.txt'), 'the model of a goose flies over the model\n');
  window = await Window.open(folder, { settings: { 'gander.pool': pool } });
  await openFile(window.page, 'geese.txt');
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const experts = () => readdirSync(path.join(pool, 'experts')).sort();

step('Compare Experts shows all pairs', async () => {
  await runCommand(window.page, 'Gander: Compare Experts');
  const rows = window.panel.locator('.square tbody tr');
  await expect.poll(() => rows.count()).toBe(experts().length);
  await expect.poll(() => rows.first().locator('td').first().innerText()).toBe('1.00');
  await window.shot('redundancy');
});

step('Try Expert From Folder… also runs the text with the expert, and copies nothing', async () => {
  const before = experts();
  await openFile(window.page, 'geese.txt');
  await enter(window.page, 'geese.txt');
  await startCommand(window.page, 'Gander: Try Expert From Folder…');
  // Once the dialog has listed the folder, it overwrites what was typed before.
  const listed = window.page.locator('.quick-input-widget .monaco-list-row');
  await listed.filter({ hasText: 'alpha' }).waitFor();
  await window.input.fill(`${alpha}/`);
  await listed.filter({ hasText: 'alpha' }).waitFor({ state: 'hidden' });
  await window.page.locator('.quick-input-widget .monaco-button', { hasText: 'Try Expert' }).click();
  await window.panel.locator('#tab-compare').waitFor();
  const told = window.page.locator('.notification-list-item-message', {
    hasText: /Alpha.* fits the pool and takes \d+% of the choices/,
  });
  await told.first().waitFor();
  await window.shot('redundancy-try');
  expect(experts()).toEqual(before);
});

// A folder that nobody trusts, many documents, and an engine that dies while it runs.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { editor, openFile, runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an untrusted folder', () => {
  let window: Window;
  beforeAll(async () => {
    const untrusted = path.join(folder, 'untrusted');
    mkdirSync(path.join(untrusted, '.vscode'), { recursive: true });
    writeFileSync(path.join(untrusted, '.vscode/settings.json'), JSON.stringify({ 'gander.pool': '/nowhere/at/all' }));
    writeFileSync(path.join(untrusted, 'geese.txt'), 'Geese fly south over the lake.\n');
    window = await Window.open(untrusted, { trust: true, settings: { 'gander.pool': tinyPool } });
  });
  afterAll(() => window.close());

  it('does not choose the pool', () =>
    witnessed(window, 'untrusted', async () => {
      await window.page.locator('.statusbar-item', { hasText: 'Restricted Mode' }).waitFor();
      await openFile(window.page, 'geese.txt');
      await runCommand(window.page, 'Gander: Route Selection');
      await window.showText(30_000);
      await window.page.locator('.statusbar-item', { hasText: 'Tiny pool' }).waitFor();
      await window.shot('untrusted');
    }));
});

describe('many documents and a bad day', () => {
  let window: Window;
  beforeAll(async () => {
    const many = path.join(folder, 'many');
    mkdirSync(many);
    for (let i = 1; i <= 6; i++)
      writeFileSync(path.join(many, `flock-${i}.txt`), `Flock ${i}: ${'geese over water, '.repeat(i)}\n`);
    writeFileSync(path.join(many, 'empty.txt'), '');
    window = await Window.open(many, { settings: { 'gander.pool': tinyPool } });
  });
  afterAll(() => window.close());

  it('has a panel for each of six documents', () =>
    witnessed(window, 'six-documents', async () => {
      for (let i = 1; i <= 6; i++) {
        await openFile(window.page, `flock-${i}.txt`);
        await runCommand(window.page, 'Gander: Route Selection');
        await window.page.locator('.tab', { hasText: `Routing: flock-${i}.txt` }).waitFor();
      }
      expect(await window.page.locator('.tab', { hasText: 'Routing: ' }).count()).toBe(6);
      await expect.poll(() => window.painted(), { timeout: 20_000 }).toBeGreaterThan(100);
      await window.shot('six-documents');
    }));

  it('says in one message what to do with an empty file', () =>
    witnessed(window, 'empty', async () => {
      await openFile(window.page, 'empty.txt');
      await runCommand(window.page, 'Gander: Route Selection');
      await window.page.locator('.notification-toast', { hasText: 'There is no text to route' }).waitFor();
      expect(await window.page.locator('.notification-toast').count()).toBe(1);
      await window.shot('empty');
      await runCommand(window.page, 'Notifications: Clear All Notifications');
    }));

  it('goes on after the engine was killed', () =>
    witnessed(window, 'killed', async () => {
      killEngines(window.server.dataDir);
      await openFile(window.page, 'flock-2.txt');
      await editor(window.page, 'flock-2.txt').click();
      await window.page.keyboard.press('ControlOrMeta+End');
      await window.page.keyboard.type('One more.');
      await runCommand(window.page, 'Gander: Route Selection');
      await window.showText();
      await expect.poll(() => window.panel.locator('.tokens').first().innerText(), { timeout: 20_000 }).toMatch(/more/);
    }));

  it('routes by its keys', () =>
    witnessed(window, 'keys', async () => {
      await openFile(window.page, 'flock-3.txt');
      await editor(window.page, 'flock-3.txt').click();
      await window.page.keyboard.press('ControlOrMeta+Home');
      await window.page.keyboard.press('Shift+End');
      await window.page.keyboard.press('Control+K');
      await window.page.keyboard.press('Control+Alt+G');
      await window.page.locator('.tab', { hasText: 'Routing: flock-3.txt:1' }).waitFor();
    }));
});

/** Only children of this window's server. */
function killEngines(dataDir: string): void {
  const list = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  const pids = list
    .filter((line) => line.includes(dataDir) && line.includes('engine.cjs'))
    .map((line) => Number.parseInt(line, 10));
  expect(pids.length).toBeGreaterThan(0);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

// Texts of many kinds in one window, each beside its panel: what each layer would predict, a part of a text, a text that is too
// long, six at once, an empty one, and an engine that dies.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enter, openFile, runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
const fenced = [
  'Geese can be counted:',
  '',
  '```python',
  'for goose in flock:',
  '    count(goose)',
  '```',
  '',
  'So they were.',
];
const texts: Readonly<Record<string, string>> = {
  'geese.txt': 'the model of a goose flies over the model\n',
  'geese.md': fenced.join('\n'),
  // More tokens than the pool can read, but so few characters that the tokens must be counted to see it.
  'long.txt': 'a b c d e f\n'.repeat(150),
  'empty.txt': '',
};
const flocks = [1, 2, 3, 4, 5, 6].map((i) => `flock-${i}.txt`);
let window: Window;

beforeAll(async () => {
  for (const [name, text] of Object.entries(texts)) writeFileSync(path.join(folder, name), text);
  for (const [i, name] of flocks.entries())
    writeFileSync(path.join(folder, name), `Flock ${i + 1}: ${'geese over water, '.repeat(i + 1)}\n`);
  // A server of its own, because all engines of the server are killed.
  window = await Window.open(folder, { settings: { 'gander.pool': tinyPool }, own: {} });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const panels = () => window.page.locator('.tab', { hasText: 'Routing: ' });

step('what each layer would predict is shown on request', async () => {
  await window.route('geese.txt');
  const token = (n: number) => window.panel.locator('.tokens [role=option]').nth(n);
  await token(2).click();
  await window.view('lens');
  const button = window.panel.locator('[data-focus=lens]');
  await button.click();
  const rows = window.panel.locator('table.lens tbody tr');
  await expect.poll(() => rows.count()).toBe(2);
  await window.shot('lens');
  // Another token has nothing yet; the first one still has its result.
  await token(4).click();
  await button.waitFor();
  await rows.first().waitFor({ state: 'hidden' });
  await token(2).click();
  await rows.first().waitFor();
});

describe('a part of the text', () => {
  const chip = () => window.panel.locator('[data-focus=scope-leave]');

  step('a fence is chosen, and its summary is compared with the rest', async () => {
    await window.route('geese.md');
    await window.panel.locator('[data-focus=grid-scope], [data-focus=head-map]').click();
    await window.panel.locator('[role=menuitemradio]', { hasText: 'python fence' }).click();
    await chip().waitFor();
    await window.view('summary');
    await window.panel.locator('[data-figure=scopeUsage]').waitFor();
    await expect
      .poll(() => window.panel.locator('.about').innerText())
      .toMatch(/^Of python fence: \d+ text tokens\. The rest: \d+\.$/);
    await window.shot('scope');
  });

  step('a what-if applies only there', async () => {
    await window.view('whatIf');
    await window.panel.locator('[data-focus=whatif-apply]').click();
    await window.panel.locator('.whatIfChip', { hasText: 'within lines 4 to 5' }).waitFor();
    await window.shot('scope-what-if');
  });

  step('a click leads back to the whole text', async () => {
    await chip().click();
    await chip().waitFor({ state: 'hidden' });
    expect(await window.notifications()).toEqual([]);
  });
});

step('the first part of a text that is too long can be routed from its message', async () => {
  await window.ask('long.txt');
  const button = window.panel.locator('[data-focus=mend-firstPart]');
  await button.waitFor();
  await window.shot('refusal');
  await button.click();
  await window.showText();
  await button.waitFor({ state: 'hidden' });
  await expect.poll(() => window.panel.locator('h1').innerText()).toMatch(/^long\.txt:1–\d+$/);
});

describe('many documents and mishaps', () => {
  step('has one panel for six documents, one after the other', async () => {
    for (const name of flocks) {
      await window.ask(name);
      await window.page.locator('.tab', { hasText: `Routing: ${name}` }).waitFor();
      expect(await panels().count()).toBe(1);
    }
    await expect.poll(() => window.painted()).toBeGreaterThan(100);
    await window.shot('six-documents');
  });

  step('says in one message what to do with an empty file', async () => {
    await window.ask('empty.txt');
    await window.page.locator('.notification-toast', { hasText: 'There is no text to route' }).waitFor();
    expect(await window.page.locator('.notification-toast').count()).toBe(1);
    await window.shot('empty');
    await runCommand(window.page, 'Notifications: Clear All Notifications');
  });

  step('continues after the engine was killed', async () => {
    const engines = window.engines();
    expect(engines.length).toBeGreaterThan(0);
    for (const pid of engines) process.kill(pid, 'SIGKILL');
    await openFile(window.page, 'flock-2.txt');
    await enter(window.page, 'flock-2.txt');
    await window.page.keyboard.press('ControlOrMeta+End');
    await window.page.keyboard.type('One more.');
    await runCommand(window.page, 'Gander: Route Selection');
    await window.showText();
    await expect.poll(() => window.panel.locator('.tokens').first().innerText()).toMatch(/more/);
  });

  step('routes with its keyboard shortcut', async () => {
    await openFile(window.page, 'flock-3.txt');
    await enter(window.page, 'flock-3.txt');
    await window.page.keyboard.press('ControlOrMeta+Home');
    await window.page.keyboard.press('Shift+End');
    await window.page.keyboard.press('Control+K');
    await window.page.keyboard.press('Control+Alt+G');
    await window.page.locator('.tab', { hasText: 'Routing: flock-3.txt:1' }).waitFor();
  });
});

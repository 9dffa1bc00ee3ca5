// A server instead of a pool, as a person meets it: the address, a wrong token, where text goes, the painted map.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, type Listening } from '../../servers/http.js';
import { knowing, vllm } from '../../servers/vllm.js';
import { enter, openFile, runCommand, startCommand } from '../harness/workbench.mjs';
import { Window, witnessed } from './window.js';

const text = 'The grey goose flies south; the geese fly with it.\n';
const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;
let server: Listening;

beforeAll(async () => {
  knowing(text);
  knowing(text.trimEnd());
  server = await listen(vllm({ version: '0.32.0', dtype: '<i4', token: 'right' }));
  writeFileSync(path.join(folder, 'geese.txt'), text);
  window = await Window.open(folder, { settings: { 'workbench.colorTheme': 'Default Dark Modern' }, own: {} });
});
afterAll(async () => {
  await window.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const box = () => window.page.locator('.quick-input-widget');
const dialog = () => window.page.locator('.monaco-dialog-box');
/** Types into the box with this title. */
async function answer(title: string, typed: string): Promise<void> {
  await box().locator('.quick-input-title', { hasText: title }).waitFor();
  await window.input.fill(typed);
  await window.input.press('Enter');
}

describe('an engine at another address', () => {
  step('is asked what it runs, and refuses the wrong token', async () => {
    await openFile(window.page, 'geese.txt');
    await startCommand(window.page, 'Gander: Connect to Engine');
    await answer('Address of vLLM', server.address);
    await answer('Token', 'wrong');
    await box().locator('.quick-input-message', { hasText: 'refuses the token' }).waitFor();
    await window.shot('connect-token');
    await answer('Token', 'right');
  });

  step('gets no text before the person agrees where it goes', async () => {
    await box().locator('.quick-input-list .monaco-list-row', { hasText: 'Go On Without' }).click();
    await dialog()
      .filter({ hasText: `Send text to ${server.address}?` })
      .waitFor();
    await window.shot('connect-agree');
    expect(server.asked.filter(({ method }) => method === 'POST')).toEqual([]);
    await dialog().locator('.monaco-button', { hasText: 'Connect' }).click();
    await window.page.locator('.statusbar-item', { hasText: 'tiny-mixtral' }).waitFor();
  });

  step('routes to a painted map', async () => {
    await runCommand(window.page, 'Gander: Route Selection');
    await window.showText();
    await expect.poll(() => window.painted()).toBeGreaterThan(100);
    expect(await window.notifications()).toEqual([]);
    await window.shot('connect-dark');
  });

  for (const theme of ['light', 'high-contrast'] as const)
    step(`is shown in ${theme}`, () => window.showIn(theme, 100, 'connect'));

  step('gives an error when it is gone', async () => {
    await server.close();
    await enter(window.page, 'geese.txt');
    await window.page.keyboard.press('Control+End');
    await window.page.keyboard.type('And more.');
    await runCommand(window.page, 'Gander: Route Selection');
    await window.page.locator('.notifications-toasts', { hasText: 'cannot be reached' }).waitFor();
    await window.shot('connect-gone');
  });
});

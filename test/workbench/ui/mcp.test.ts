// The server of the Model Context Protocol that the extension offers, started by VS Code itself.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tools } from '../../../src/tools/index.js';
import { patience, startCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;

beforeAll(async () => {
  window = await Window.open(folder, {
    // Where these features are off, the commands about servers are, too.
    own: { settings: { 'chat.disableAIFeatures': false, 'gander.mcpServer': true, 'gander.pool': tinyPool } },
  });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const row = (label: string) => window.page.locator('.quick-input-widget .monaco-list-row', { hasText: label });

/** Its row in VS Code's list of servers, which stays as it was opened: early in a window, no extension is in it yet. */
async function listed() {
  const open = async () => {
    await window.page.keyboard.press('Escape');
    await startCommand(window.page, 'MCP: List Servers');
    await row('Add Server').waitFor();
    return row('Gander').count();
  };
  await expect.poll(open, { timeout: patience }).toBe(1);
  return (await row('Gander').innerText()).replace(/\s+/g, ' ');
}

/** What VS Code runs for this folder. */
const running = () =>
  execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' })
    .split('\n')
    .filter((args) => args.includes('cli.cjs mcp') && args.includes(folder));

it('is listed, starts with the model in use, offers its tools and stops', () =>
  witnessed(window, 'mcp', async () => {
    expect(await listed()).toContain('Stopped');
    await row('Gander').click();
    await row('Start Server').click();
    const output = window.page.locator('.part.panel .view-lines');
    const offered = tools.filter(({ needsEditor }) => !needsEditor);
    await output.getByText(`Discovered ${offered.length} tools`).waitFor({ timeout: patience });
    expect(running()).toEqual([expect.stringContaining(`--pool ${tinyPool} --folder ${folder}`)]);
    await window.shot('mcp');

    expect(await listed()).toContain('Running');
    await row('Gander').click();
    await row('Stop Server').click();
    await expect.poll(running, { timeout: patience }).toEqual([]);
    expect(await listed()).toContain('Stopped');
  }));

// The tour by keyboard, from its command in a window where nothing is routed to the last stop.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;

beforeAll(async () => {
  window = await Window.open(folder, { settings: { 'gander.pool': tinyPool } });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

it('from nothing to the last stop', () =>
  witnessed(window, 'tour', async () => {
    await runCommand(window.page, 'Gander: Take the Tour');
    await window.page.getByRole('button', { name: 'Open a Sample and Route It' }).click();
    const { panel } = window;
    const callout = panel.getByRole('dialog', { name: 'Tour of the panel' });
    await callout.waitFor();
    for (let stop = 1; stop <= 10; stop++) {
      await expect.poll(() => callout.locator('h2').innerText()).toContain(`${stop} of 10`);
      if (stop === 1 || stop === 7) await window.shot(`tour-${stop}`);
      if (stop === 4)
        await window.picture('walkthrough-tour', window.page.locator('.editor-group-container').last(), 'lower');
      await callout.press('ArrowRight');
    }
    await callout.waitFor({ state: 'detached' });
    await panel.locator('[data-focus=explain-map_experts]').press('Enter');
    await panel.getByRole('dialog', { name: /^What this says/ }).waitFor();
    await window.shot('explain');
    expect(await window.notifications()).toEqual([]);
  }));

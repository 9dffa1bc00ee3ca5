// npm start itself: the window that it opens shows the sample, routed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, expect, inject, it } from 'vitest';
import { throttle } from '../harness/throttle.mjs';
import { webview } from '../harness/workbench.mjs';
import { countPainted, takeShot } from './window.js';

const root = path.resolve(import.meta.dirname, '../../..');
let start: ChildProcess | undefined;

afterAll(async () => {
  if (start?.exitCode !== null) return;
  start.kill('SIGINT');
  await once(start, 'exit');
});

it('opens a window with the sample routed', async () => {
  start = spawn(process.execPath, [path.join(root, 'scripts/start.mjs')], {
    env: { ...process.env, GANDER_CODE: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  const address = await new Promise<string>((resolve, reject) => {
    start?.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const found = /http:\/\/127\.0\.0\.1:\S+/.exec(said);
      if (found) resolve(found[0]);
    });
    start?.once('exit', () => {
      reject(new Error(`npm start ended: ${said}`));
    });
  });
  const browser = await chromium.connect(inject('workbench').browser);
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
    await throttle(page);
    await page.goto(address);
    const panel = webview(page, 'gander.gander', 'panel');
    await expect.poll(() => countPainted(panel).catch(() => 0)).toBeGreaterThan(1000);
    await expect.poll(() => panel.locator('.legend .expert').count()).toBeGreaterThanOrEqual(12);
    await takeShot(page, 'start');
  } finally {
    await browser.close();
  }
});

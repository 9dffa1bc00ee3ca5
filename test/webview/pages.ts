import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { launch, Panel, serve, type Setup, type Site } from './harness.js';

export const pictures = join(import.meta.dirname, '../../artifacts/webview');

/** A browser for the tests of a file. Returns what opens a page in it; what a page complains of fails the test that opened it. */
export function pages(): (setup?: Setup) => Promise<Panel> {
  let site: Site;
  let browser: Browser;
  let opened: Panel[] = [];
  beforeAll(async () => {
    [site, browser] = await Promise.all([serve(), launch()]);
    await mkdir(pictures, { recursive: true });
  });
  afterAll(async () => {
    await browser.close();
    await site.close();
  });
  afterEach(async () => {
    const trouble = await Promise.all(opened.map((panel) => panel.trouble()));
    await Promise.all(opened.map((panel) => panel.close()));
    opened = [];
    expect(trouble.flat()).toEqual([]);
  });
  return async (setup) => {
    const panel = await Panel.open(browser, site, setup);
    opened.push(panel);
    return panel;
  };
}

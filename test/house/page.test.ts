// npm run page: a trace in a browser, reloaded when a source file or the trace changes.
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launch } from '../webview/harness.js';
import { Checkout, type Run } from './checkout.js';

const golden = 'test/fixtures/golden';
const text = '<p class';

let checkout: Checkout;
let browser: Browser;
beforeAll(async () => {
  checkout = new Checkout();
  for (const file of ['src', 'webview', 'test/webview', `${golden}/smollm2-135m`, `${golden}/gosling-moe`])
    checkout.take(file);
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  checkout.remove();
});

const serve = async (...args: string[]): Promise<{ run: Run; url: string }> => {
  const run = checkout.spawn('page.mjs', args, { GANDER_PORT: '0' });
  return { run, url: await run.wrote(/(http:\/\/127\.0\.0\.1:\d+\/)\n/) };
};

const open = async (url: string): Promise<{ page: Page; refused: string[] }> => {
  const page = await browser.newPage();
  const refused: string[] = [];
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) refused.push(message.text());
  });
  await page.goto(url);
  return { page, refused };
};

/** Waits until the page shows a text that contains this. */
const shows = (page: Page, part: string) => page.locator('.tokens', { hasText: part }).first().waitFor();

test('shows a trace of the fixtures, and reloads when a source file changes', async () => {
  const { run, url } = await serve();
  const { page, refused } = await open(`${url}?theme=light`);
  await shows(page, text);
  expect(await page.locator('body').getAttribute('class')).toBe('vscode-light');

  const words = path.join(checkout.dir, 'src/words/words.ts');
  const changed = readFileSync(words, 'utf8').replace("howTitle: 'How to read this'", "howTitle: 'Read it so'");
  checkout.write('src/words/words.ts', changed);
  await page.getByText('Read it so').waitFor();
  await shows(page, text);
  expect(refused).toEqual([]);

  run.child.kill('SIGINT');
  expect((await run.end).code).toBe(130);
  await expect(fetch(url)).rejects.toThrow();
});

test('shows the named trace, and reloads when it changes', async () => {
  const own = path.join(checkout.dir, 'own.gander.safetensors');
  copyFileSync(path.join(checkout.dir, golden, 'gosling-moe/python.safetensors'), own);
  const { run, url } = await serve(own);
  const { page } = await open(url);
  await shows(page, 'def');
  copyFileSync(path.join(checkout.dir, golden, 'smollm2-135m/phatgoose-k2-html.safetensors'), own);
  await shows(page, text);
  run.child.kill('SIGINT');
  await run.end;
});

test('tells a debugger where its sources are', async () => {
  const { run, url } = await serve();
  const map = (await (await fetch(new URL('panel.js.map', url))).json()) as { sources: string[] };
  // The debugger resolves the path of the address in the folder that launch.json names.
  const paths = map.sources.map((source) => new URL(source, url).pathname);
  expect(paths).toContain('/webview/main.tsx');
  run.child.kill('SIGINT');
  await run.end;
});

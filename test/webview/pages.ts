import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterEach, expect, inject, test } from 'vitest';
import { rest } from '../workbench/harness/throttle.mjs';
import { openPage, Panel, serve, type Setup, type RoutedModule } from './harness.js';

const pictures = join(import.meta.dirname, '../../artifacts/webview');

/** A picture to look at, which no test checks. */
export async function picture(page: Page, name: string, options: { readonly fullPage?: boolean } = {}): Promise<void> {
  if (process.env['GANDER_TEST_PICTURES']) await page.screenshot({ path: join(pictures, `${name}.png`), ...options });
}

// This worker's connection to the shared browser, and the server of its pages. Both end with the worker.
let begun: Promise<readonly [Browser, RoutedModule]> | undefined;

/** Pages that no test is using, by their scale, which cannot change. A new page costs a window and a process. */
const free = new Map<number, Page[]>();

async function pageOf(browser: Browser, scale: number): Promise<Page> {
  return free.get(scale)?.pop() ?? (await openPage(browser, scale));
}

/** Returns the function that opens a page for a test. If the page reports an error, the test fails. */
export function pages(): (setup?: Setup) => Promise<Panel> {
  let opened: { readonly panel: Panel; readonly scale: number }[] = [];
  afterEach(async ({ task }) => {
    const own = opened;
    opened = [];
    const trouble = (await Promise.all(own.map(({ panel }) => panel.trouble()))).flat();
    for (const { panel, scale } of own) {
      const page = panel.leave();
      await rest(page);
      // After a failed test, keys may still be down and other things may be left over.
      if (task.result?.state === 'fail' || trouble.length > 0) await panel.close();
      else free.set(scale, [...(free.get(scale) ?? []), page]);
    }
    expect(trouble).toEqual([]);
  });
  return async (setup = {}) => {
    const [browser, module] = await (begun ??= Promise.all([chromium.connect(inject('browser')), serve()]));
    const { scale = 1 } = setup;
    const panel = await Panel.openIn(await pageOf(browser, scale), module, setup);
    opened.push({ panel, scale });
    return panel;
  };
}

/** One test per case. All but the first few check what rarely differs, so they are slow. */
export function testMany<T>(
  cases: readonly T[],
  name: string,
  run: (one: T) => Promise<void>,
  { quick = 1 }: { readonly quick?: number } = {},
): void {
  test.for(cases.slice(0, quick))(name, run);
  test.for(cases.slice(quick))(name, { tags: ['slow'] }, run);
}

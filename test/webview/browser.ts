/** One browser for all tests of the page, however many workers run them. */
import { chromium } from 'playwright-core';
import type { TestProject } from 'vitest/node';
import { launchOptions } from './harness.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The address to connect to the browser. */
    browser: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const browser = await chromium.launchServer(launchOptions);
  project.provide('browser', browser.wsEndpoint());
  return () => browser.close();
}

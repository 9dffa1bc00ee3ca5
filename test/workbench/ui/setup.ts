// One VS Code for all walks: a server with the packaged extension installed, and a browser for the windows.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import type { TestProject } from 'vitest/node';
import { browserOptions, installExtension, startServer } from '../harness/vscode.mjs';

/** Long, because loading takes long on a busy machine, and an engine that loads does not hang. */
export const unhurried = { 'gander.engine.deadlineSeconds': 3600 };

interface Workbench {
  readonly vscode: string;
  /** The folder where the package was installed. */
  readonly extensions: string;
  readonly url: string;
  /** The address to connect to the browser. */
  readonly browser: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    workbench: Workbench;
  }
}

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run npm run test:ui`);
  return value;
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const [vscode, vsix] = [given('GANDER_TEST_VSCODE'), given('GANDER_TEST_VSIX')];
  const extensions = mkdtempSync(path.join(tmpdir(), 'vs-extensions-'));
  await installExtension(vscode, vsix, extensions);
  const server = await startServer({ vscode, extensions, settings: unhurried });
  const browser = await chromium.launchServer(browserOptions());
  provide('workbench', { vscode, extensions, url: server.url, browser: browser.wsEndpoint() });
  return async () => {
    await browser.close();
    await server.stop();
    rmSync(extensions, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
}

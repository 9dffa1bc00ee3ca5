// How long the extension host, which all extensions share, is blocked while about 1024 tokens are routed and drawn with the
// pool that ships. Runs in a real VS Code, the newest that is known to work, and compares with the same host when idle.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import type { Bench } from './harness.js';

interface Measured {
  readonly longest: number;
  readonly atWork?: number;
  readonly ours: number;
}

interface Round {
  readonly idle: Measured;
  readonly busy: Measured;
  readonly tokens: number;
}

/** Milliseconds of the command Route Selection until its trace has arrived at the page, and of the engine's run alone. */
interface Command {
  readonly tokens: number;
  readonly command: number;
  readonly engine: number;
}

interface Result {
  readonly rounds: readonly Round[];
  readonly commands: readonly Command[];
}

// Not bundled, because these modules find files relative to themselves.
const load = (file: string) => import(pathToFileURL(path.resolve(file)).href) as Promise<unknown>;

export default async function host(bench: Bench): Promise<void> {
  const { installVscodeWeb } = (await load('scripts/lib/vscode-web.mjs')) as {
    readonly installVscodeWeb: () => Promise<string>;
  };
  const { runInHost } = (await load('test/workbench/harness/host.mjs')) as {
    readonly runInHost: (options: object) => Promise<{ ok: boolean; results: { error?: string }[] }>;
  };
  const folder = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  const file = path.join(folder, 'result.json');
  try {
    const vscode = await installVscodeWeb();
    const { ok, results } = await runInHost({
      vscode,
      suites: path.resolve('bench/host'),
      folder: path.resolve('samples'),
      env: { GANDER_BENCH_RESULT: file, GANDER_BENCH_ROUNDS: bench.quick ? '1' : '5' },
    });
    if (!ok || !existsSync(file))
      throw new Error(results.map(({ error }) => error).join('\n') || 'nothing was measured');
    const { rounds, commands } = JSON.parse(readFileSync(file, 'utf8')) as Result;
    bench.notes['tokens'] = rounds[0]!.tokens;
    for (const tokens of new Set(commands.map((one) => one.tokens))) {
      const some = commands.filter((one) => one.tokens === tokens);
      let [engine, command] = [0, 0];
      await bench.compare(
        `about ${tokens} tokens routed in VS Code`,
        [
          { label: 'the engine, asked by the host', run: () => some[engine++ % some.length]!.engine },
          { label: 'the command Route Selection', run: () => some[command++ % some.length]!.command },
        ],
        { warmUps: 0, rounds: some.length },
      );
    }
    const activations = await inTurn(bench.quick ? 1 : 3, () => activation(vscode));
    bench.notes['activation, as VS Code reports it'] = activations.join(', ');
    for (const [name, of] of [
      ['longest block of the extension host', (one: Measured) => one.longest],
      ['longest at work, not kept from a core', (one: Measured) => one.atWork],
      ["longest on end in Gander's own code", (one: Measured) => one.ours],
    ] as const) {
      if (of(rounds[0]!.idle) === undefined) continue;
      let [idle, busy] = [0, 0];
      await bench.compare(
        name,
        [
          { label: 'idle', run: () => of(rounds[idle++ % rounds.length]!.idle)! },
          { label: 'routing and drawing', run: () => of(rounds[busy++ % rounds.length]!.busy)! },
        ],
        { warmUps: 0, rounds: rounds.length },
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inTurn<T>(times: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < times) results.push(await run());
  return results;
}

interface Server {
  readonly stop: () => Promise<void>;
}

/** Opens a new VS Code, then Gander's view, and reads the activation time from the list of running extensions. */
async function activation(vscode: string): Promise<string> {
  const { startServer, launchBrowser, openWorkbench } = (await load('test/workbench/harness/vscode.mjs')) as {
    readonly startServer: (options: object) => Promise<Server>;
    readonly launchBrowser: () => Promise<Browser>;
    readonly openWorkbench: (browser: Browser, server: Server, options: object) => Promise<Page>;
  };
  const { openContainer, runCommand } = (await load('test/workbench/harness/workbench.mjs')) as {
    readonly openContainer: (page: Page, title: string) => Promise<void>;
    readonly runCommand: (page: Page, label: string) => Promise<void>;
  };
  const server = await startServer({ vscode, link: path.resolve('.') });
  const browser = await launchBrowser();
  try {
    const page = await openWorkbench(browser, server, {
      folder: path.resolve('samples'),
      // High enough for the whole list, which draws only visible rows.
      viewport: { width: 1200, height: 3000 },
    });
    // Only after VS Code itself has started.
    await page.waitForTimeout(8000);
    await openContainer(page, 'Gander');
    await page.waitForTimeout(3000);
    await runCommand(page, 'Developer: Show Running Extensions');
    const row = page.locator('.extension', { hasText: 'Gander' });
    return (await row.locator('.activation-time').innerText()).replace(/^.*:\s*/, '');
  } finally {
    await browser.close();
    await server.stop();
  }
}

// How long the extension host, which all extensions share, is held up while about 1024 tokens are routed and drawn with the
// pool that ships. In a real VS Code, the newest that is known to work; beside the same host when nothing is asked of it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Bench } from './harness.js';

interface Measured {
  readonly longest: number;
  readonly ours: number;
}

interface Round {
  readonly idle: Measured;
  readonly busy: Measured;
  readonly tokens: number;
}

// They find their files by where they are, so they are not bundled.
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
    const { ok, results } = await runInHost({
      vscode: await installVscodeWeb(),
      suites: path.resolve('bench/host'),
      folder: path.resolve('samples'),
      env: { GANDER_BENCH_RESULT: file, GANDER_BENCH_ROUNDS: bench.quick ? '1' : '7' },
    });
    if (!ok || !existsSync(file))
      throw new Error(results.map(({ error }) => error).join('\n') || 'nothing was measured');
    const rounds = JSON.parse(readFileSync(file, 'utf8')) as Round[];
    bench.notes['tokens'] = rounds[0]!.tokens;
    for (const [name, of] of [
      ['longest block of the extension host', (one: Measured) => one.longest],
      ["of which in Gander's code on end", (one: Measured) => one.ours],
    ] as const) {
      let [idle, busy] = [0, 0];
      await bench.compare(
        name,
        [
          { label: 'idle', run: () => of(rounds[idle++ % rounds.length]!.idle) },
          { label: 'routing and drawing', run: () => of(rounds[busy++ % rounds.length]!.busy) },
        ],
        { warmUps: 0, rounds: rounds.length },
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

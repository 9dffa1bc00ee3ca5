// The logit lens, with the experts and without, compared with the run that it belongs to.
// GANDER_BENCH_POOL names a pool or mixture other than the one that ships, GANDER_BENCH_THREADS the threads (default 2).
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EngineOptions } from '../src/requests/api.js';
import { createEngine } from '../src/engine/local.js';
import type { Suite } from './harness.js';

const root = process.cwd();
const pool = path.resolve(process.env['GANDER_BENCH_POOL'] ?? path.join(root, 'models/smollm2-135m'));
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);
const tokens = 256;

const suite: Suite = async (bench) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  // Two engines, each with its own graph open, so that the time to open one is measured separately.
  const options: EngineOptions = { pool, cache: path.join(temporary, 'cache'), threads, chunk: 256 };
  const [runs, lenses] = [await createEngine(options), await createEngine(options)];
  try {
    const { kind } = await runs.info();
    const asked = kind === 'pool' ? { strategy: { name: 'phatgoose', k: 2 } } : {};
    const all = readFileSync(path.join(root, 'src/engine/client.ts'), 'utf8').slice(0, 8 * tokens);
    const { end } = (await runs.route({ text: all, ...asked })).sequences[0]!.tokens;
    const request = { text: all.slice(0, end![tokens - 1]), ...asked };
    const { count } = (await runs.route(request)).sequences[0]!.tokens;
    const lens = { ...request, token: count - 1 };
    const start = performance.now();
    const { layers } = await lenses.lens(lens);
    bench.notes['model'] = `${path.basename(pool)}, ${layers.length} layers, ${threads} threads`;
    bench.notes['the first, with its graph composed and opened, ms'] = Math.round(performance.now() - start);
    await bench.compare(
      `the last of ${count} tokens`,
      [
        { label: 'a run, its whole trace', run: () => runs.route(request) },
        { label: 'its lens, with the experts and without', run: () => lenses.lens(lens) },
      ],
      { rounds: 11, warmUps: 1 },
    );
  } finally {
    runs.dispose();
    lenses.dispose();
    rmSync(temporary, { recursive: true, force: true });
  }
};
export default suite;

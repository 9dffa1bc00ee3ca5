// A mixture of experts: routing with its whole trace compared with the file as it was exported.
// GANDER_BENCH_MOE names a folder other than the one that ships (gander-training export-moe makes one), GANDER_BENCH_THREADS the
// threads (default 2).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Cache } from '../src/engine/runtime/cache.js';
import type { Past } from '../src/engine/runtime/past.js';
import { readMoeFolder } from '../src/engine/families/moe/folder.js';
import { BaseSession } from './base.js';
import type { Suite } from './harness.js';
import { openMoe } from './sides.js';

const named = process.env['GANDER_BENCH_MOE'] ?? 'models/gosling-moe';
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);

const suite: Suite = async (bench) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  try {
    const cache = new Cache(temporary);
    const routed = await openMoe(named, cache, threads);
    const { plan } = routed;
    const [{ experts, k } = { experts: 0, k: 0 }] = plan.routers;
    bench.notes['model'] = `${plan.routers.length} routers, ${k} of ${experts} experts, ${threads} threads`;
    const bare = await BaseSession.open(readMoeFolder(path.resolve(named)).model, threads);
    const ids = (length: number) => Int32Array.from({ length }, (_, i) => 100 + ((i * 7919) % 4000));
    for (const [name, done, count, rounds] of [
      ['256 tokens', 0, 256, 20],
      ['1 token after 64', 64, 1, 60],
    ] as const) {
      const past = async (run: (ids: Int32Array, done: number, past: Past | undefined) => Promise<Past>) =>
        done > 0 ? run(ids(done), 0, undefined) : undefined;
      const [before, told] = [await past((...of) => bare.run(...of)), await past((...of) => routed.run(...of))];
      await bench.compare(
        name,
        [
          { label: 'the file as exported, logits', run: () => bare.run(ids(count), done, before) },
          { label: 'routed, whole trace', run: () => routed.run(ids(count), done, told) },
        ],
        { rounds, warmUps: 3 },
      );
    }
    await bare.release();
    await routed.release();
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};
export default suite;

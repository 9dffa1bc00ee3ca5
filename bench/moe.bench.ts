// A mixture of experts: routing with its whole trace compared with the file as it was exported.
// GANDER_BENCH_MOE names a folder other than the one that ships (gander-training export-moe makes one), GANDER_BENCH_THREADS the
// threads (default 2).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compose, filesOf, hashOf } from '../src/engine/families/moe/compose.js';
import { readMoeFolder } from '../src/engine/families/moe/folder.js';
import { MoeRecording } from '../src/engine/families/moe/recording.js';
import { MoeSession } from '../src/engine/families/moe/session.js';
import { MoeSteering } from '../src/engine/families/moe/steering.js';
import { Cache } from '../src/engine/runtime/cache.js';
import type { Past } from '../src/engine/runtime/past.js';
import { Recorder } from '../src/engine/runtime/recorder.js';
import { BaseSession } from './base.js';
import type { Suite } from './harness.js';

const named = process.env['GANDER_BENCH_MOE'] ?? 'models/gosling-moe';
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);

const suite: Suite = async (bench) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  try {
    const cache = new Cache(temporary);
    const folder = readMoeFolder(path.resolve(named));
    const files = filesOf(folder, cache);
    const composed = compose(
      folder,
      files,
      hashOf(folder, files, (file) => cache.hash(file)),
      cache,
    );
    const { plan } = composed;
    const [{ experts, k } = { experts: 0, k: 0 }] = plan.routers;
    bench.notes['model'] = `${plan.routers.length} routers, ${k} of ${experts} experts, ${threads} threads`;
    const bare = await BaseSession.open(folder.model, threads);
    const routed = await MoeSession.open(composed, threads);
    const steering = new MoeSteering(plan, []);
    const recording = new MoeRecording(plan, { name: folder.type ?? '' }, [], { kind: 'moe', name: '', versions: {} });
    const trace = async (ids: Int32Array, done: number, past: Past | undefined) => {
      const recorder = new Recorder(recording, [ids.length], String);
      const step = await routed.run({ ids, targets: ids, done, past }, steering);
      recorder.add(step, ids.length);
      recorder.trace([{ text: '', tokens: { count: ids.length, ids, start: ids, end: ids, text: [] } }]);
      return step.past;
    };
    const ids = (length: number) => Int32Array.from({ length }, (_, i) => 100 + ((i * 7919) % 4000));
    for (const [name, done, count, rounds] of [
      ['256 tokens', 0, 256, 20],
      ['1 token after 64', 64, 1, 60],
    ] as const) {
      const past = async (run: (ids: Int32Array, done: number, past: Past | undefined) => Promise<Past>) =>
        done > 0 ? run(ids(done), 0, undefined) : undefined;
      const [before, told] = [await past((...of) => bare.run(...of)), await past(trace)];
      await bench.compare(
        name,
        [
          { label: 'the file as exported, logits', run: () => bare.run(ids(count), done, before) },
          { label: 'routed, whole trace', run: () => trace(ids(count), done, told) },
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

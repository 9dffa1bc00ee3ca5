// Sides that several benchmarks compare.
import path from 'node:path';
import { type Composed, compose } from '../src/engine/families/lora-pool/compose.js';
import { PoolRecording } from '../src/engine/families/lora-pool/recording.js';
import { RoutedSession } from '../src/engine/families/lora-pool/session.js';
import { StrategySteering } from '../src/engine/families/lora-pool/steering.js';
import { compose as composeMoe, filesOf, hashOf } from '../src/engine/families/moe/compose.js';
import { readMoeFolder } from '../src/engine/families/moe/folder.js';
import type { Plan } from '../src/engine/families/moe/plan.js';
import { MoeRecording } from '../src/engine/families/moe/recording.js';
import { MoeSession } from '../src/engine/families/moe/session.js';
import { MoeSteering } from '../src/engine/families/moe/steering.js';
import type { Cache } from '../src/engine/runtime/cache.js';
import type { Past } from '../src/engine/runtime/past.js';
import { Recorder } from '../src/engine/runtime/recorder.js';
import { poolHash } from '../src/pool/hash.js';
import { readPool } from '../src/pool/pool.js';
import { routerOf, type Strategy } from '../src/strategies/index.js';

/** A model that routes tokens after `past` and builds their whole trace. */
export interface Routed {
  run(ids: Int32Array, done: number, past: Past | undefined): Promise<Past>;
  release(): Promise<void>;
}

export async function openPool(folder: string, cache: Cache, threads: number, strategy: Strategy): Promise<Routed> {
  const pool = readPool(folder);
  const composed = compose(pool, poolHash(pool, cache), cache, []);
  const session = await RoutedSession.open(composed, threads);
  return { run: tracer(session, composed, strategy), release: () => session.release() };
}

/** A mixture of experts. */
export async function openMoe(name: string, cache: Cache, threads: number): Promise<Routed & { readonly plan: Plan }> {
  const folder = readMoeFolder(path.resolve(name));
  const files = filesOf(folder, cache);
  const hash = hashOf(folder, files, (file) => cache.hash(file));
  const composed = composeMoe(folder, files, hash, cache);
  const { plan } = composed;
  const session = await MoeSession.open(composed, threads);
  const steering = new MoeSteering(plan, []);
  const recording = new MoeRecording(plan, { name: folder.type ?? '' }, [], { kind: 'moe', name: '', versions: {} });
  const run: Routed['run'] = async (ids, done, past) => {
    const recorder = new Recorder(recording, [ids.length], String);
    const step = await session.run({ ids, targets: ids, done, past }, steering);
    recorder.add(step, ids.length);
    recorder.trace([{ text: '', tokens: { count: ids.length, ids, start: ids, end: ids, text: [] } }]);
    return step.past;
  };
  return { plan, run, release: () => session.release() };
}

/** Runs tokens after `past` and builds their whole trace, as the engine does for one chunk. */
export function tracer(
  session: RoutedSession,
  { plan }: Composed,
  strategy: Strategy,
): (ids: Int32Array, done: number, past: Past | undefined) => Promise<Past> {
  const steering = new StrategySteering(plan, strategy, []);
  const recording = new PoolRecording({
    plan,
    experts: plan.experts.map((id) => ({ id, name: id })),
    router: routerOf(strategy),
    interventions: [],
    source: { kind: 'pool', name: '', versions: {} },
    vectors: steering.router,
    k: steering.width,
  });
  return async (ids, done, past) => {
    const recorder = new Recorder(recording, [ids.length], String);
    const step = await session.run({ ids, targets: ids, done, past }, steering);
    recorder.add(step, ids.length);
    recorder.trace([{ text: '', tokens: { count: ids.length, ids, start: ids, end: ids, text: [] } }]);
    return step.past;
  };
}

// Sides that several benchmarks compare.
import type { Composed } from '../src/engine/families/lora-pool/compose.js';
import { PoolRecording } from '../src/engine/families/lora-pool/recording.js';
import type { RoutedSession } from '../src/engine/families/lora-pool/session.js';
import { StrategySteering } from '../src/engine/families/lora-pool/steering.js';
import type { Past } from '../src/engine/runtime/past.js';
import { Recorder } from '../src/engine/runtime/recorder.js';
import { routerOf, type Strategy } from '../src/strategies/index.js';

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

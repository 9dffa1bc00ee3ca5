// Sides that more than one benchmark compares.
import type { Composed } from '../src/engine/compose.js';
import { Recorder } from '../src/engine/recorder.js';
import type { Past, RoutedSession } from '../src/engine/session.js';
import { StrategySteering } from '../src/engine/steering.js';
import { routerOf, type Strategy } from '../src/strategies/index.js';

/** Runs tokens after `past` and makes the whole trace of them, as the engine does for one chunk. */
export function tracer(
  session: RoutedSession,
  { plan }: Composed,
  strategy: Strategy,
): (ids: Int32Array, done: number, past: Past | undefined) => Promise<Past> {
  const steering = new StrategySteering(plan, strategy, []);
  const context = {
    plan,
    experts: plan.experts.map((id) => ({ id, name: id })),
    router: routerOf(strategy),
    interventions: [],
    source: { kind: 'pool', name: '', versions: {} },
    readable: String,
    vectors: steering.router,
    k: steering.width,
  };
  return async (ids, done, before) => {
    const recorder = new Recorder(context, ids.length);
    const result = await session.run(ids, ids, done, before, steering);
    recorder.add(result, ids.length);
    recorder.trace('', { count: ids.length, ids, start: ids, end: ids, text: [] });
    return result.past;
  };
}

import { given } from '../../../graph/gathered.js';
import { names, routerInput } from '../../../graph/route.js';
import type { RouterVectors } from '../../../strategies/strategy.js';
import { readCached } from '../../runtime/cache.js';
import { CausalSession, type Chunk, type Step, checkPredictions } from '../../runtime/causal.js';
import { firstNotFinite, notFinite } from '../../runtime/finite.js';
import { type Tensor, type Tensors, float32, int64 } from '../../runtime/session.js';
import type { Composed } from './compose.js';
import type { Plan } from './plan.js';
import { type Steering, never } from './steering.js';

/** One chunk's outputs; T tokens, rows of modules in the graph's order, N experts. */
export interface RoutedStep extends Step {
  /** [T, rows, N] */
  readonly affinity: Float32Array;
  /** [T, rows, k] whose weight and norm stand there; absent where these are [T, rows, N]. */
  readonly chosen?: Int32Array;
  readonly weight: Float32Array;
  readonly moved: Float32Array;
}

const columns = [names.affinity, names.weight, names.moved];

/** A composed graph, ready to run. */
export class RoutedSession {
  readonly #session: CausalSession;
  readonly #composed: Composed;
  /** Router vectors as inputs, read when first used. */
  readonly #routers = new Map<RouterVectors, Tensors>();

  private constructor(session: CausalSession, composed: Composed) {
    this.#session = session;
    this.#composed = composed;
  }

  static async open(composed: Composed, threads: number): Promise<RoutedSession> {
    return new RoutedSession(await CausalSession.open(composed.model, threads), composed);
  }

  get plan(): Plan {
    return this.#composed.plan;
  }

  /** @throws GanderError `base-invalid` when the model cannot be run, or gives what is no finite number */
  async run(chunk: Chunk, steering: Steering): Promise<RoutedStep> {
    const { form } = this.plan;
    const t = chunk.ids.length;
    const feeds = { ...this.#steered(chunk, steering), ...this.#routersOf(steering.router) };
    const wanted = form === 'gathered' ? [...columns, names.chosen] : columns;
    const { step, outputs } = await this.#session.run(chunk, feeds, wanted);
    const result = {
      ...step,
      affinity: outputs[names.affinity]!.data as Float32Array,
      weight: outputs[names.weight]!.data as Float32Array,
      moved: outputs[names.moved]!.data as Float32Array,
      ...(form === 'gathered' && { chosen: outputs[names.chosen]!.data as Int32Array }),
    };
    this.#check(result, t);
    return result;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  #steered({ ids, done }: Chunk, steering: Steering): Tensors {
    const { plan } = this;
    const [m, n, t] = [plan.rows.length, plan.experts.length, ids.length];
    const isGathered = plan.form === 'gathered';
    const { bias, fixed, routed } = steering.inputs(done, t);
    const scores = isGathered ? withGiven(bias, fixed, routed) : bias;
    const arrow = steering.router === 'arrow';
    return {
      [names.k]: int64(BigInt64Array.of(BigInt(steering.k)), [1]),
      [names.bias]: float32(scores, [scores.length / (m * n), m, n]),
      ...(!isGathered && { [names.fixed]: float32(forAll(fixed, t * m * n), [t, m, n]) }),
      [names.share]: float32(routed, [routed.length / m, m, 1]),
      [names.normalise]: float32(Float32Array.of(arrow ? 0 : 1), [1]),
      [names.slope]: float32(Float32Array.of(arrow ? -1 : 1), [1]),
    };
  }

  #check(step: RoutedStep, t: number): void {
    const { modules, rows } = this.plan;
    const { affinity, weight, moved } = step;
    for (const [what, values] of Object.entries({ affinity, weight, moved })) {
      const at = firstNotFinite(values);
      if (at < 0) continue;
      const row = Math.floor(at / (values.length / (t * rows.length))) % rows.length;
      throw notFinite(`${what} at ${modules[rows[row]!]!.path}`);
    }
    checkPredictions(step);
  }

  #routersOf(router: RouterVectors): Tensors {
    let routers = this.#routers.get(router);
    if (!routers) {
      const bytes = readCached(this.#composed.routerFile(router));
      const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      let offset = 0;
      const read: Record<string, Tensor> = {};
      for (const [i, { dIn, columns: width }] of this.plan.routers.entries())
        read[routerInput(i)] = float32(all.subarray(offset, (offset += dIn * width)), [dIn, width]);
      this.#routers.set(router, (routers = read));
    }
    return routers;
  }
}

/** The same for every token where that is all that is told. @param size of the whole */
function forAll(values: Float32Array, size: number): Float32Array {
  if (values.length === size) return values;
  const all = new Float32Array(size);
  if (values.some((x) => x !== 0)) for (let at = 0; at < size; at += values.length) all.set(values, at);
  return all;
}

/** Where the router does not decide, the weights that are given in the place of scores, as a gathered graph reads them. */
function withGiven(bias: Float32Array, fixed: Float32Array, routed: Float32Array): Float32Array {
  const n = bias.length / routed.length;
  return bias.map((score, at) => (routed[Math.floor(at / n)] !== 0 ? score : fixed[at] ? fixed[at] * given : never));
}

import { given } from '../../../graph/gathered.js';
import { names, routerInput } from '../../../graph/route.js';
import type { RouterVectors } from '../../../strategies/strategy.js';
import { firstNotFinite, notFinite } from '../../runtime/finite.js';
import { type Tensors, float32, int64 } from '../../runtime/session.js';
import type { GraphPart, Plan } from './plan.js';
import type { ExpertNumbers } from './stored.js';
import { type Steering, never } from './steering.js';

/** A routed graph's outputs for T tokens; rows are modules in the graph's order, N is the number of experts. */
export interface RoutedPart {
  readonly part: GraphPart;
  /** [T, rows, N] */
  readonly affinity: Float32Array;
  /** [T, rows, k]: the experts that `weight` and `moved` belong to; absent if these are [T, rows, N]. */
  readonly chosen?: Int32Array;
  readonly weight: Float32Array;
  readonly moved: Float32Array;
}

const columns = [names.affinity, names.weight, names.moved];

/** The inputs and outputs of one graph's routing. */
export class RoutedGraph {
  /** Router vectors as inputs, read when first used. */
  readonly #routers = new Map<RouterVectors, Tensors>();
  readonly #rows: number;

  constructor(
    private readonly plan: Plan,
    private readonly part: GraphPart,
    private readonly experts: ExpertNumbers,
  ) {
    this.#rows = part.rows[1] - part.rows[0];
  }

  /** The outputs to ask for. */
  get wanted(): readonly string[] {
    if (this.#rows === 0) return [];
    return this.plan.form === 'gathered' ? [...columns, names.chosen] : columns;
  }

  /** Inputs for tokens `done` to `done + t`. */
  feeds(steering: Steering, done: number, t: number): Tensors {
    if (this.#rows === 0) return {};
    return { ...this.#steered(steering, done, t), ...this.#routersOf(steering.router) };
  }

  /** @throws GanderError `base-invalid` if an output has a number that is not finite */
  read(outputs: Tensors, t: number): RoutedPart {
    const floats = (name: string) => (outputs[name]?.data ?? new Float32Array()) as Float32Array;
    const [affinity, weight, moved] = [floats(names.affinity), floats(names.weight), floats(names.moved)];
    const chosen = outputs[names.chosen]?.data as Int32Array | undefined;
    for (const [what, values] of Object.entries({ affinity, weight, moved })) this.#check(what, values, t);
    return { part: this.part, affinity, weight, moved, ...(chosen && { chosen }) };
  }

  #check(what: string, values: Float32Array, t: number): void {
    const at = firstNotFinite(values);
    if (at < 0) return;
    const { rows, modules } = this.plan;
    const row = Math.floor(at / (values.length / (t * this.#rows))) % this.#rows;
    throw notFinite(`${what} at ${modules[rows[this.part.rows[0] + row]!]!.path}`);
  }

  #steered(steering: Steering, done: number, t: number): Tensors {
    const { plan } = this;
    const [m, n] = [this.#rows, plan.experts.length];
    const isGathered = plan.form === 'gathered';
    const { bias, fixed, routed } = steering.inputs(done, t, this.part.rows);
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

  #routersOf(router: RouterVectors): Tensors {
    let routers = this.#routers.get(router);
    if (!routers) {
      const places = this.plan.routers.slice(...this.part.groups);
      const vectors = this.experts.vectors(router, places, this.plan.form ?? 'dense');
      const read = places.map(({ dIn, columns: width }, i) => [routerInput(i), float32(vectors[i]!, [dIn, width])]);
      this.#routers.set(router, (routers = Object.fromEntries(read) as Tensors));
    }
    return routers;
  }
}

/** Repeats values that are the same for every token. @param size of the result */
function forAll(values: Float32Array, size: number): Float32Array {
  if (values.length === size) return values;
  const all = new Float32Array(size);
  if (values.some((x) => x !== 0)) for (let at = 0; at < size; at += values.length) all.set(values, at);
  return all;
}

/** Biases with the fixed weights in their place wherever the router does not decide, as a gathered graph reads them. */
function withGiven(bias: Float32Array, fixed: Float32Array, routed: Float32Array): Float32Array {
  const n = bias.length / routed.length;
  return bias.map((score, at) => (routed[Math.floor(at / n)] !== 0 ? score : fixed[at] ? fixed[at] * given : never));
}

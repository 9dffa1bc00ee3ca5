import { leftOut } from '../../../graph/moe/leftOut.js';
import { names } from '../../../graph/route.js';
import { invalidBase } from '../../../graph/model.js';
import { CausalSession, type Chunk, type Step, checkPredictions } from '../../runtime/causal.js';
import { firstNotFinite, notFinite } from '../../runtime/finite.js';
import type { Cache } from '../../runtime/cache.js';
import { type LensPlace, LensSession } from '../../runtime/lens.js';
import { type Hardware, type Tensors, float32 } from '../../runtime/session.js';
import type { LensRun } from '../family.js';
import type { Composed } from './compose.js';
import type { Plan, TappedRouter } from './plan.js';
import type { MoeSteering } from './steering.js';

/** One router's outputs for T tokens. */
export interface RouterStep {
  /** [T, E] */
  readonly score: Float32Array;
  readonly selection: Float32Array | undefined;
  /** [T, k] */
  readonly chosen: Int32Array;
  readonly weight: Float32Array | undefined;
  /** [T, 1] */
  readonly shared: Float32Array | undefined;
}

export interface MoeStep extends Step {
  readonly routers: readonly RouterStep[];
  /** [1 or T, ΣE], what was added to the scores. */
  readonly bias: Float32Array;
}

/** A composed graph, ready to run. */
export class MoeSession {
  readonly #session: CausalSession;
  readonly #wanted: readonly string[];

  private constructor(
    session: CausalSession,
    readonly plan: Plan,
  ) {
    this.#session = session;
    this.#wanted = [...new Set(plan.routers.flatMap(({ tap }) => Object.values<string>({ ...tap })))];
  }

  static async open({ model, plan }: Composed, on: Hardware): Promise<MoeSession> {
    return new MoeSession(await CausalSession.open(model, on), plan);
  }

  /** @throws GanderError `base-invalid` if the model cannot be run, or gives a number that is not finite */
  async run(chunk: Chunk, steering: MoeSteering): Promise<MoeStep> {
    const { routers } = this.plan;
    const t = chunk.ids.length;
    const { bias, feeds } = feedsOf(this.plan, steering, chunk);
    const { step, outputs } = await this.#session.run(chunk, feeds, this.#wanted);
    const result = { ...step, bias, routers: routers.map((router) => readRouter(router, outputs, t)) };
    checkPredictions(step);
    return result;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** The same graph, with what each layer would predict. */
export class MoeLens {
  private constructor(
    private readonly session: LensSession,
    readonly plan: Plan,
  ) {}

  /** @throws GanderError as LensSession */
  static async open({ model, plan }: Composed, on: Hardware, cache: Cache): Promise<MoeLens> {
    return new MoeLens(await LensSession.open(model, on, cache), plan);
  }

  get layers(): readonly number[] {
    return this.session.layers;
  }

  at(place: LensPlace, steering: MoeSteering): LensRun {
    return { run: async (chunk) => this.session.run(chunk, feedsOf(this.plan, steering, chunk).feeds, place) };
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

function feedsOf({ routers }: Plan, steering: MoeSteering, { done, ids }: Chunk) {
  const bias = steering.bias(done, ids.length);
  const width = routers.reduce((sum, { experts }) => sum + experts, 0);
  return { bias, feeds: { [names.bias]: float32(bias, [bias.length / width, width]) } };
}

function readRouter({ path, experts, k, tap }: TappedRouter, outputs: Tensors, t: number): RouterStep {
  const floats = (name: string | undefined, what: string, width: number) => {
    if (name === undefined) return undefined;
    const values = outputs[name]!.data as Float32Array;
    if (values.length !== t * width) throw misread(path, what);
    // Experts that were left out are −∞; nothing else may be.
    const at = what === 'selection' ? values.findIndex((x) => Number.isNaN(x)) : firstNotFinite(values);
    if (at >= 0) throw notFinite(`${what} at ${path}`);
    return values;
  };
  const places = outputs[tap.chosen]!.data as BigInt64Array;
  if (places.length !== t * k) throw misread(path, 'choice');
  return {
    score: floats(tap.score, 'score', experts)!,
    selection: floats(tap.selection, 'selection', experts)?.map((x) => (x < leftOut ? -Infinity : x)),
    chosen: lowWords(places),
    weight: floats(tap.weight, 'weight', k),
    shared: floats(tap.shared, 'weight of the shared expert', 1),
  };
}

/** Indices are small: their lower halves are enough, and reading only these is many times faster. */
function lowWords(values: BigInt64Array): Int32Array {
  const halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
  return Int32Array.from({ length: values.length }, (_, i) => halves[2 * i]!);
}

function misread(path: string, what: string) {
  return invalidBase(
    `The ${what} of the router ${path} has an unexpected shape`,
    'Please report which exporter made the model.',
  );
}

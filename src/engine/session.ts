/** The only file that runs a model: onnxruntime-node behind two small classes. Batch is always 1. */
import './telemetry.js';
import * as ort from 'onnxruntime-node';
import { given } from '../graph/gathered.js';
import { names, routerInput } from '../graph/route.js';
import { GanderError } from '../shared/errors.js';
import { plain } from '../trace/label.js';
import { readCached } from './cache.js';
import type { Composed, Plan, Router } from './compose.js';
import { type Steering, never } from './steering.js';

export const onnxruntimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

// It writes names from the model to the terminal as they are; what it throws says the same.
ort.env.logLevel = 'fatal';

/** @throws GanderError `base-invalid` when onnxruntime refuses the model. */
export async function openSession(file: string, threads: number): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(file, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
      // One room for all tensors, planned by the first run's sizes, only adds to the peak when sizes differ each time.
      enableMemPattern: false,
      // Threads that spin while they wait would take an editor's other work its cores.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  } catch (cause) {
    throw refusal('onnxruntime refuses the model', cause);
  }
}

/** @throws GanderError `base-invalid` when onnxruntime fails: the inputs are ours, so it is the model that is at odds with itself. */
async function runSession(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  outputs: string[],
): Promise<Record<string, ort.Tensor>> {
  try {
    return await session.run(feeds, outputs);
  } catch (cause) {
    throw refusal('The model cannot be run', cause);
  }
}

/** onnxruntime's message has names from the model in it, as long and as strange as whoever wrote them liked. */
function refusal(what: string, cause: unknown): GanderError {
  const message = plain(cause instanceof Error ? cause.message : String(cause)).slice(0, 1000);
  return new GanderError('base-invalid', `${what}: ${message}`, 'Export the base model anew, or choose another pool.', {
    cause,
  });
}

function firstNotFinite(values: Float32Array): number {
  return values.findIndex((x) => !Number.isFinite(x));
}

function notFinite(what: string): GanderError {
  return new GanderError(
    'base-invalid',
    `The model gives numbers that are not finite (${what}).`,
    'Look for weights that are not finite, or too large for their type, in the base and the experts.',
  );
}

/** Past keys and values of one text, as the graph gave them. */
export type Past = ReadonlyMap<string, ort.Tensor>;

/** One chunk's outputs; T tokens, rows of modules in the graph's order, N experts, P predictions. */
export interface ChunkResult {
  readonly past: Past;
  /** [T, rows, N] */
  readonly affinity: Float32Array;
  /** [T, rows, k] whose weight and norm stand there; absent where these are [T, rows, N]. */
  readonly chosen?: Int32Array;
  readonly weight: Float32Array;
  readonly moved: Float32Array;
  /** [T] of the token after each, as named by `targets`. */
  readonly logProb: Float32Array;
  /** [T, P] */
  readonly topLogProb: Float32Array;
  readonly topIds: BigInt64Array;
  /** [V] */
  readonly last: Float32Array;
}

const traceOutputs = [
  names.affinity,
  names.weight,
  names.moved,
  names.logProb,
  names.topLogProb,
  names.topIds,
  names.last,
];

/** A composed graph, ready to run. */
export class RoutedSession {
  readonly #session: ort.InferenceSession;
  readonly #past: PastLayout;
  readonly #composed: Composed;
  /** Router vectors as inputs, read when first used. */
  readonly #routers = new Map<Router, Record<string, ort.Tensor>>();

  private constructor(session: ort.InferenceSession, composed: Composed) {
    this.#session = session;
    this.#composed = composed;
    this.#past = new PastLayout(session);
  }

  static async open(composed: Composed, threads: number): Promise<RoutedSession> {
    return new RoutedSession(await openSession(composed.model, threads), composed);
  }

  get plan(): Plan {
    return this.#composed.plan;
  }

  /**
   * Runs one chunk.
   *
   * @param ids of the chunk's tokens
   * @param targets the token after each; any where there is none
   * @param done tokens before the chunk, whose keys and values are `past`
   * @throws GanderError `base-invalid` when the model cannot be run, or gives what is no finite number
   */
  async run(
    ids: Int32Array,
    targets: Int32Array,
    done: number,
    past: Past | undefined,
    steering: Steering,
  ): Promise<ChunkResult> {
    const { plan } = this;
    const [m, n, t] = [plan.rows.length, plan.experts.length, ids.length];
    const isGathered = plan.form === 'gathered';
    const { bias, fixed, share } = steering.inputs(done, t);
    const scores = isGathered ? withGiven(bias, fixed, share) : bias;
    const arrow = steering.router === 'arrow';
    const feeds: Record<string, ort.Tensor> = {
      ...this.#past.feeds(ids, done, past),
      [names.k]: new ort.Tensor('int64', BigInt64Array.of(BigInt(steering.k)), [1]),
      [names.bias]: new ort.Tensor('float32', scores, [scores.length / (m * n), m, n]),
      ...(!isGathered && { [names.fixed]: new ort.Tensor('float32', forAll(fixed, t * m * n), [t, m, n]) }),
      [names.share]: new ort.Tensor('float32', share, [share.length / m, m, 1]),
      [names.normalise]: new ort.Tensor('float32', Float32Array.of(arrow ? 0 : 1), [1]),
      [names.slope]: new ort.Tensor('float32', Float32Array.of(arrow ? -1 : 1), [1]),
      [names.targets]: new ort.Tensor('int64', BigInt64Array.from(targets, BigInt), [1, t, 1]),
      ...this.#routersOf(steering.router),
    };
    const wanted = isGathered ? [...traceOutputs, names.chosen] : traceOutputs;
    const outputs = await runSession(this.#session, feeds, [...wanted, ...this.#past.outputs]);
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- each output has its own array type
    const data = <T>(name: string) => outputs[name]!.data as T;
    const result = {
      past: new Map(this.#past.outputs.map((name) => [name, outputs[name]!])),
      affinity: data<Float32Array>(names.affinity),
      ...(isGathered && { chosen: data<Int32Array>(names.chosen) }),
      weight: data<Float32Array>(names.weight),
      moved: data<Float32Array>(names.moved),
      logProb: data<Float32Array>(names.logProb),
      topLogProb: data<Float32Array>(names.topLogProb),
      topIds: data<BigInt64Array>(names.topIds),
      last: data<Float32Array>(names.last),
    };
    this.#check(result, t);
    return result;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  /** Numbers that are none would be shown as if nothing were known, and the rest is wrong beside them. */
  #check({ affinity, weight, moved, logProb, topLogProb }: ChunkResult, t: number): void {
    const { modules, rows } = this.plan;
    for (const [what, values] of Object.entries({ affinity, weight, moved })) {
      const at = firstNotFinite(values);
      if (at < 0) continue;
      const row = Math.floor(at / (values.length / (t * rows.length))) % rows.length;
      throw notFinite(`${what} at ${modules[rows[row]!]!.path}`);
    }
    if (firstNotFinite(logProb) >= 0 || firstNotFinite(topLogProb) >= 0) throw notFinite('log-probability');
  }

  #routersOf(router: Router): Record<string, ort.Tensor> {
    let routers = this.#routers.get(router);
    if (!routers) {
      const bytes = readCached(this.#composed.routerFile(router));
      const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      let offset = 0;
      routers = {};
      for (const [i, { dIn, columns }] of this.plan.routers.entries()) {
        routers[routerInput(i)] = new ort.Tensor('float32', all.subarray(offset, (offset += dIn * columns)), [
          dIn,
          columns,
        ]);
      }
      this.#routers.set(router, routers);
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

/** Where the router has no share, the weights that are given in the place of scores, as a gathered graph reads them. */
function withGiven(bias: Float32Array, fixed: Float32Array, share: Float32Array): Float32Array {
  const n = bias.length / share.length;
  return bias.map((score, at) => (share[Math.floor(at / n)] !== 0 ? score : fixed[at] ? fixed[at] * given : never));
}

/** A base with no routing: what the routed graph is measured against. */
export class BaseSession {
  readonly #past: PastLayout;

  private constructor(readonly session: ort.InferenceSession) {
    this.#past = new PastLayout(session);
  }

  static async open(file: string, threads: number): Promise<BaseSession> {
    return new BaseSession(await openSession(file, threads));
  }

  /** All of the base's outputs, of which only the past is given back. */
  async run(ids: Int32Array, done: number, past: Past | undefined): Promise<Past> {
    const targets = new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length, 1]);
    const feeds = {
      ...this.#past.feeds(ids, done, past),
      ...(this.session.inputNames.includes(names.targets) && { [names.targets]: targets }),
    };
    const outputs = await runSession(this.session, feeds, [...this.session.outputNames]);
    return new Map(this.#past.outputs.map((name) => [name, outputs[name]!]));
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** The inputs and outputs that carry keys and values: `past_key_values.<i>.key` in, `present.<i>.key` out. */
class PastLayout {
  readonly outputs: readonly string[];
  readonly #empty: ReadonlyMap<string, ort.Tensor>;
  readonly #hasPositions: boolean;
  readonly #hasMask: boolean;

  constructor(session: ort.InferenceSession) {
    const empty = new Map<string, ort.Tensor>();
    for (const meta of session.inputMetadata) {
      if (!meta.name.startsWith('past_key_values.') || !meta.isTensor) continue;
      // [batch, heads, past, width], of which only heads and width are numbers.
      const dims = meta.shape.map((d, axis) => (axis === 0 ? 1 : typeof d === 'number' ? d : 0));
      if (meta.type !== 'float32')
        throw new GanderError(
          'base-invalid',
          `The base keeps its past as ${meta.type}.`,
          'Export it with float32 activations.',
        );
      empty.set(meta.name, new ort.Tensor('float32', new Float32Array(0), dims));
    }
    if (empty.size === 0 || !session.inputNames.includes('input_ids')) {
      throw new GanderError(
        'base-invalid',
        'The base model takes no past keys and values.',
        'Export it as a causal language model with past keys and values.',
      );
    }
    this.#empty = empty;
    this.outputs = [...empty.keys()].map((name) => name.replace('past_key_values.', 'present.'));
    this.#hasPositions = session.inputNames.includes('position_ids');
    this.#hasMask = session.inputNames.includes('attention_mask');
  }

  feeds(ids: Int32Array, done: number, past: Past | undefined): Record<string, ort.Tensor> {
    const t = ids.length;
    const feeds: Record<string, ort.Tensor> = {
      input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, t]),
    };
    if (this.#hasMask)
      feeds['attention_mask'] = new ort.Tensor('int64', new BigInt64Array(done + t).fill(1n), [1, done + t]);
    if (this.#hasPositions)
      feeds['position_ids'] = new ort.Tensor(
        'int64',
        BigInt64Array.from({ length: t }, (_, i) => BigInt(done + i)),
        [1, t],
      );
    for (const [name, empty] of this.#empty)
      feeds[name] = past?.get(name.replace('past_key_values.', 'present.')) ?? empty;
    return feeds;
  }
}

/** A sentence encoder: mean of the last hidden states, normalised. */
export class Embedder {
  private constructor(readonly session: ort.InferenceSession) {}

  static async open(file: string, threads: number): Promise<Embedder> {
    return new Embedder(await openSession(file, threads));
  }

  /** @returns a unit vector [d] */
  async embed(ids: Int32Array): Promise<Float32Array> {
    const t = ids.length;
    const all: Record<string, bigint[]> = {
      input_ids: Array.from(ids, BigInt),
      attention_mask: new Array<bigint>(t).fill(1n),
      token_type_ids: new Array<bigint>(t).fill(0n),
    };
    const feeds: Record<string, ort.Tensor> = {};
    for (const name of this.session.inputNames) {
      if (all[name]) feeds[name] = new ort.Tensor('int64', BigInt64Array.from(all[name]), [1, t]);
    }
    const output = (await runSession(this.session, feeds, [this.session.outputNames[0]!]))[
      this.session.outputNames[0]!
    ]!;
    const hidden = output.data as Float32Array;
    const width = output.dims.at(-1)!;
    const mean = new Float32Array(width);
    for (let at = 0; at < hidden.length; at++) mean[at % width]! += hidden[at]! / t;
    if (firstNotFinite(mean) >= 0) throw notFinite('the retriever');
    const length = Math.hypot(...mean) || 1;
    return mean.map((x) => x / length);
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

import path from 'node:path';
import { invalidBase } from '../../../graph/model.js';
import { encoderInputs } from '../../../graph/part.js';
import { names } from '../../../graph/route.js';
import { pastPairs } from '../../../graph/past.js';
import { CausalSession, type Chunk, checkPredictions } from '../../runtime/causal.js';
import type { Past } from '../../runtime/past.js';
import { Session, type Tensor, type Tensors, int64 } from '../../runtime/session.js';
import { type Composed, filesOf } from '../lora-pool/compose.js';
import { RoutedGraph, type RoutedPart } from '../lora-pool/graph.js';
import { type Plan, graphParts } from '../lora-pool/plan.js';
import type { RoutedStep } from '../lora-pool/session.js';
import { type Steering, StrategySteering } from '../lora-pool/steering.js';
import { graphNames } from './compose.js';

const hidden = 'last_hidden_state';

/** Of log-probabilities that rounding alone keeps apart; a token more or less in sight makes a difference of tenths. */
const tolerance = 1e-2;

/** The composed graphs of an encoder-decoder, ready to run. */
export class PairSession {
  readonly #encoder: Session;
  readonly #cross: Session;
  readonly #decoder: CausalSession;
  readonly #graphs: readonly [encoder: RoutedGraph, cross: RoutedGraph, decoder: RoutedGraph];
  /** For each input of the decoder that stays as it is over the output, which output of `cross` or input of it that is. */
  readonly #given: ReadonlyMap<string, string>;

  private constructor(
    readonly plan: Plan,
    graphs: readonly RoutedGraph[],
    encoder: Session,
    cross: Session,
    decoder: CausalSession,
  ) {
    this.#graphs = graphs as [RoutedGraph, RoutedGraph, RoutedGraph];
    this.#encoder = encoder;
    this.#cross = cross;
    this.#decoder = decoder;
    const states = pastPairs(decoder.constantInputs, cross.outputNames);
    const same = Object.values<string>(encoderInputs).filter((name) => decoder.constantInputs.includes(name));
    this.#given = new Map([...states, ...same.map((name) => [name, name] as const)]);
  }

  static async open({ entry, plan }: Composed, threads: number): Promise<PairSession> {
    const files = graphNames.map((name) => filesOf(path.join(entry.folder, name)));
    const graphs = graphParts(plan).map((part, i) => new RoutedGraph(plan, part, files[i]!.experts));
    const [encoder, cross, decoder] = files.map(({ model }) => model) as [string, string, string];
    const session = new PairSession(
      plan,
      graphs,
      await Session.openComposed(encoder, threads),
      await Session.openComposed(cross, threads),
      await CausalSession.open(decoder, threads),
    );
    try {
      await session.#checkDecoder();
    } catch (error) {
      await session.release();
      throw error;
    }
    return session;
  }

  /**
   * Reads the input, and makes of it the keys and values of the cross-attention: the past of the output's first chunk.
   *
   * @throws GanderError `base-invalid` when the model cannot be run, or gives what is no finite number
   */
  async encode(ids: Int32Array, steering: Steering): Promise<RoutedStep> {
    const t = ids.length;
    const ones = () => int64(new BigInt64Array(t).fill(1n), [1, t]);
    const [encoder, cross] = this.#graphs;
    const input = { input_ids: int64(BigInt64Array.from(ids, BigInt), [1, t]), attention_mask: ones() };
    const read = await runRouted(this.#encoder, encoder, steering, t, input, [hidden]);
    const shared: Tensors = {
      [encoderInputs.hidden]: read.outputs[hidden]!,
      [encoderInputs.mask]: ones(),
      // Nothing that is asked of it hangs on what is written.
      input_ids: int64(BigInt64Array.of(0n), [1, 1]),
    };
    const states = [...this.#given.values()].filter((name) => this.#cross.outputNames.includes(name));
    const made = await runRouted(this.#cross, cross, steering, t, shared, states);
    const past = new Map<string, Tensor>();
    for (const [name, source] of this.#given) past.set(name, made.outputs[source] ?? shared[source]!);
    return { ...silent, past, parts: [read.part, made.part] };
  }

  /** Some tokens of the output. @throws GanderError as `encode` */
  async run(chunk: Chunk, steering: Steering): Promise<RoutedStep> {
    const t = chunk.ids.length;
    const graph = this.#graphs[2];
    const kept = [...this.#given.keys()].map((name) => [name, chunk.past!.get(name)!] as const);
    const feeds = { ...graph.feeds(steering, chunk.done, t), ...Object.fromEntries(kept) };
    const { step, outputs } = await this.#decoder.run(chunk, feeds, graph.wanted);
    const part = graph.read(outputs, t);
    checkPredictions(step);
    return { ...step, past: new Map([...step.past, ...kept]), parts: [part] };
  }

  /**
   * Its exporter traced it with one token and a past: what it took for a constant then would be wrong without a word.
   *
   * @throws GanderError `base-invalid` where it does not compute what it should
   */
  async #checkDecoder(): Promise<void> {
    const steering = new StrategySteering(this.plan, { name: 'base' }, []);
    const { past } = await this.encode(Int32Array.of(0, 1), steering);
    const run = (ids: readonly number[], done: number, before: Past) =>
      this.run({ ids: Int32Array.from(ids), targets: Int32Array.from(ids), done, past: before }, steering);
    const together = await run([0, 1], 0, past);
    const first = await run([0], 0, past);
    const second = await run([1], 1, first.past);
    const apart = [...first.logProb, ...second.logProb];
    if (apart.every((x, i) => Math.abs(x - together.logProb[i]!) < tolerance)) return;
    throw invalidBase(
      'The decoder with a past gives other numbers for two tokens at once than for one after the other, from an empty past',
      'Export it with gander-training export-base.',
    );
  }

  async release(): Promise<void> {
    await this.#encoder.release();
    await this.#cross.release();
    await this.#decoder.release();
  }
}

/** What is predicted after tokens of an input: nothing. */
const silent = {
  logProb: new Float32Array(),
  topLogProb: new Float32Array(),
  topIds: new BigInt64Array(),
  last: new Float32Array(),
};

/** @param given some of which the graph takes */
async function runRouted(
  session: Session,
  graph: RoutedGraph,
  steering: Steering,
  t: number,
  given: Tensors,
  wanted: readonly string[],
): Promise<{ readonly outputs: Tensors; readonly part: RoutedPart }> {
  const counted = { [names.targets]: int64(new BigInt64Array(t), [1, t, 1]) };
  const all: Tensors = { ...given, ...counted, ...graph.feeds(steering, 0, t) };
  const taken = session.inputs.flatMap(({ name }) => (all[name] ? [[name, all[name]] as const] : []));
  const outputs = await session.run(Object.fromEntries(taken), [...wanted, ...graph.wanted]);
  return { outputs, part: graph.read(outputs, t) };
}

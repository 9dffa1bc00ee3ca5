import path from 'node:path';
import { invalidBase } from '../../../graph/model.js';
import type { Cache } from '../../runtime/cache.js';
import { CausalSession, type Chunk, checkPredictions } from '../../runtime/causal.js';
import { type LensPlace, LensSession } from '../../runtime/lens.js';
import type { Past } from '../../runtime/past.js';
import type { Hardware } from '../../runtime/session.js';
import type { LensRun } from '../family.js';
import { type Composed, filesOf } from '../lora-pool/compose.js';
import { RoutedGraph } from '../lora-pool/graph.js';
import { type Plan, graphParts } from '../lora-pool/plan.js';
import type { RoutedStep } from '../lora-pool/session.js';
import { type Steering, StrategySteering } from '../lora-pool/steering.js';
import { PairInput } from './input.js';

/** Largest difference of log-probabilities that rounding alone explains; seeing a token more or less changes them by tenths. */
const tolerance = 1e-2;

/** The composed graphs of an encoder-decoder, ready to run. */
export class PairSession {
  private constructor(
    readonly plan: Plan,
    private readonly input: PairInput,
    private readonly decoder: CausalSession,
    private readonly graph: RoutedGraph,
  ) {}

  static async open(composed: Composed, on: Hardware): Promise<PairSession> {
    const { model, graph } = decoderOf(composed);
    const decoder = await CausalSession.open(model, on);
    const input = await PairInput.open(composed, on, decoder.constantInputs);
    const session = new PairSession(composed.plan, input, decoder, graph);
    try {
      await session.#checkDecoder();
    } catch (error) {
      await session.release();
      throw error;
    }
    return session;
  }

  /** Reads the input. @throws GanderError as PairInput.encode */
  encode(ids: Int32Array, steering: Steering): Promise<RoutedStep> {
    return this.input.encode(ids, steering);
  }

  /** Runs some tokens of the output. @throws GanderError as `encode` */
  async run(chunk: Chunk, steering: Steering): Promise<RoutedStep> {
    const t = chunk.ids.length;
    const kept = this.input.kept(chunk.past);
    const feeds = { ...this.graph.feeds(steering, chunk.done, t), ...Object.fromEntries(kept) };
    const { step, outputs } = await this.decoder.run(chunk, feeds, this.graph.wanted);
    const part = this.graph.read(outputs, t);
    checkPredictions(step);
    return { ...step, past: new Map([...step.past, ...kept]), parts: [part] };
  }

  /**
   * The exporter traced the decoder with one token and a past; anything that it fixed as a constant would be silently wrong.
   *
   * @throws GanderError `base-invalid` if the decoder does not compute what it should
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
      'From an empty past, the decoder gives different numbers for two tokens at once and for one after the other',
      'Export it with gander-training export-base.',
    );
  }

  async release(): Promise<void> {
    await this.input.release();
    await this.decoder.release();
  }
}

/** The same graphs, with what each layer of the decoder would predict. */
export class PairLens {
  private constructor(
    readonly plan: Plan,
    private readonly input: PairInput,
    private readonly decoder: LensSession,
    private readonly graph: RoutedGraph,
  ) {}

  /** @throws GanderError as LensSession */
  static async open(composed: Composed, on: Hardware, cache: Cache): Promise<PairLens> {
    const { model, graph } = decoderOf(composed);
    const decoder = await LensSession.open(model, on, cache);
    const input = await PairInput.open(composed, on, decoder.constantInputs);
    return new PairLens(composed.plan, input, decoder, graph);
  }

  get layers(): readonly number[] {
    return this.decoder.layers;
  }

  at(place: LensPlace, steering: Steering): LensRun {
    return {
      encode: (ids) => this.input.encode(ids, steering),
      run: async (chunk) => {
        const kept = this.input.kept(chunk.past);
        const feeds = this.graph.feeds(steering, chunk.done, chunk.ids.length);
        const step = await this.decoder.run(chunk, { ...feeds, ...Object.fromEntries(kept) }, place);
        return { ...step, past: new Map([...step.past, ...kept]) };
      },
    };
  }

  async release(): Promise<void> {
    await this.input.release();
    await this.decoder.release();
  }
}

function decoderOf({ entry, plan }: Composed): { readonly model: string; readonly graph: RoutedGraph } {
  const { model, experts } = filesOf(path.join(entry.folder, 'decoder'));
  return { model, graph: new RoutedGraph(plan, graphParts(plan)[2]!, experts) };
}

/** A composed graph with outputs for what each layer would predict (graph/lens.ts), ready to run. */
import { insertLens, lensNames } from '../../graph/lens.js';
import { parseModel, writeModel } from '../../graph/model.js';
import { layersOf } from '../../graph/stream.js';
import type { Cache } from './cache.js';
import { CausalSession, type Chunk, type Step, checkPredictions } from './causal.js';
import { type Hardware, type Tensors, int64 } from './session.js';
import { Variant } from './variant.js';

/** Part of the graph's name: raise it when the same composed graph would be changed differently. */
const lensVersion = 1;

/** The token at which layers are asked for predictions, and the one after it; any id if there is none. */
export interface LensPlace {
  readonly token: number;
  readonly next: number;
}

export class LensSession {
  readonly #session: CausalSession;
  /** Numbers of the layers, as the model counts them, first to last. */
  readonly layers: readonly number[];

  private constructor(session: CausalSession) {
    this.#session = session;
    this.layers = layersOf(session.states);
  }

  /**
   * @param model in a cache entry; the graph is made beside it if it is missing
   * @throws GanderError `request-invalid` if the graph does not show what the layers would predict
   */
  static async open(model: string, on: Hardware, cache: Cache): Promise<LensSession> {
    const variant = new Variant(model, `lens${lensVersion}`);
    const change = (bytes: Uint8Array) => {
      const read = parseModel(bytes);
      insertLens(read);
      return writeModel(read);
    };
    if (!variant.isSound) cache.write(() => variant.make(change));
    return new LensSession(await CausalSession.open(variant.file, on));
  }

  get constantInputs(): readonly string[] {
    return this.#session.constantInputs;
  }

  /**
   * The step gives for L layers what other steps give for T tokens; only that of the chunk with the token counts.
   *
   * @param own as CausalSession's
   * @throws GanderError `base-invalid` if the model cannot be run, or gives a number that is not finite
   */
  async run(chunk: Chunk, own: Tensors, place: LensPlace): Promise<Step> {
    const { step } = await this.runFor(chunk, own, place, []);
    checkPredictions(step);
    return step;
  }

  /** @param wanted outputs to return besides the step, whose predictions are not checked */
  runFor(
    chunk: Chunk,
    own: Tensors,
    { token, next }: LensPlace,
    wanted: readonly string[],
  ): ReturnType<CausalSession['run']> {
    const place = Math.max(0, Math.min(token - chunk.done, chunk.ids.length - 1));
    const count = this.layers.length;
    const feeds = {
      ...own,
      [lensNames.place]: int64(BigInt64Array.of(BigInt(place)), [1]),
      [lensNames.targets]: int64(new BigInt64Array(count).fill(BigInt(next)), [1, count, 1]),
    };
    return this.#session.run(chunk, feeds, wanted);
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

import { names } from '../../graph/route.js';
import { firstNotFinite, notFinite } from './finite.js';
import { type Past, PastLayout } from './past.js';
import { type Hardware, Session, type Tensors, int64 } from './session.js';

/** Any model's outputs for one chunk; T tokens, P predictions (graph/predictions.ts). */
export interface Step {
  readonly past: Past;
  /** [T] of the token after each, which is given in `targets`. */
  readonly logProb: Float32Array;
  /** [T, P] */
  readonly topLogProb: Float32Array;
  readonly topIds: BigInt64Array;
  /** [V] logits of the last token. */
  readonly last: Float32Array;
}

/** Some tokens of a text. */
export interface Chunk {
  readonly ids: Int32Array;
  /** The token after each; any id if there is none. */
  readonly targets: Int32Array;
  /** Number of tokens before them, whose keys and values are `past`. */
  readonly done: number;
  readonly past: Past | undefined;
}

const predicted = [names.logProb, names.topLogProb, names.topIds, names.last];

/** A causal language model with outputs for its predictions, run over the keys and values of earlier tokens. */
export class CausalSession {
  readonly #past: PastLayout;

  private constructor(private readonly session: Session) {
    this.#past = new PastLayout(session);
  }

  /** @param file in a cache entry */
  static async open(file: string, on: Hardware): Promise<CausalSession> {
    return new CausalSession(await Session.openComposed(file, on));
  }

  /** Outputs that carry keys, values and other states of the layers to the next step. */
  get states(): readonly string[] {
    return this.#past.outputs;
  }

  /** Inputs that do not come with the chunk: the same for all tokens of a run, such as what a decoder gets from its encoder. */
  get constantInputs(): readonly string[] {
    return this.session.inputs.map(({ name }) => name).filter((name) => !this.#past.takes(name));
  }

  /**
   * @param own the model's inputs besides the chunk
   * @param wanted outputs to return besides the step
   * @throws GanderError `base-invalid` if the model cannot be run
   */
  async run(
    { ids, targets, done, past }: Chunk,
    own: Tensors,
    wanted: readonly string[],
  ): Promise<{ readonly step: Step; readonly outputs: Tensors }> {
    const feeds = {
      ...this.#past.feeds(ids, done, past),
      [names.targets]: int64(BigInt64Array.from(targets, BigInt), [1, targets.length, 1]),
      ...own,
    };
    const outputs = await this.session.run(feeds, [...wanted, ...predicted, ...this.#past.outputs]);
    const step = {
      past: this.#past.of(outputs),
      logProb: outputs[names.logProb]!.data as Float32Array,
      topLogProb: outputs[names.topLogProb]!.data as Float32Array,
      topIds: outputs[names.topIds]!.data as BigInt64Array,
      last: outputs[names.last]!.data as Float32Array,
    };
    return { step, outputs };
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** @throws GanderError `base-invalid` if a prediction is not finite */
export function checkPredictions({ logProb, topLogProb }: Step): void {
  if (firstNotFinite(logProb) >= 0 || firstNotFinite(topLogProb) >= 0) throw notFinite('log-probability');
}

import { GanderError } from '../../errors/errors.js';
import { pastPairs, tokenInputs } from '../../graph/past.js';
import { type Session, type Tensor, float32, int64 } from './session.js';

/** Past keys and values of one text, as the graph gave them. */
export type Past = ReadonlyMap<string, Tensor>;

/** The inputs and outputs that carry keys, values and other states from one step to the next (graph/past.ts). */
export class PastLayout {
  readonly outputs: readonly string[];
  /** For each input, the output that becomes its next value. */
  readonly #pairs: ReadonlyMap<string, string>;
  readonly #empty: ReadonlyMap<string, Tensor>;
  readonly #hasPositions: boolean;
  readonly #hasMask: boolean;
  readonly #hasCount: boolean;

  constructor(session: Session) {
    const empty = new Map<string, Tensor>();
    const inputNames = session.inputs.map(({ name }) => name);
    this.#pairs = pastPairs(inputNames, session.outputNames);
    for (const meta of session.inputs) {
      if (!this.#pairs.has(meta.name) || !meta.isTensor) continue;
      // [batch, heads, past, width], of which only heads and width are numbers; or a state of fixed size.
      const dims = meta.shape.map((d, axis) => (axis === 0 ? 1 : typeof d === 'number' ? d : 0));
      const size = dims.reduce((product, d) => product * d, 1);
      if (meta.type === 'int64') empty.set(meta.name, int64(new BigInt64Array(size), dims));
      else if (meta.type !== 'float32')
        throw new GanderError(
          'base-invalid',
          `The base keeps its past as ${meta.type}.`,
          'Export it with float32 activations.',
        );
      else empty.set(meta.name, float32(new Float32Array(size), dims));
    }
    if (empty.size === 0 || !inputNames.includes('input_ids')) {
      throw new GanderError(
        'base-invalid',
        'The base model takes no past keys and values.',
        'Export it as a causal language model with past keys and values.',
      );
    }
    this.#empty = empty;
    this.outputs = [...this.#pairs.values()];
    this.#hasPositions = inputNames.includes('position_ids');
    this.#hasMask = inputNames.includes('attention_mask');
    this.#hasCount = inputNames.includes('num_logits_to_keep');
  }

  /** Whether `feeds` gives the input. */
  takes(name: string): boolean {
    return tokenInputs.has(name) || this.#empty.has(name);
  }

  /** @param done number of tokens before the chunk, whose keys and values are `past` */
  feeds(ids: Int32Array, done: number, past: Past | undefined): Record<string, Tensor> {
    const t = ids.length;
    const feeds: Record<string, Tensor> = { input_ids: int64(BigInt64Array.from(ids, BigInt), [1, t]) };
    if (this.#hasMask) feeds['attention_mask'] = int64(new BigInt64Array(done + t).fill(1n), [1, done + t]);
    if (this.#hasPositions)
      feeds['position_ids'] = int64(
        BigInt64Array.from({ length: t }, (_, i) => BigInt(done + i)),
        [1, t],
      );
    // 0 keeps the logits of all tokens; another number would keep only the last ones.
    if (this.#hasCount) feeds['num_logits_to_keep'] = int64(BigInt64Array.of(0n), []);
    for (const [name, empty] of this.#empty) feeds[name] = past?.get(this.#pairs.get(name)!) ?? empty;
    return feeds;
  }

  of(outputs: Readonly<Record<string, Tensor>>): Past {
    return new Map(this.outputs.map((name) => [name, outputs[name]!]));
  }
}

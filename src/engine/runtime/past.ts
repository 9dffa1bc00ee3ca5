import { GanderError } from '../../shared/errors.js';
import { type Session, type Tensor, float32, int64 } from './session.js';

/** Past keys and values of one text, as the graph gave them. */
export type Past = ReadonlyMap<string, Tensor>;

/** The inputs and outputs that carry keys and values: `past_key_values.<i>.key` in, `present.<i>.key` out. */
export class PastLayout {
  readonly outputs: readonly string[];
  readonly #empty: ReadonlyMap<string, Tensor>;
  readonly #hasPositions: boolean;
  readonly #hasMask: boolean;

  constructor(session: Session) {
    const empty = new Map<string, Tensor>();
    const inputNames = session.inputs.map(({ name }) => name);
    for (const meta of session.inputs) {
      if (!meta.name.startsWith('past_key_values.') || !meta.isTensor) continue;
      // [batch, heads, past, width], of which only heads and width are numbers.
      const dims = meta.shape.map((d, axis) => (axis === 0 ? 1 : typeof d === 'number' ? d : 0));
      if (meta.type !== 'float32')
        throw new GanderError(
          'base-invalid',
          `The base keeps its past as ${meta.type}.`,
          'Export it with float32 activations.',
        );
      empty.set(meta.name, float32(new Float32Array(0), dims));
    }
    if (empty.size === 0 || !inputNames.includes('input_ids')) {
      throw new GanderError(
        'base-invalid',
        'The base model takes no past keys and values.',
        'Export it as a causal language model with past keys and values.',
      );
    }
    this.#empty = empty;
    this.outputs = [...empty.keys()].map((name) => name.replace('past_key_values.', 'present.'));
    this.#hasPositions = inputNames.includes('position_ids');
    this.#hasMask = inputNames.includes('attention_mask');
  }

  /** @param done tokens before the chunk, whose keys and values are `past` */
  feeds(ids: Int32Array, done: number, past: Past | undefined): Record<string, Tensor> {
    const t = ids.length;
    const feeds: Record<string, Tensor> = { input_ids: int64(BigInt64Array.from(ids, BigInt), [1, t]) };
    if (this.#hasMask) feeds['attention_mask'] = int64(new BigInt64Array(done + t).fill(1n), [1, done + t]);
    if (this.#hasPositions)
      feeds['position_ids'] = int64(
        BigInt64Array.from({ length: t }, (_, i) => BigInt(done + i)),
        [1, t],
      );
    for (const [name, empty] of this.#empty)
      feeds[name] = past?.get(name.replace('past_key_values.', 'present.')) ?? empty;
    return feeds;
  }

  of(outputs: Readonly<Record<string, Tensor>>): Past {
    return new Map(this.outputs.map((name) => [name, outputs[name]!]));
  }
}

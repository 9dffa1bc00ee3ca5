import path from 'node:path';
import { readExamples, type Examples } from '../../../pool/adapter.js';
import type { Pool } from '../../../pool/pool.js';
import { GanderError } from '../../../shared/errors.js';
import { joined } from '../../../shared/joined.js';
import { Tokenizer } from '../../runtime/tokenizer.js';
import { Embedder } from './embedder.js';

/** Word pieces of a text that all-MiniLM-L6-v2 looks at, [CLS] and [SEP] counted. */
const longest = 256;

/** Finds the expert that holds the training example most like a text (docs/strategies.md). */
export class Retriever {
  readonly #examples: { readonly id: string; readonly examples: Examples }[];
  readonly #answers = new Map<string, string>();

  private constructor(
    readonly embedder: Embedder,
    readonly tokenizer: Tokenizer,
    pool: Pool,
  ) {
    this.#examples = pool.experts
      .filter(({ hasExamples }) => hasExamples)
      .map(({ id, folder }) => ({ id, examples: readExamples(path.resolve(folder)) }));
  }

  /** @throws GanderError `strategy-unavailable`, `base-invalid`, `tokenizer-invalid` */
  static async open(pool: Pool, threads: number): Promise<Retriever> {
    if (!pool.retriever)
      throw new GanderError('strategy-unavailable', 'This pool has no retriever.', 'Choose another strategy.');
    return new Retriever(
      await Embedder.open(pool.retriever.model, threads),
      new Tokenizer(pool.retriever.tokenizer),
      pool,
    );
  }

  /** The expert's id; a text is embedded once. */
  async expertFor(text: string): Promise<string> {
    const known = this.#answers.get(text);
    if (known !== undefined) return known;
    const { ids } = await this.tokenizer.encode(text);
    const kept = ids.length > longest ? joined(ids.subarray(0, longest - 1), ids.subarray(-1)) : ids;
    const best = nearest(await this.embedder.embed(kept), this.#examples);
    if (best === undefined)
      throw new GanderError(
        'strategy-unavailable',
        'No expert of this pool has examples for retrieval.',
        'Choose another strategy.',
      );
    if (this.#answers.size >= 100) this.#answers.clear();
    this.#answers.set(text, best);
    return best;
  }

  async release(): Promise<void> {
    await this.embedder.release();
  }
}

/** The owner of the example with the highest cosine similarity; of two alike the first. */
export function nearest(
  embedding: Float32Array,
  owners: readonly { readonly id: string; readonly examples: Examples }[],
): string | undefined {
  let best: string | undefined;
  let highest = -Infinity;
  for (const { id, examples } of owners) {
    if (examples.width !== embedding.length) continue;
    for (let row = 0; row < examples.count; row++) {
      let dot = 0;
      for (let d = 0; d < examples.width; d++) dot += embedding[d]! * examples.embeddings[row * examples.width + d]!;
      const similarity = dot * examples.scales[row]!;
      if (similarity > highest) {
        highest = similarity;
        best = id;
      }
    }
  }
  return best;
}

import path from 'node:path';
import { readExamples, type Examples } from '../../../pool/adapter.js';
import type { Pool } from '../../../pool/pool.js';
import { GanderError } from '../../../errors/errors.js';
import { joined } from '../../../formats/joined.js';
import { Tokenizer } from '../../runtime/tokenizer.js';
import { Embedder } from './embedder.js';

/** How many word pieces of a text all-MiniLM-L6-v2 reads, including [CLS] and [SEP]. */
const longest = 256;

/** Finds the expert with the training example that is most similar to a text (docs/strategies.md). */
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

  /** The expert's id; a text that was asked before is not embedded again. */
  async expertFor(text: string): Promise<string> {
    const known = this.#answers.get(text);
    if (known !== undefined) return known;
    const best = nearest(await this.similarities(text));
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

  /** For each expert, how similar its nearest example is to a text. */
  async similarities(text: string): Promise<Similarity[]> {
    const { ids } = await this.tokenizer.encode(text);
    const kept = ids.length > longest ? joined(ids.subarray(0, longest - 1), ids.subarray(-1)) : ids;
    return similaritiesTo(await this.embedder.embed(kept), this.#examples);
  }

  async release(): Promise<void> {
    await this.embedder.release();
  }
}

export interface Similarity {
  readonly id: string;
  /** A cosine. */
  readonly similarity: number;
}

/** Each owner's highest cosine of an example with an embedding; owners with examples of another embedder are left out. */
export function similaritiesTo(
  embedding: Float32Array,
  owners: readonly { readonly id: string; readonly examples: Examples }[],
): Similarity[] {
  return owners
    .filter(({ examples }) => examples.width === embedding.length)
    .map(({ id, examples }) => ({ id, similarity: highest(embedding, examples) }));
}

function highest(embedding: Float32Array, { count, width, embeddings, scales }: Examples): number {
  let best = -Infinity;
  for (let row = 0; row < count; row++) {
    let dot = 0;
    for (let d = 0; d < width; d++) dot += embedding[d]! * embeddings[row * width + d]!;
    best = Math.max(best, dot * scales[row]!);
  }
  return best;
}

/** The most similar one; if two are equally similar, the first. */
export function nearest(similarities: readonly Similarity[]): string | undefined {
  let best: Similarity | undefined;
  for (const one of similarities) if (one.similarity > (best?.similarity ?? -Infinity)) best = one;
  return best?.id;
}

import type { Similarity } from '../requests/api.js';

/** What is sent to the page that compares experts, once it is ready. */
export interface SimilarityMessage {
  readonly type: 'similarity';
  /** Name of the pool. */
  readonly name: string;
  readonly similarity: Similarity;
}

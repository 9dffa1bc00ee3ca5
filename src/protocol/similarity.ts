import type { Similarity } from '../requests/api.js';

/** What the page that compares experts is sent, once it is ready. */
export interface SimilarityMessage {
  readonly type: 'similarity';
  /** The pool's. */
  readonly name: string;
  readonly similarity: Similarity;
}

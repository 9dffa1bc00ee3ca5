/** What a reader is asked and answers (children/reader.ts). */
import type { GenerateRequest } from '../src/requests/api.js';
import type { ErrorData } from '../src/errors/errors.js';

export interface Work {
  readonly folder: string;
  /** Trace files to read, in the place of the pool in the folder. */
  readonly traces?: readonly string[];
  /** Files of other programs, likewise. */
  readonly imports?: readonly string[];
  /** A server to ask. */
  readonly server?: Asking & { readonly address: string };
}

export interface Asking {
  readonly method: 'route' | 'generate' | 'attribute' | 'score';
  readonly request: GenerateRequest;
}

export interface Said {
  readonly outcome: string;
  readonly error?: ErrorData;
  /** Bytes that the process held at most so far. */
  readonly peak?: number;
}

/** Messages to and from a reader (children/reader.ts). */
import type { GenerateRequest } from '../src/requests/api.js';
import type { ErrorData } from '../src/errors/errors.js';

export interface Job {
  readonly folder: string;
  /** Trace files to read instead of the pool in the folder. */
  readonly traces?: readonly string[];
  /** Files of other programs, likewise. */
  readonly imports?: readonly string[];
  /** Whether the folder is an atlas. */
  readonly isAtlas?: boolean;
  /** A packed expert to unpack inside the folder. */
  readonly packed?: string;
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
  /** Milliseconds of processor time that the job took. */
  readonly milliseconds: number;
  /** Most bytes that the process has used so far. */
  readonly peak: number;
}

/** What a reader is asked and answers (children/reader.ts). */
import type { ErrorData } from '../src/shared/errors.js';

export interface Work {
  readonly folder: string;
  /** Trace files to read, in the place of the pool in the folder. */
  readonly traces?: readonly string[];
  /** Files of other programs, likewise. */
  readonly imports?: readonly string[];
}

export interface Said {
  readonly outcome: string;
  readonly error?: ErrorData;
  /** Bytes that the process held at most so far. */
  readonly peak?: number;
}

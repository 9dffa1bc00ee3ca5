/** Requests and answers of the child that imports. */
import type { Warning } from '../requests/description.js';

export interface Job {
  /** Name of the file. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The model's config.json. */
  readonly config?: Uint8Array;
  /** The text that was routed. */
  readonly text?: string;
  /** Absolute path of the model's tokenizer.json. */
  readonly tokenizer?: string;
  readonly k?: number;
  readonly part?: number;
}

/** The trace as the bytes of a trace file, which are checked on arrival like any file's. */
export interface Answer {
  readonly trace: Uint8Array;
  readonly warnings: readonly Warning[];
}

export interface ImportCalls {
  import: { request: Job; result: Answer };
}

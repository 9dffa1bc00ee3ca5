/** What the child that imports is asked and answers. */
import type { Warning } from '../requests/description.js';

export interface Job {
  /** Of the file. */
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

/** The trace as a file's bytes, which are checked where they arrive as any file's. */
export interface Answer {
  readonly trace: Uint8Array;
  readonly warnings: readonly Warning[];
}

export interface ImportCalls {
  import: { request: Job; result: Answer };
}

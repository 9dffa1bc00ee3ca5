import type { Random } from '../random.js';

export type Beginning = 'pool' | 'traces' | 'imports';

export interface Target {
  readonly name: string;
  /** `engine`: a text is routed by the guarded child. `reader`: what reads files in the host's own process, in a plain child. */
  readonly runner: 'engine' | 'reader';
  /** Of the files that the case begins with, those that it needs. */
  readonly begins: Beginning;
  /** Spoils what lies in the folder and says how. */
  readonly spoil: (folder: string, random: Random) => string;
}

import type { Handler } from '../../test/servers/http.js';
import type { Random } from '../random.js';
import type { Asking } from '../reading.js';

export type Beginning = 'pool' | 't5' | 'traces' | 'imports' | 'servers';

export type Target = FileTarget | ServerTarget;

export interface FileTarget {
  readonly name: string;
  /** `engine`: a text is routed by the guarded child. `reader`: what reads files in the host's own process, in a plain child. */
  readonly runner: 'engine' | 'reader';
  /** Of the files that the case begins with, those that it needs. */
  readonly begins: Beginning;
  /** Spoils what lies in the folder and says how. */
  readonly spoil: (folder: string, random: Random) => string;
}

/** A server on 127.0.0.1 that is asked by a plain child. */
export interface ServerTarget {
  readonly name: string;
  readonly runner: 'server';
  readonly begins: Beginning;
  /** @param folder what the server may answer with @param elsewhere an address that nobody may ask */
  readonly answer: (folder: string, random: Random, elsewhere: string) => Answering;
}

export interface Answering {
  /** Known once it was asked. */
  readonly how: () => string;
  readonly handle: Handler;
  readonly asking: Asking;
}

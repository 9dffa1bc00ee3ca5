import type { Handler } from '../../test/servers/http.js';
import type { Random } from '../random.js';
import type { Asking } from '../reading.js';

export type Beginning = 'pool' | 't5' | 'traces' | 'imports' | 'atlas' | 'packed' | 'servers';

export type Target = FileTarget | ServerTarget;

export interface FileTarget {
  readonly name: string;
  /** `engine`: the guarded child routes a text. `reader`: an unguarded child runs what reads files in the host's own process. */
  readonly runner: 'engine' | 'reader';
  /** Which files the case begins with. */
  readonly begins: Beginning;
  /** Corrupts files in the folder and returns how. */
  readonly spoil: (folder: string, random: Random) => string;
}

/** A server on 127.0.0.1 that an unguarded child asks. */
export interface ServerTarget {
  readonly name: string;
  readonly runner: 'server';
  readonly begins: Beginning;
  /** @param folder of the server's possible answers @param elsewhere an address that must not be asked */
  readonly answer: (folder: string, random: Random, elsewhere: string) => Answering;
}

export interface Answering {
  /** Known after the request. */
  readonly how: () => string;
  readonly handle: Handler;
  readonly asking: Asking;
}

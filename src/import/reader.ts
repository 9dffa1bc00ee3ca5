/** A reader of other programs' files. Pure: bytes in, a routing out. */
import type { Router } from '../trace/model/trace.js';
import type { Model } from './model.js';

export interface Reader {
  /** What it reads, as a person would call it. */
  readonly name: string;
  /** Whether it reads a file with this beginning. @param first up to `firstBytes` of the file */
  claims(first: Uint8Array): boolean;
  /** @throws GanderError `import-invalid` */
  read(bytes: Uint8Array, given: Given): Routing;
}

/** How many bytes of a file its reader is found by: a log may begin with other lines. */
export const firstBytes = 2 ** 16;

/** What the person says about a file. */
export interface Given {
  readonly model?: Model;
  /** Experts per token. */
  readonly k?: number;
  /** Which of several texts in the file, from 1. */
  readonly part: number;
}

/** What a file says about one text's routing. */
export interface Routing {
  /** The program that wrote it. */
  readonly kind: string;
  /** The model's name. */
  readonly name?: string;
  readonly router?: Omit<Router, 'k'>;
  readonly tokens: number;
  readonly ids?: Int32Array;
  /** The tokens' texts. */
  readonly spelled?: readonly string[];
  /** In the order of the layers. */
  readonly modules: readonly ReadModule[];
  readonly k: number;
  /** N, if the file or the model's configuration says it. */
  readonly experts?: number;
  /** [S, T, k] */
  readonly chosen: Int16Array;
  readonly weight?: Float32Array;
  /** [S, T, N] */
  readonly score?: Float32Array;
  /** What a person should know about it. */
  readonly warnings: readonly string[];
}

export interface ReadModule {
  readonly layer: number;
  /** What the file calls it, if its layer has others. */
  readonly path?: string;
}

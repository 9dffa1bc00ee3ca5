/** What a reader of others' files is. Pure: bytes in, a routing out. */
import type { Router } from '../trace/model/trace.js';
import type { Model } from './model.js';

export interface Reader {
  /** What it reads, as a person would name it. */
  readonly name: string;
  /** Whether a file that begins so is its. @param first up to `firstBytes` of it */
  claims(first: Uint8Array): boolean;
  /** @throws GanderError `import-invalid` */
  read(bytes: Uint8Array, given: Given): Routing;
}

/** Bytes of a file by which its reader is found: a log may begin with other lines. */
export const firstBytes = 2 ** 16;

/** What the person says of a file beside it. */
export interface Given {
  readonly model?: Model;
  /** Experts a token. */
  readonly k?: number;
  /** Which of several texts in the file, from 1. */
  readonly part: number;
}

/** What a file says of one text's routing. */
export interface Routing {
  /** Who wrote it. */
  readonly kind: string;
  /** The model's name. */
  readonly name?: string;
  readonly router?: Omit<Router, 'k'>;
  readonly tokens: number;
  readonly ids?: Int32Array;
  /** The tokens' texts. */
  readonly spelled?: readonly string[];
  /** In the order of the layers. */
  readonly sites: readonly RoutedSite[];
  readonly k: number;
  /** N, where the file or the model's configuration says it. */
  readonly experts?: number;
  /** [S, T, k] */
  readonly chosen: Int16Array;
  readonly weight?: Float32Array;
  /** [S, T, N] */
  readonly score?: Float32Array;
  /** What a person should know of it. */
  readonly warnings: readonly string[];
}

export interface RoutedSite {
  readonly layer: number;
  /** What the file calls it, where that tells it from others of its layer. */
  readonly path?: string;
}

/** Router vectors that are stored; Arrow's are computed from the experts' own matrices when they are first needed. */
import { normalisedGate } from '../../../graph/algebra.js';
import type { PoolExpert } from '../../../pool/pool.js';
import type { Vectors } from '../../../pool/adapter.js';
import type { RouterVectors } from '../../../strategies/strategy.js';

export type WrittenVectors = Exclude<RouterVectors, 'arrow'>;

interface Written {
  readonly of: (expert: PoolExpert) => Vectors | undefined;
  /** The vector as the graph multiplies it by u / std(u). */
  readonly made: (vector: Float32Array) => Float32Array;
}

export const writtenVectors: Readonly<Record<WrittenVectors, Written>> = {
  phatgoose: { of: ({ gates }) => gates, made: normalisedGate },
  'average-activation': { of: ({ activations }) => activations, made: normalisedGate },
  // A linear router's rows are used as they were learned, without normalisation.
  'jointly-trained': { of: ({ routerRows }) => routerRows, made: (row) => row },
};

export const writtenNames = Object.keys(writtenVectors) as WrittenVectors[];

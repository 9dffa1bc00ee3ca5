import { parseModel } from '../../graph/model.js';
import { leftToProcessor } from '../../graph/leftToProcessor.js';
import { readCached } from './cache.js';

/** The nodes of a model in a cache entry that WebGPU is not to compute. */
export const leftIn = (file: string): readonly string[] => leftToProcessor(parseModel(readCached(file)).graph);

import { layersOf, type Layer } from '../../src/trace/access.js';
import { layerKey } from '../../src/trace/sight.js';
import type { Trace } from '../../src/trace/trace.js';

/** The layer that a view's state names; undefined: all, or one that this trace does not have. */
export function layerOf(trace: Trace, key: string): Layer | undefined {
  return layersOf(trace).find((layer) => layerKey(layer) === key);
}

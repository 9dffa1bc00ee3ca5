/** Layers by a key that can be kept: a decoder counts its layers from 0 again. */
import { layersOf, type Layer } from '../../src/trace/access.js';
import type { Trace } from '../../src/trace/trace.js';

export function keyOf({ stack, layer }: Layer): string {
  return stack ? `${stack} ${layer}` : String(layer);
}

export function layerOf(trace: Trace, key: string): Layer | undefined {
  return layersOf(trace).find((layer) => keyOf(layer) === key);
}

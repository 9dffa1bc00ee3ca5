/** Whose figures an atlas holds: the units, which are the experts of each layer, and of a pool also over all layers. */
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { layersOf, sharedSites, type SharedSites } from '../trace/model/access.js';
import { layerText } from '../trace/text/label.js';
import type { Trace } from '../trace/model/trace.js';

const expertSchema = z.object({ id: z.string(), name: z.string() });

/** `layer: null` is over all layers, which the experts of a pool are the same in. */
export const layerSchema = z.object({
  stack: z.enum(['encoder', 'decoder']).nullable(),
  layer: z.int().nullable(),
  /** Places in the layer where experts are chosen. */
  sites: z.int().min(1),
  experts: z.array(expertSchema).min(1),
});

export type AtlasLayer = z.infer<typeof layerSchema>;

export class Layout {
  /** [L + 1] the units of layer l are [starts[l], starts[l + 1]): its experts, in order. */
  readonly starts: Int32Array;
  /** [U] the layer that a unit is of. */
  readonly layerOf: Int32Array;
  readonly units: number;

  constructor(readonly layers: readonly AtlasLayer[]) {
    this.starts = new Int32Array(layers.length + 1);
    layers.forEach(({ experts }, l) => (this.starts[l + 1] = this.starts[l]! + experts.length));
    this.units = this.starts[layers.length]!;
    this.layerOf = new Int32Array(this.units);
    for (let l = 0; l < layers.length; l++) this.layerOf.fill(l, this.starts[l], this.starts[l + 1]);
  }

  /** An [U] array's part of a layer: a view. */
  of(values: Float64Array, l: number): Float64Array {
    return values.subarray(this.starts[l], this.starts[l + 1]);
  }

  isSame({ layers }: Layout): boolean {
    return JSON.stringify(layers) === JSON.stringify(this.layers);
  }
}

/** The sites of a trace that belong to each layer of its layout. */
export interface Placed {
  readonly layout: Layout;
  readonly sites: readonly SharedSites[];
}

/** @throws GanderError `trace-invalid` where a trace has no layer whose choices can be counted */
export function placedIn(trace: Trace): Placed {
  const found: { layer: AtlasLayer; sites: SharedSites }[] = [];
  const layers = layersOf(trace);
  const add = (stack: AtlasLayer['stack'], layer: number | null, sites: SharedSites | undefined) => {
    if (!sites) return;
    const experts = sites.experts.map(({ id, name }) => ({ id, name }));
    found.push({ layer: { stack, layer, sites: sites.sites.length, experts }, sites });
  };
  for (const layer of layers) add(layer.stack ?? null, layer.layer, sharedSites(trace, layer));
  for (const stack of new Set(layers.map((layer) => layer.stack))) {
    const all = sharedSites(trace, stack ? { stack } : {});
    if (all?.set.scope === 'pool') add(stack ?? null, null, all);
  }
  if (found.length === 0)
    throw new GanderError(
      'trace-invalid',
      'No layer’s experts can be told apart in this trace.',
      'Leave it out of the atlas.',
    );
  return { layout: new Layout(found.map(({ layer }) => layer)), sites: found.map(({ sites }) => sites) };
}

/** `3`, `decoder 3`, `all layers`. */
export function layerName({ stack, layer }: Pick<AtlasLayer, 'stack' | 'layer'>): string {
  if (layer === null) return stack ? `${stack}, all layers` : 'all layers';
  return layerText({ layer, ...(stack && { stack }) });
}

/** The units of an atlas: the experts of each layer and, for a pool, also over all layers. */
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { type LayerKey, layerKeyOf, layerOf } from '../protocol/atlas.js';
import { layersOf, sharedModules, type SharedModules } from '../trace/model/access.js';
import { layerText } from '../trace/text/label.js';
import type { Stack, Trace } from '../trace/model/trace.js';

const expertSchema = z.object({ id: z.string(), name: z.string() });

/** `layer: null` stands for all layers together, in which a pool has the same experts. */
export const layerSchema = z.object({
  stack: z.enum(['encoder', 'decoder']).nullable(),
  layer: z.int().nullable(),
  /** Which of the layer's routers, if it has several; atlases made before could not say. */
  router: z.string().nullable().default(null),
  /** How many routed modules the layer has. */
  modules: z.int().min(1),
  experts: z.array(expertSchema).min(1),
});

export type AtlasLayer = z.infer<typeof layerSchema>;

export class Layout {
  /** [L + 1] layer l has the units [starts[l], starts[l + 1]): its experts, in order. */
  readonly starts: Int32Array;
  /** [U] the layer of each unit. */
  readonly layerOf: Int32Array;
  readonly units: number;
  #text: string | undefined;

  constructor(readonly layers: readonly AtlasLayer[]) {
    this.starts = new Int32Array(layers.length + 1);
    layers.forEach(({ experts }, l) => (this.starts[l + 1] = this.starts[l]! + experts.length));
    this.units = this.starts[layers.length]!;
    this.layerOf = new Int32Array(this.units);
    for (let l = 0; l < layers.length; l++) this.layerOf.fill(l, this.starts[l], this.starts[l + 1]);
  }

  /** One layer's part of a [U] array, as a view. */
  of(values: Float64Array, l: number): Float64Array {
    return values.subarray(this.starts[l], this.starts[l + 1]);
  }

  isSame(other: Layout): boolean {
    return this.#asText === other.#asText;
  }

  /** Kept: each document of a corpus is compared with the corpus. */
  get #asText(): string {
    return (this.#text ??= JSON.stringify(this.layers));
  }
}

/** The modules of a trace, for each layer of its layout. */
export interface Placed {
  readonly layout: Layout;
  readonly modules: readonly SharedModules[];
}

/** @throws GanderError `trace-invalid` if no layer's choices can be counted */
export function placedIn(trace: Trace): Placed {
  const found: { layer: AtlasLayer; modules: SharedModules }[] = [];
  const layers = layersOf(trace);
  const add = (key: LayerKey, modules: SharedModules | undefined) => {
    if (!modules) return;
    const experts = modules.experts.map(({ id, name }) => ({ id, name }));
    found.push({ layer: { ...key, modules: modules.modules.length, experts }, modules });
  };
  for (const layer of layers)
    add(layerKeyOf(layer), sharedModules(trace, { ...layer, ...ownSequence(trace, layer.stack) }));
  for (const stack of new Set(layers.map((layer) => layer.stack))) {
    const all = sharedModules(trace, { ...(stack && { stack }), ...ownSequence(trace, stack) });
    if (all?.set.scope === 'pool') add({ ...layerKeyOf(undefined), stack: stack ?? null }, all);
  }
  if (found.length === 0)
    throw new GanderError(
      'trace-invalid',
      'No layer of this trace has a single set of experts, so its choices cannot be counted.',
      'Leave it out of the atlas.',
    );
  return { layout: new Layout(found.map(({ layer }) => layer)), modules: found.map(({ modules }) => modules) };
}

/** A decoder's own sequence is the output; the keys and values of its cross-attention read the input, and are not counted. */
function ownSequence({ modules }: Trace, stack: Stack | undefined): { readonly sequence: number } {
  return { sequence: Math.max(...modules.filter((module) => module.stack === stack).map(({ sequence }) => sequence)) };
}

/** By id, which in a pool stands for the expert over all layers, or by layer and number, as 3.7. @returns none if there is no such expert */
export function unitsNamed({ layers, starts }: Layout, name: string): number[] {
  const [, stack, layer, index] = /^(?:(encoder|decoder) )?(\d+)\.(\d+)$/.exec(name) ?? [];
  const found = layers.flatMap((one, l) => {
    const byId = one.experts.findIndex(({ id }) => id === name);
    if (byId >= 0) return [{ unit: starts[l]! + byId, layer: one.layer }];
    const isAsked = one.layer === Number(layer) && (stack === undefined || stack === one.stack);
    return isAsked && Number(index) < one.experts.length
      ? [{ unit: starts[l]! + Number(index), layer: one.layer }]
      : [];
  });
  const overAll = found.filter((one) => one.layer === null);
  return (overAll.length > 0 ? overAll : found).map(({ unit }) => unit);
}

/** `3`, `decoder 3`, `3 mlp`, `all layers`. */
export function layerName(key: LayerKey): string {
  const layer = layerOf(key);
  return layer ? layerText(layer) : key.stack ? `${key.stack}, all layers` : 'all layers';
}

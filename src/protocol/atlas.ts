/** What the routing page is told of the atlas that belongs to the model in use. */
import type { Layer } from '../trace/model/access.js';
import type { Stack } from '../trace/model/trace.js';

/** A layer by its cells in the atlas's tables; `layer: null` stands for all layers. */
export interface LayerKey {
  readonly stack: Stack | null;
  readonly layer: number | null;
  /** Which of the layer's routers, if it has several. */
  readonly router: string | null;
}

/** A unit likewise. */
export interface UnitKey extends LayerKey {
  readonly expert: number;
}

/** @param layer of a trace; undefined: all layers */
export function layerKeyOf(layer: Layer | undefined): LayerKey {
  return { stack: layer?.stack ?? null, layer: layer?.layer ?? null, router: layer?.router ?? null };
}

/** As traces have it; undefined for all layers. */
export function layerOf({ stack, layer, router }: LayerKey): Layer | undefined {
  return layer === null ? undefined : { layer, ...(stack && { stack }), ...(router !== null && { router }) };
}

export const layerId = ({ stack, layer, router }: LayerKey): string => JSON.stringify([stack, layer, router]);

export const unitId = (unit: UnitKey): string => `${layerId(unit)} ${unit.expert}`;

export interface AtlasUnit {
  readonly key: UnitKey;
  /** Of the expert, as in traces. */
  readonly id: string;
  /** The person's own, or the label in which the unit is specialised; absent if it has neither. */
  readonly name?: string;
  /** The name is the person's own. */
  readonly isOwn?: true;
  /** Its share of the choices over the corpus, and the ends of the interval; null with too few documents. */
  readonly load: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly chance: number;
}

export interface ModelAtlas {
  readonly model: { readonly name: string; readonly hash: string | null };
  /** How the corpus was routed. */
  readonly router: { readonly name: string; readonly k: number | null };
  readonly documents: number;
  readonly units: readonly AtlasUnit[];
}

/** Units by the id of their expert, because a trace and an atlas may list a layer's experts in different order. */
export class UnitsById {
  readonly #units: ReadonlyMap<string, AtlasUnit>;

  constructor(units: readonly AtlasUnit[]) {
    this.#units = new Map(units.map((unit) => [idOf(unit.key, unit.id), unit]));
  }

  /** @param layer undefined: over all layers, of which a pool has the same experts */
  of(layer: Layer | undefined, expert: string): AtlasUnit | undefined {
    const key = layerKeyOf(layer);
    const stacks = layer ? [key.stack] : [null, 'encoder' as const, 'decoder' as const];
    for (const stack of stacks) {
      const found = this.at({ ...key, stack }, expert);
      if (found) return found;
    }
    return undefined;
  }

  at(layer: LayerKey, expert: string): AtlasUnit | undefined {
    return this.#units.get(idOf(layer, expert));
  }
}

const idOf = (layer: LayerKey, expert: string) => `${layerId(layer)} ${expert}`;

/** What the routing page is told of the atlas that belongs to the model in use. */
import type { Layer } from '../trace/model/access.js';
import type { Stack } from '../trace/model/trace.js';

/** A unit by its cells in the atlas's tables; `layer: null` is an expert over all layers. */
export interface UnitKey {
  readonly stack: Stack | null;
  readonly layer: number | null;
  readonly expert: number;
}

export interface AtlasUnit {
  readonly key: UnitKey;
  /** Of the expert, as in traces. */
  readonly id: string;
  /** The person's own, or the label in which the unit is specialised; absent if it has neither. */
  readonly name?: string;
  /** Its share of the choices over the corpus, and the ends of the interval; null with too few documents. */
  readonly load: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly chance: number;
}

export interface ModelAtlas {
  readonly title: string;
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
    this.#units = new Map(units.map((unit) => [idOf(unit.key.stack, unit.key.layer, unit.id), unit]));
  }

  /** @param layer undefined: over all layers, of which a pool has the same experts */
  of(layer: Pick<Layer, 'stack' | 'layer'> | undefined, expert: string): AtlasUnit | undefined {
    const stacks = layer ? [layer.stack] : [undefined, 'encoder' as const, 'decoder' as const];
    for (const stack of stacks) {
      const found = this.at({ stack: stack ?? null, layer: layer?.layer ?? null }, expert);
      if (found) return found;
    }
    return undefined;
  }

  at({ stack, layer }: Omit<UnitKey, 'expert'>, expert: string): AtlasUnit | undefined {
    return this.#units.get(idOf(stack, layer, expert));
  }
}

const idOf = (stack: Stack | null, layer: number | null, expert: string) => JSON.stringify([stack, layer, expert]);

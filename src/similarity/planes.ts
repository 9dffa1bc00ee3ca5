/** Means of the modules' cosines, by layer and over all modules. */
import { type Layer, layersIn } from '../trace/model/access.js';

/** What the similarity of experts is measured on. */
export const measures = ['gate', 'adapter'] as const;
export type Measure = (typeof measures)[number];

/** [N, N] each; NaN if no module has something of both experts. */
export interface Planes {
  /** The mean over all modules. */
  readonly all: Float32Array;
  /** By layer, in their order (`layersIn`): the mean over its modules. */
  readonly layers: readonly Float32Array[];
}

/** The plane of one layer, by its index in `layers`, or of all modules. */
export function planeOf({ all, layers }: Planes, layer?: number): Float32Array {
  return layer === undefined ? all : layers[layer]!;
}

/** Gathers the modules' cosines one after the other. */
export class PlanesOf {
  readonly #all: Means;
  readonly #layers: readonly (Layer & { readonly means: Means })[];

  /** @param modules all that will be added, in any order */
  constructor(experts: number, modules: readonly Layer[]) {
    this.#all = new Means(experts * experts);
    this.#layers = layersIn(modules).map((layer) => ({ ...layer, means: new Means(experts * experts) }));
  }

  /** @param cosines [N, N] at the module */
  add(module: Layer, cosines: Float32Array): void {
    this.#all.add(cosines);
    const own = this.#layers.find(({ stack, layer }) => stack === module.stack && layer === module.layer);
    own?.means.add(cosines);
  }

  planes(): Planes {
    return { all: this.#all.values(), layers: this.#layers.map(({ means }) => means.values()) };
  }
}

/** Element-wise means that ignore NaN. */
class Means {
  readonly #sum: Float64Array;
  readonly #count: Uint32Array;

  constructor(length: number) {
    this.#sum = new Float64Array(length);
    this.#count = new Uint32Array(length);
  }

  add(values: Float32Array): void {
    for (const [i, x] of values.entries())
      if (!Number.isNaN(x)) {
        this.#sum[i]! += x;
        this.#count[i]!++;
      }
  }

  values(): Float32Array {
    return Float32Array.from(this.#sum, (sum, i) => (this.#count[i]! > 0 ? sum / this.#count[i]! : NaN));
  }
}

/**
 * GenKnowSub: what a pool's general adapters have in common is taken out of its experts. The mean of their A and the mean of
 * their B are subtracted from each expert's A and B, in single precision, as PEFT does it (`gen_know_sub`).
 */
import { GanderError } from '../errors/errors.js';
import type { AdaptedModule, Adapter } from './adapter.js';

export class GeneralKnowledge {
  readonly #adapters: readonly Adapter[];
  /** Experts are read module by module, so the last means are kept. */
  #last: { readonly path: string; readonly a: Float32Array; readonly b: Float32Array } | undefined;

  /**
   * @param adapters by the name of their folder; at least one
   * @throws GanderError `pool-invalid` if they are unlike
   */
  constructor(adapters: ReadonlyMap<string, Adapter>) {
    this.#adapters = [...adapters.values()];
    for (const [name, adapter] of adapters) {
      const [copied] = adapter.baseCopies.keys();
      const why =
        difference(adapter, this.#adapters[0]!) ??
        (copied === undefined
          ? undefined
          : `it includes a copy of the base's weight of ${copied}, which is not compared`);
      if (why !== undefined) throw unusable(name, why);
    }
  }

  /** @throws GanderError `expert-invalid` if its modules or ranks are not those of the general adapters */
  subtractedFrom(adapter: Adapter): Adapter {
    const why = difference(adapter, this.#adapters[0]!);
    if (why !== undefined)
      throw new GanderError(
        'expert-invalid',
        `the pool's general adapters cannot be subtracted from it: ${why}`,
        'Train it with the rank and the modules of the general adapters, or remove the folder.',
      );
    return {
      ...adapter,
      modules: new Map([...adapter.modules].map(([path, own]) => [path, this.#without(path, own)])),
    };
  }

  #without(path: string, own: AdaptedModule): AdaptedModule {
    return {
      ...own,
      stored: 'F32',
      a: () => minus(own.a(), this.#means(path).a),
      b: () => minus(own.b(), this.#means(path).b),
    };
  }

  #means(path: string) {
    if (this.#last?.path !== path) {
      const parts = this.#adapters.map(({ modules }) => modules.get(path)!);
      this.#last = { path, a: mean(parts.map(({ a }) => a)), b: mean(parts.map(({ b }) => b)) };
    }
    return this.#last;
  }
}

/** A general adapter that cannot be read would silently leave another model, so the pool is refused. */
export function unusable(name: string, why: string): GanderError {
  return new GanderError(
    'pool-invalid',
    `The general adapter "${name}" cannot be used: ${why}.`,
    'Repair it, or remove it and train the experts again without it.',
  );
}

/** Says in what an adapter differs from a general one. */
function difference({ modules }: Adapter, general: Adapter): string | undefined {
  for (const [path, { rank, dIn, dOut }] of general.modules) {
    const own = modules.get(path);
    if (!own) return `it does not adapt ${path}`;
    if (own.rank !== rank) return `its rank is ${own.rank} at ${path}, not ${rank}`;
    if (own.dIn !== dIn || own.dOut !== dOut)
      return `at ${path} it maps ${own.dIn} to ${own.dOut}, not ${dIn} to ${dOut}`;
  }
  const more = [...modules.keys()].find((path) => !general.modules.has(path));
  return more === undefined ? undefined : `it also adapts ${more}`;
}

function mean(parts: readonly (() => Float32Array)[]): Float32Array {
  const total = parts[0]!();
  for (const part of parts.slice(1)) part().forEach((x, i) => (total[i]! += x));
  return total.map((x) => x / parts.length);
}

function minus(values: Float32Array, mean: Float32Array): Float32Array {
  return values.map((x, i) => x - mean[i]!);
}

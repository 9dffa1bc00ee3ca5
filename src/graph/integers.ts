import { type GraphProto, int64s } from './model.js';

/** Constant integers of a graph, each made once. */
export class Integers {
  readonly #names: Set<string>;

  constructor(private readonly graph: GraphProto) {
    this.#names = new Set(graph.initializer.map(({ name }) => name));
  }

  name(values: readonly number[], scalar: boolean): string {
    const name = `gander.${scalar ? 'int' : 'ints'}.${values.join('_')}`;
    if (!this.#names.has(name)) this.graph.initializer.push(int64s(name, values, scalar));
    this.#names.add(name);
    return name;
  }
}

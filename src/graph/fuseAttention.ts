/**
 * Attention as three operators. Exporters write thirty and repeat keys and values for every head that shares them: for each token
 * that copies all that was read before. GroupQueryAttention and RotaryEmbedding compute the same sums in another order.
 *
 * GroupQueryAttention hides what follows a token, as every causal model does, and adds the graph's own mask.
 */
import { type Attention, type Vectors, findAttention } from './attention.js';
import { Integers } from './integers.js';
import { DataType, type GraphProto, type NodeProto, node } from './model.js';
import type { Dims } from './shapes.js';
import { removeUnused } from './unused.js';

/**
 * @param graph changed in place
 * @param dims of its values, as far as they are known
 */
export function fuseAttention(graph: GraphProto, dims: ReadonlyMap<string, Dims>): void {
  const found = findAttention(graph, dims);
  if (found.length === 0) return;
  const writer = new Writer(graph);
  const byLast = new Map(found.map((attention) => [attention.last, attention]));
  const kept = new Set(found.flatMap(({ key, value }) => [key.present, value.present]));
  graph.node = graph.node.flatMap((n) => {
    const attention = byLast.get(n);
    if (attention) return writer.written(attention);
    return n.output.some((name) => kept.has(name)) ? [] : [n];
  });
  removeUnused(graph);
}

class Writer {
  readonly #constants: Integers;
  /** What all layers share. */
  readonly #made = new Set<string>();

  constructor(graph: GraphProto) {
    this.#constants = new Integers(graph);
  }

  written({ query, key, value, mask, scale, result }: Attention): NodeProto[] {
    const nodes: NodeProto[] = [];
    const [q, k, v] = [query, key, value].map((vectors, i) => this.#rows(vectors, `${result}.${i}`, nodes));
    const { all, last } = this.#counts(key.past, q!, nodes);
    const mixed = `${result}.mixed`;
    nodes.push(
      microsoft(
        'GroupQueryAttention',
        [q!, k!, v!, key.past, value.past, last, all, '', '', '', mask],
        [mixed, key.present, value.present],
        { num_heads: query.heads, kv_num_heads: key.heads, scale: { float: scale } },
      ),
      node('Reshape', [mixed, this.#ints(1, -1, query.heads, query.size)], [result]),
    );
    return nodes;
  }

  /** [1, T, heads · size], rotated. */
  #rows({ rows, heads, size, rotation }: Vectors, name: string, nodes: NodeProto[]): string {
    nodes.push(node('Reshape', [rows, this.#ints(1, -1, heads * size)], [name]));
    if (!rotation) return name;
    const tables = [rotation.cos, rotation.sin].map((of) => this.#half(of, size, nodes));
    nodes.push(microsoft('RotaryEmbedding', [name, this.#ints(0), ...tables], [`${name}.rotated`]));
    return `${name}.rotated`;
  }

  /** The first half of a table [1, T, size], as [T, size / 2]. */
  #half(table: string, size: number, nodes: NodeProto[]): string {
    const name = `${table}.half`;
    if (this.#isNew(name))
      nodes.push(
        node('Slice', [table, this.#ints(0), this.#ints(size / 2), this.#ints(-1)], [`${name}.3`]),
        node('Reshape', [`${name}.3`, this.#ints(-1, size / 2)], [name]),
      );
    return name;
  }

  /** int32: the number of all tokens, with those that were kept, and [1] the place of the last of them. */
  #counts(past: string, now: string, nodes: NodeProto[]): { readonly all: string; readonly last: string } {
    const own = (what: string) => `gander.attention.${what}`;
    const [all, last] = [own('all'), own('last')];
    if (this.#isNew(all))
      nodes.push(
        node('Shape', [past], [own('past')]),
        node('Gather', [own('past'), this.#ints(2)], [own('before')]),
        node('Shape', [now], [own('now')]),
        node('Gather', [own('now'), this.#ints(1)], [own('tokens')]),
        node('Add', [own('before'), own('tokens')], [own('sum')]),
        node('Cast', [own('sum')], [all], { to: DataType.INT32 }),
        node('Sub', [own('sum'), this.#ints(1)], [own('place')]),
        node('Cast', [own('place')], [last], { to: DataType.INT32 }),
      );
    return { all, last };
  }

  #isNew(name: string): boolean {
    if (this.#made.has(name)) return false;
    this.#made.add(name);
    return true;
  }

  #ints(...values: number[]): string {
    return this.#constants.name(values, false);
  }
}

function microsoft(...of: Parameters<typeof node>): NodeProto {
  return Object.assign(node(...of), { domain: 'com.microsoft' });
}

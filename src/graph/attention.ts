/** Finds attention as exporters write it: about thirty operators a layer. Whatever is written otherwise is not found. */
import { type GraphProto, type NodeProto, intAttribute } from './model.js';
import { pastPairs } from './past.js';
import { type Dims, Shapes } from './shapes.js';
import { type Walk, floatOf, usersOf, walkOf } from './walk.js';

/** softmax(scale · Q Kᵀ + mask) V of one layer, for T tokens, of S with those before them. */
export interface Attention {
  /** The node that computes `result`. */
  readonly last: NodeProto;
  /** [1, T, heads, size] */
  readonly result: string;
  readonly query: Vectors;
  readonly key: Vectors & Cached;
  readonly value: Vectors & Cached;
  /** [1, 1, T, S] */
  readonly mask: string;
  readonly scale: number;
}

/** A vector for each token and head. */
export interface Vectors {
  /** In the order token, head, number; in any shape. */
  readonly rows: string;
  readonly heads: number;
  readonly size: number;
  readonly rotation?: Rotation;
}

/** Cosines and sines [1, T, size], the same for both halves of a vector. */
export interface Rotation {
  readonly cos: string;
  readonly sin: string;
}

/** The input and the output [1, heads, tokens, size] that keep vectors. */
interface Cached {
  readonly past: string;
  readonly present: string;
}

/** @param dims of the graph's values, as far as they are known */
export function findAttention(graph: GraphProto, dims: ReadonlyMap<string, Dims>): Attention[] {
  const shapes = new Shapes(graph, dims);
  for (const n of graph.node) shapes.visit(n);
  const finder = new Finder(graph, walkOf(graph), shapes);
  return graph.node.flatMap((n) => (n.opType === 'Softmax' ? (finder.around(n) ?? []) : []));
}

const turn = '0,2,1,3';
const flip = '0,1,3,2';

class Finder {
  readonly #past: ReadonlyMap<string, string>;

  constructor(
    { input, output }: GraphProto,
    private readonly walk: Walk,
    private readonly shapes: Shapes,
  ) {
    const names = (of: readonly { name: string }[]) => of.map(({ name }) => name);
    this.#past = pastPairs(names(input), names(output));
  }

  around(softmax: NodeProto): Attention | undefined {
    const masked = this.#made(softmax.input[0], 'Add');
    const shares = this.#uncast(softmax.output[0]!);
    const mixed = this.#onlyUser(shares, 'MatMul');
    const last = mixed && this.#onlyUser(mixed.output[0]!, 'Transpose');
    if (!masked || !last || mixed.input[0] !== shares || permutation(last) !== turn) return undefined;
    for (const [scores, mask] of either(masked)) {
      const after = this.#scaled(scores);
      const product = this.#made(after.value, 'MatMul');
      if (!product) continue;
      const [q, k] = [this.#scaled(product.input[0]!), this.#scaled(product.input[1]!)];
      const flipped = this.#flipped(k.value);
      if (flipped === undefined) continue;
      const keys = this.#scaled(flipped);
      const query = this.#turned(q.value);
      const key = this.#cached(keys.value);
      const value = this.#cached(mixed.input[1]!);
      if (!query || !key || !value || query.heads % key.heads !== 0 || key.heads !== value.heads) continue;
      if (new Set([query, key, value].map(({ size }) => size)).size > 1) continue;
      const told = [this.shapes.dims(mask), this.shapes.dims(key.present), this.shapes.dims(q.value)];
      if (!isMask(...(told as [Dims, Dims, Dims]))) continue;
      const scale = [after, q, k, keys].reduce((all, { factor }) => all * factor, 1);
      return { last, result: last.output[0]!, query, key, value, mask, scale };
    }
    return undefined;
  }

  #made(value: string | undefined, operator: string): NodeProto | undefined {
    const n = value === undefined ? undefined : this.walk.producers.get(value);
    return n?.opType === operator ? n : undefined;
  }

  /** What casts make of a value: all numbers are in single precision here. */
  #uncast(value: string): string {
    const cast = this.#onlyUser(value, 'Cast');
    return cast ? this.#uncast(cast.output[0]!) : value;
  }

  /** The value [1, heads, S, size] of which this is the transpose of each head's matrix. */
  #flipped(value: string): string | undefined {
    const whole = this.#made(value, 'Transpose');
    if (whole) return permutation(whole) === flip ? whole.input[0] : undefined;
    // Newer exporters take the first two axes as one.
    const turned = this.#made(this.#made(value, 'Reshape')?.input[0], 'Transpose');
    const from = this.#made(turned?.input[0], 'Reshape')?.input[0];
    const [before, after] = [this.shapes.dims(from), this.shapes.dims(value)];
    const isSame =
      before?.length === 4 &&
      after?.length === 4 &&
      [0, 1, 3, 2].every((axis, i) => before[axis]!.key === after[i]!.key);
    return isSame && turned && permutation(turned) === '0,2,1' ? from : undefined;
  }

  #onlyUser(value: string, operator: string): NodeProto | undefined {
    const users = usersOf(this.walk, value);
    return users.length === 1 && users[0]!.opType === operator ? users[0] : undefined;
  }

  /** What a value is without its constant factors, and their product. */
  #scaled(value: string): { readonly value: string; readonly factor: number } {
    const n = this.#made(value, 'Mul') ?? this.#made(value, 'Div');
    for (const [of, by] of n ? (n.opType === 'Mul' ? either(n) : [pair(n)]) : []) {
      const constant = floatOf(this.walk, by);
      if (constant === undefined) continue;
      const inner = this.#scaled(of);
      return { value: inner.value, factor: inner.factor * (n!.opType === 'Mul' ? constant : 1 / constant) };
    }
    return { value, factor: 1 };
  }

  /** Of [1, heads, T, size]. */
  #turned(value: string): Vectors | undefined {
    const [, heads, , size] = this.shapes.dims(value) ?? [];
    const rotated = this.#rotated(value);
    const turned = this.#made(rotated?.of ?? value, 'Transpose');
    if (!turned || permutation(turned) !== turn || !heads?.isConstant || !size?.isConstant) return undefined;
    const rows = this.#made(turned.input[0], 'Reshape')?.input[0] ?? turned.input[0]!;
    return {
      rows,
      heads: heads.constant,
      size: size.constant,
      ...(rotated && { rotation: { cos: rotated.cos, sin: rotated.sin } }),
    };
  }

  /** Of [1, heads, S, size], in which several heads may share one that is kept. */
  #cached(value: string): (Vectors & Cached) | undefined {
    const present = this.#repeated(value) ?? value;
    const joined = this.#made(present, 'Concat');
    const [past, now] = joined?.input ?? [];
    if (joined?.input.length !== 2 || !isAxis(joined, 2, 4) || this.#past.get(past!) !== present) return undefined;
    const vectors = this.#turned(now!);
    return vectors && { ...vectors, past: past!, present };
  }

  /** What each of several heads in a row repeats. */
  #repeated(value: string): string | undefined {
    const expanded = this.#made(this.#made(value, 'Reshape')?.input[0], 'Expand');
    const spread = this.#made(expanded?.input[0], 'Unsqueeze');
    const [whole, parted, one] = [value, expanded?.output[0], spread?.input[0]].map((name) => this.shapes.dims(name));
    if (whole?.length !== 4 || parted?.length !== 5 || one?.length !== 4) return undefined;
    const inRow = [parted[0], parted[1], parted[3], parted[4]];
    const isSame = inRow.every((size, axis) => size!.key === one[axis]!.key);
    return isSame && this.shapes.axes(spread!)?.join() === '2' && whole[3]!.key === one[3]!.key
      ? spread!.input[0]
      : undefined;
  }

  /** Of x · cos + (−second half of x, first half of x) · sin. */
  #rotated(value: string): (Rotation & { readonly of: string }) | undefined {
    const sum = this.#made(value, 'Add');
    for (const [straight, crossed] of sum ? either(sum) : []) {
      const [a, b] = [this.#made(straight, 'Mul'), this.#made(crossed, 'Mul')];
      for (const [of, cosines] of a ? either(a) : [])
        for (const [halves, sines] of b ? either(b) : []) {
          if (!this.#isCrossed(halves, of)) continue;
          const [cos, sin] = [this.#twice(cosines, 'Cos'), this.#twice(sines, 'Sin')];
          if (cos !== undefined && sin !== undefined) return { of, cos, sin };
        }
    }
    return undefined;
  }

  #isCrossed(value: string, of: string): boolean {
    const joined = this.#made(value, 'Concat');
    const size = this.shapes.dims(of)?.at(-1);
    if (joined?.input.length !== 2 || !isAxis(joined, 3, 4) || !size?.isConstant || size.constant % 2) return false;
    const negated = this.#made(joined.input[0], 'Neg');
    const half = size.constant / 2;
    return this.#isSlice(negated?.input[0], of, half, size.constant) && this.#isSlice(joined.input[1], of, 0, half);
  }

  #isSlice(value: string | undefined, of: string, from: number, to: number): boolean {
    const n = this.#made(value, 'Slice');
    const [start, end, axis, step = 1] = [1, 2, 3, 4].map((i) => this.shapes.constants(n?.input[i])?.join());
    const last = this.shapes.dims(of)?.at(-1)?.constant;
    const ends = Number(end) >= last! ? last : Number(end);
    return (
      n?.input[0] === of && start === String(from) && ends === to && /^(-1|3)$/.test(axis ?? '') && Number(step) === 1
    );
  }

  /** The table [1, T, size] behind a value [1, 1, T, size], if its second half repeats the first. */
  #twice(value: string, operator: string): string | undefined {
    const spread = this.#made(value, 'Unsqueeze');
    if (!spread || this.shapes.axes(spread)?.join() !== '1' || this.shapes.dims(value)?.[0]?.key !== '1')
      return undefined;
    const table = spread.input[0]!;
    let inner = this.#scaled(table).value;
    for (let n = this.#made(inner, 'Cast'); n; n = this.#made(inner, 'Cast')) inner = this.#scaled(n.input[0]!).value;
    const angles = this.#made(this.#made(inner, operator)?.input[0], 'Concat');
    const isTwice = angles?.input.length === 2 && angles.input[0] === angles.input[1];
    return isTwice && isAxis(angles, 2, 3) ? table : undefined;
  }
}

const pair = (n: NodeProto) => [n.input[0]!, n.input[1]!] as const;
const either = (n: NodeProto) => [pair(n), [n.input[1]!, n.input[0]!] as const];
const permutation = (n: NodeProto) => n.attribute.find(({ name }) => name === 'perm')?.ints.join();

/** Whether a node's axis is this one of so many. */
function isAxis(n: NodeProto, axis: number, of: number): boolean {
  const told = intAttribute(n, 'axis') ?? NaN;
  return told === axis || told + of === axis;
}

/** Whether a mask has a row for each token and a column for each token that is kept. */
function isMask(mask: Dims | undefined, kept: Dims | undefined, query: Dims | undefined): boolean {
  if (mask?.length !== 4 || kept?.length !== 4 || query?.length !== 4) return false;
  const wanted = ['1', '1', query[2]!.key, kept[2]!.key];
  return mask.every(({ key }, axis) => key === wanted[axis]);
}

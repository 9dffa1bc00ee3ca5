/**
 * Computes shapes once, or not at all. An exporter writes the same arithmetic on sizes into every layer, about half of all
 * operators, and each takes a few microseconds of every token. Batch is always 1, so most of it is constant; the rest depends on
 * the number of tokens and of those before them, and is the same in each layer. Results stay the same to the bit.
 */
import { needsOf } from './builder.js';
import { type GraphProto, int64s } from './model.js';
import { pastPairs } from './past.js';
import { Shapes } from './shapes.js';
import { Size } from './size.js';

type Dims = readonly Size[];

/** @param graph changed in place */
export function foldShapes(graph: GraphProto): void {
  const shapes = new Shapes(graph, inputDims(graph));
  const constants = new Constants(graph);
  /** By what they hold, the values that are computed first. */
  const firsts = new Map<string, string>();
  const instead = new Map<string, string>();
  for (const n of graph.node) {
    shapes.visit(n);
    const [output, ...others] = n.output;
    const shape = shapeInput(n.opType, shapes.dims(n.input[0]), shapes.dims(output));
    const isFixed = shapes.constants(n.input[1]) !== undefined;
    n.input = n.input.map((name) => instead.get(name) ?? name);
    if (shape && !isFixed) n.input[1] = constants.name(shape, false);
    const integers = shapes.integers(output);
    if (!integers || !output || others.length > 0 || n.opType === 'Constant') continue;
    const fixed = shapes.constants(output);
    const key = `${integers.scalar ? 'one' : 'list'} ${integers.sizes.map((size) => size.key).join(', ')}`;
    const first = fixed?.every(Number.isSafeInteger) ? constants.name(fixed, integers.scalar) : firsts.get(key);
    if (first !== undefined) instead.set(output, first);
    else firsts.set(key, output);
  }
  removeUnused(graph);
}

/** A constant that may replace the shape that Reshape or Expand takes. */
function shapeInput(operator: string, from: Dims | undefined, to: Dims | undefined): number[] | undefined {
  if (!from || !to) return undefined;
  // Where the size stays, Expand may be told 1.
  const wanted = to.map((size, axis) =>
    operator === 'Expand' && from[axis + from.length - to.length]?.key === size.key ? Size.of(1) : size,
  );
  const open = wanted.filter(({ isConstant }) => !isConstant).length;
  const isOdd = wanted.some(
    ({ isConstant, constant }) => isConstant && !(Number.isSafeInteger(constant) && constant > 0),
  );
  if (isOdd || !(operator === 'Expand' ? open === 0 : operator === 'Reshape' && open <= 1)) return undefined;
  return wanted.map(({ isConstant, constant }) => (isConstant ? constant : -1));
}

/** Initializers, each made once. */
class Constants {
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

function removeUnused(graph: GraphProto): void {
  const makers = new Map(graph.node.flatMap((n) => n.output.map((name) => [name, n])));
  const used = new Set(graph.output.flatMap(({ name }) => makers.get(name) ?? []));
  for (const n of used)
    for (const name of needsOf(n)) {
      const maker = makers.get(name);
      // A set that grows is iterated to its end.
      if (maker) used.add(maker);
    }
  graph.node = graph.node.filter((n) => used.has(n));
}

/**
 * Sizes that two inputs declare under one name are equal. Of the past this holds only if every layer's grows alike: one that keeps
 * a window, or what it attends to in an encoder, has sizes of its own.
 */
function inputDims(graph: GraphProto): Map<string, Dims> {
  const declared = declaredDims(graph);
  const past = pastPairs(
    graph.input.map(({ name }) => name),
    graph.output.map(({ name }) => name),
  );
  const tokens = declared.get('input_ids')?.[1];
  const next = (size: Size) => (size.isConstant ? size : tokens && size.plus(tokens));
  const shapes = new Shapes(graph, declared);
  for (const n of graph.node) shapes.visit(n);
  const grows = [...past].every(([input, output]) => {
    const after = shapes.dims(output);
    return declared
      .get(input)
      ?.every((size, axis) => size.isConstant || next(size)?.key === (after?.[axis]?.key ?? ''));
  });
  // The mask is as long as the past and the tokens together, whatever it declares.
  const lengths = new Set(
    [...past.keys()].flatMap((input) => declared.get(input) ?? []).map((size) => next(size)?.key),
  );
  const trusts = (name: string, dims: Dims) =>
    name === 'input_ids' || (grows && (name !== 'attention_mask' || lengths.has(dims[1]?.key)));
  const own = (name: string, dims: Dims) =>
    dims.map((size, axis) => (size.isConstant ? size : Size.named(`${name}.${axis}`)));
  return new Map([...declared].map(([name, dims]) => [name, trusts(name, dims) ? dims : own(name, dims)]));
}

function declaredDims({ input }: GraphProto): Map<string, Dims> {
  return new Map(
    input.flatMap(({ name, type }) => {
      const shape = type?.value.case === 'tensorType' ? type.value.value.shape : undefined;
      return shape ? [[name, shape.dim.map(({ value }, axis) => sizeOf(value.value, `${name}.${axis}`))]] : [];
    }),
  );
}

/** @param declared a number, or names with + between them */
function sizeOf(declared: bigint | string | undefined, otherwise: string): Size {
  if (typeof declared === 'bigint') return Size.of(Number(declared));
  const names = (declared ?? '').split('+').map((name) => name.trim());
  if (names.some((name) => !/^\w+(\.\w+)*$/.test(name) || /^\d/.test(name))) return Size.named(otherwise);
  const sizes = names.map((name) => (/^batch(_size)?$/.test(name) ? Size.of(1) : Size.named(name)));
  return sizes.slice(1).reduce<Size | undefined>((sum, size) => sum?.plus(size), sizes[0]) ?? Size.named(otherwise);
}

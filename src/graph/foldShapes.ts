/**
 * Computes shapes once, or not at all. An exporter writes the same arithmetic on sizes into every layer, about half of all
 * operators, and each takes a few microseconds of every token. Batch is always 1, so most of it is constant; the rest depends on
 * the number of tokens and of those before them, and is the same in each layer. Results stay the same to the bit.
 */
import { inputDims } from './inputDims.js';
import { Integers } from './integers.js';
import type { GraphProto } from './model.js';
import { type Dims, Shapes } from './shapes.js';
import { Size } from './size.js';
import { removeUnused } from './unused.js';

/**
 * @param graph changed in place
 * @returns dimensions of its values, of which the folded graph shows fewer
 */
export function foldShapes(graph: GraphProto): ReadonlyMap<string, Dims> {
  const shapes = new Shapes(graph, inputDims(graph));
  const constants = new Integers(graph);
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
  return shapes.known;
}

/** A constant that may replace the shape that Reshape or Expand takes. */
export function shapeInput(operator: string, from: Dims | undefined, to: Dims | undefined): number[] | undefined {
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

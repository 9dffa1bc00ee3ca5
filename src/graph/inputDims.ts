import type { GraphProto } from './model.js';
import { pastPairs } from './past.js';
import { type Dims, Shapes } from './shapes.js';
import { Size } from './size.js';

/**
 * Sizes that two inputs declare under one name are equal. Of the past this holds only if every layer's grows alike: one that keeps
 * a window, or what it attends to in an encoder, has sizes of its own.
 */
export function inputDims(graph: GraphProto): Map<string, Dims> {
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
  const declared = input.flatMap(({ name, type }) => {
    const shape = type?.value.case === 'tensorType' ? type.value.value.shape : undefined;
    return shape ? [{ name, dims: shape.dim.map(({ value }) => value.value) }] : [];
  });
  const [batch, ...others] = declared.find(({ name }) => name === 'input_ids')?.dims ?? [];
  const ones = new Set(['batch', 'batch_size', ...(others.includes(batch) ? [] : [String(batch)])]);
  return new Map(
    declared.map(({ name, dims }) => [name, dims.map((size, axis) => sizeOf(size, ones, `${name}.${axis}`))]),
  );
}

/**
 * @param declared a number, or names with + between them
 * @param ones names of the batch's size
 */
function sizeOf(declared: bigint | string | undefined, ones: ReadonlySet<string>, otherwise: string): Size {
  if (typeof declared === 'bigint') return Size.of(Number(declared));
  const names = (declared ?? '').split('+').map((name) => name.trim());
  if (names.some((name) => !/^\w+(\.\w+)*$/.test(name) || /^\d/.test(name))) return Size.named(otherwise);
  const sizes = names.map((name) => (ones.has(name) ? Size.of(1) : Size.named(name)));
  return sizes.slice(1).reduce<Size | undefined>((sum, size) => sum?.plus(size), sizes[0]) ?? Size.named(otherwise);
}

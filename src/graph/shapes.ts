/**
 * What a graph shows of its values' shapes before it is run: dimensions, and the integers that are computed from them. Operators
 * that are not listed here leave both unknown.
 */
import { DataType, type GraphProto, type NodeProto, intAttribute } from './model.js';
import { indexOf, type Index } from './products.js';
import { Size } from './size.js';
import { integersIn, integersOf } from './walk.js';

/** Integers: one, or a list of them. */
export interface Integers {
  readonly sizes: readonly Size[];
  readonly scalar: boolean;
}

export type Dims = readonly Size[];

/** Longer lists are no shapes. */
const mostIntegers = 64;

/** An end that Slice understands as "to the end". */
const toTheEnd = 2 ** 31 - 1;

const domains = new Set(['', 'ai.onnx', 'com.microsoft']);

export class Shapes {
  readonly #index: Index;
  readonly #dims = new Map<string, Dims>();
  readonly #integers = new Map<string, Integers>();
  readonly #truths = new Map<string, readonly boolean[]>();

  /** @param known dimensions of the graph's inputs, and of other values if they are known */
  constructor(graph: GraphProto, known: ReadonlyMap<string, Dims>) {
    this.#index = indexOf(graph);
    for (const [name, dims] of known) this.#dims.set(name, dims);
    for (const { name, dims } of graph.initializer)
      this.#dims.set(
        name,
        dims.map((d) => Size.of(Number(d))),
      );
  }

  /** All that are known. */
  get known(): ReadonlyMap<string, Dims> {
    return this.#dims;
  }

  /** Undefined if not even their number is known. */
  dims(name: string | undefined): Dims | undefined {
    if (!name) return undefined;
    const known = this.#dims.get(name);
    if (known) return known;
    const integers = this.integers(name);
    return integers && (integers.scalar ? [] : [Size.of(integers.sizes.length)]);
  }

  /** Of an int64 value with at most one axis, if they are known. */
  integers(name: string | undefined): Integers | undefined {
    if (!name) return undefined;
    const known = this.#integers.get(name);
    if (known) return known;
    const found = integersOf(this.#index, name);
    if (!found || found.values.length > mostIntegers || !found.values.every(Number.isFinite)) return undefined;
    const integers = { sizes: found.values.map((value) => Size.of(value)), scalar: found.scalar };
    this.#integers.set(name, integers);
    return integers;
  }

  /** The same, if every run computes the same ones. */
  constants(name: string | undefined): readonly number[] | undefined {
    const integers = this.integers(name);
    return integers?.sizes.every(({ isConstant }) => isConstant)
      ? integers.sizes.map(({ constant }) => constant)
      : undefined;
  }

  /** Whether a byte of a node's first input holds several numbers, so that its last axis is not what it seems. */
  isPacked(n: NodeProto): boolean {
    const type = this.#index.initializers.get(n.input[0] ?? '')?.dataType;
    return type === (DataType.UINT8 as number) && intAttribute(n, 'bits') !== 8;
  }

  /** The axes that a node takes as its second input; in older operator sets they are an attribute. */
  axes(n: NodeProto): readonly number[] | undefined {
    return n.input[1] ? this.constants(n.input[1]) : n.attribute.find(({ name }) => name === 'axes')?.ints.map(Number);
  }

  truths(name: string | undefined): readonly boolean[] | undefined {
    return name ? this.#truths.get(name) : undefined;
  }

  /** Learns what a node computes, after those whose values it takes. */
  visit(n: NodeProto): void {
    if (!domains.has(n.domain)) return;
    const [output] = n.output;
    if (!output) return;
    const truths = n.opType === 'Equal' ? equal(n, this) : undefined;
    if (truths) this.#truths.set(output, truths);
    const integers = computes.get(n.opType)?.(n, this);
    if (integers && integers.sizes.length <= mostIntegers) this.#integers.set(output, integers);
    const dims = measures.get(n.opType)?.(n, this);
    if (dims && !this.#dims.has(output)) this.#dims.set(output, dims);
    if (n.opType === 'Split') this.#visitSplit(n);
    if (n.opType === 'GroupQueryAttention') this.#visitKept(n);
  }

  /** Keys and values grow by the tokens. */
  #visitKept(n: NodeProto): void {
    const tokens = this.dims(n.input[0])?.[1];
    for (const i of [1, 2]) {
      const past = this.dims(n.input[i + 2]);
      const size = tokens && past?.[2]?.plus(tokens);
      if (past && size) this.#dims.set(n.output[i]!, past.with(2, size));
    }
  }

  #visitSplit(n: NodeProto): void {
    const dims = this.dims(n.input[0]);
    const axis = axisOf(intAttribute(n, 'axis') ?? 0, dims);
    const sizes = this.constants(n.input[1]);
    if (!dims || axis === undefined || sizes?.length !== n.output.length) return;
    n.output.forEach((name, i) => this.#dims.set(name, dims.with(axis, Size.of(sizes[i]!))));
  }
}

type Compute = (n: NodeProto, shapes: Shapes) => Integers | undefined;

/** A map, because a model may call an operator "constructor". */
const byOperator = <T>(rules: Readonly<Record<string, T>>): ReadonlyMap<string, T> => new Map(Object.entries(rules));

/** By operator: the integers that its first output has. */
const computes = byOperator<Compute>({
  Shape(n, shapes) {
    const dims = shapes.dims(n.input[0]);
    return dims && { sizes: dims.slice(intAttribute(n, 'start') ?? 0, intAttribute(n, 'end')), scalar: false };
  },
  Identity: (n, shapes) => shapes.integers(n.input[0]),
  Cast: (n, shapes) => (intAttribute(n, 'to') === (DataType.INT64 as number) ? shapes.integers(n.input[0]) : undefined),
  Gather(n, shapes) {
    const [from, at] = [shapes.integers(n.input[0]), shapes.integers(n.input[1])];
    const places = shapes.constants(n.input[1]);
    if (!from || from.scalar || !at || !places || (intAttribute(n, 'axis') ?? 0) !== 0) return undefined;
    return known(
      places.map((place) => from.sizes.at(place)),
      at.scalar,
    );
  },
  Slice(n, shapes) {
    const from = shapes.integers(n.input[0]);
    const [starts, ends] = [shapes.constants(n.input[1]), shapes.constants(n.input[2])];
    const steps = n.input[4] ? shapes.constants(n.input[4]) : [1];
    if (!from || from.scalar || starts?.length !== 1 || ends?.length !== 1 || steps?.[0] !== 1) return undefined;
    return { sizes: from.sizes.slice(starts[0], ends[0]), scalar: false };
  },
  Unsqueeze(n, shapes) {
    const one = shapes.integers(n.input[0]);
    return one?.scalar && shapes.axes(n)?.length === 1 ? { ...one, scalar: false } : undefined;
  },
  Squeeze(n, shapes) {
    const one = shapes.integers(n.input[0]);
    return one?.sizes.length === 1 ? { ...one, scalar: true } : undefined;
  },
  Reshape(n, shapes) {
    const from = shapes.integers(n.input[0]);
    const to = shapes.constants(n.input[1]);
    return from && to?.length === 1 ? { ...from, scalar: false } : undefined;
  },
  Concat(n, shapes) {
    const parts = every(n.input.map((name) => shapes.integers(name)));
    if (!parts || parts.some(({ scalar }) => scalar)) return undefined;
    return { sizes: parts.flatMap(({ sizes }) => sizes), scalar: false };
  },
  ConstantOfShape(n, shapes) {
    const count = shapes.constants(n.input[0]);
    const value = n.attribute.find(({ name }) => name === 'value')?.t;
    const told = value && integersIn(value)?.values[0];
    if (count?.length !== 1 || told === undefined || !(count[0]! >= 0 && count[0]! <= mostIntegers)) return undefined;
    return { sizes: Array.from({ length: count[0]! }, () => Size.of(told)), scalar: false };
  },
  Where(n, shapes) {
    const truths = shapes.truths(n.input[0]);
    const [yes, no] = [shapes.integers(n.input[1]), shapes.integers(n.input[2])];
    if (!truths || !yes || !no || [yes, no].some(({ sizes }) => sizes.length !== truths.length)) return undefined;
    return known(
      truths.map((truth, i) => (truth ? yes : no).sizes[i]),
      yes.scalar && no.scalar,
    );
  },
  Add: (n, shapes) => each(n, shapes, (a, b) => a.plus(b)),
  Sub: (n, shapes) => each(n, shapes, (a, b) => a.minus(b)),
  Mul: (n, shapes) => each(n, shapes, (a, b) => a.times(b)),
  // ONNX rounds towards zero, so only a division without a remainder is the same for every run.
  Div: (n, shapes) => each(n, shapes, (a, b) => (b.isConstant ? a.over(b.constant) : undefined)),
});

function known(sizes: readonly (Size | undefined)[], scalar: boolean): Integers | undefined {
  const all = every(sizes);
  return all && { sizes: all, scalar };
}

function each(n: NodeProto, shapes: Shapes, compute: (a: Size, b: Size) => Size | undefined): Integers | undefined {
  const [a, b] = [shapes.integers(n.input[0]), shapes.integers(n.input[1])];
  if (!a || !b) return undefined;
  const count = Math.max(a.sizes.length, b.sizes.length);
  const at = ({ sizes }: Integers, i: number) => (sizes.length === 1 ? sizes[0] : sizes[i]);
  const pairs = Array.from({ length: count }, (_, i) => [at(a, i), at(b, i)] as const);
  return known(
    pairs.map(([x, y]) => x && y && compute(x, y)),
    a.scalar && b.scalar,
  );
}

/** Where two sizes are equal, or differ, in every run. */
function equal(n: NodeProto, shapes: Shapes): boolean[] | undefined {
  const [a, b] = [shapes.integers(n.input[0]), shapes.integers(n.input[1])];
  if (!a || a.sizes.length !== b?.sizes.length) return undefined;
  const truths = a.sizes.map((x, i) => {
    const y = b.sizes[i]!;
    if (x.key === y.key) return true;
    const differ = (x.isConstant && y.isConstant) || isBelowAll(x, y) || isBelowAll(y, x);
    return differ ? false : undefined;
  });
  return every(truths);
}

const isBelowAll = (x: Size, y: Size) => x.isConstant && x.constant < 0 && y.isNatural;

type Measure = (n: NodeProto, shapes: Shapes) => Dims | undefined;

const likeFirst: Measure = (n, shapes) => shapes.dims(n.input[0]);

const broadcast: Measure = (n, shapes) => {
  const all = n.input.map((name) => shapes.dims(name));
  const some = all.filter((dims) => dims !== undefined);
  return some.length === all.length ? broadcasted(n.output[0]!, some) : undefined;
};

const product: Measure = (n, shapes) => {
  const [a, b] = [shapes.dims(n.input[0]), shapes.dims(n.input[1])];
  if (!a || !b || a.length < 2 || b.length < 2) return undefined;
  return [...broadcasted(n.output[0]!, [a.slice(0, -2), b.slice(0, -2)]), a.at(-2)!, b.at(-1)!];
};

const gathered: Measure = (n, shapes) => {
  const [from, at] = [shapes.dims(n.input[0]), shapes.dims(n.input[1])];
  const axis = axisOf(intAttribute(n, 'axis') ?? intAttribute(n, 'gather_axis') ?? 0, from);
  return from && at && axis !== undefined ? [...from.slice(0, axis), ...at, ...from.slice(axis + 1)] : undefined;
};

const reduced: Measure = (n, shapes) => {
  const dims = shapes.dims(n.input[0]);
  const told = shapes.axes(n);
  const axes = told?.map((axis) => axisOf(axis, dims));
  if (!dims || !axes?.length || axes.includes(undefined)) return undefined;
  return (intAttribute(n, 'keepdims') ?? 1) === 0
    ? dims.filter((_, axis) => !axes.includes(axis))
    : dims.map((size, axis) => (axes.includes(axis) ? Size.of(1) : size));
};

/** By operator: the dimensions of its first output. */
const measures = byOperator<Measure>({
  ...Object.fromEntries(
    [
      ...[
        'Abs',
        'Cast',
        'Ceil',
        'Clip',
        'Cos',
        'CumSum',
        'Erf',
        'Exp',
        'Floor',
        'Gelu',
        'GroupQueryAttention',
        'HardSigmoid',
        'Identity',
        'IsNaN',
      ],
      ...['LayerNormalization', 'LeakyRelu', 'Log', 'LogSoftmax', 'Neg', 'Not', 'QuickGelu', 'Reciprocal', 'Relu'],
      ...[
        'RMSNormalization',
        'RotaryEmbedding',
        'ScatterElements',
        'ScatterND',
        'Sigmoid',
        'SimplifiedLayerNormalization',
        'Sin',
        'Softmax',
      ],
      ...['Softplus', 'Sqrt', 'Tanh', 'ThresholdedRelu', 'Trilu'],
    ].map((operator) => [operator, likeFirst]),
  ),
  ...Object.fromEntries(
    [
      ...['Add', 'And', 'Div', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Max', 'Min', 'Mod', 'Mul'],
      ...['Or', 'Pow', 'Sub', 'Where'],
    ].map((operator) => [operator, broadcast]),
  ),
  ...Object.fromEntries(['ReduceMax', 'ReduceMean', 'ReduceSum'].map((operator) => [operator, reduced])),
  MatMul: product,
  MatMulInteger: product,
  DynamicQuantizeMatMul: product,
  MatMulNBits(n, shapes) {
    const dims = shapes.dims(n.input[0]);
    const columns = intAttribute(n, 'N');
    return dims && columns !== undefined ? [...dims.slice(0, -1), Size.of(columns)] : undefined;
  },
  Gemm(n, shapes) {
    const [a, b] = [shapes.dims(n.input[0]), shapes.dims(n.input[1])];
    if (a?.length !== 2 || b?.length !== 2) return undefined;
    return [a[intAttribute(n, 'transA') ? 1 : 0]!, b[intAttribute(n, 'transB') ? 0 : 1]!];
  },
  Gather: gathered,
  GatherBlockQuantized: (n, shapes) => (shapes.isPacked(n) ? undefined : gathered(n, shapes)),
  GatherND(n, shapes) {
    const [from, at] = [shapes.dims(n.input[0]), shapes.dims(n.input[1])];
    const depth = at?.at(-1);
    if (!from || !at || !depth?.isConstant || intAttribute(n, 'batch_dims')) return undefined;
    return [...at.slice(0, -1), ...from.slice(depth.constant)];
  },
  GatherElements: (n, shapes) => shapes.dims(n.input[1]),
  Transpose(n, shapes) {
    const dims = shapes.dims(n.input[0]);
    const told = n.attribute.find(({ name }) => name === 'perm')?.ints.map(Number);
    const order = told ?? dims?.map((_, axis) => dims.length - 1 - axis);
    return order && dims && every(order.map((axis) => dims[axis]));
  },
  Unsqueeze(n, shapes) {
    const dims = shapes.dims(n.input[0]);
    const told = shapes.axes(n);
    if (!dims || !told) return undefined;
    const count = dims.length + told.length;
    const axes = new Set(told.map((axis) => (axis < 0 ? axis + count : axis)));
    const rest = [...dims];
    return every(Array.from({ length: count }, (_, axis) => (axes.has(axis) ? Size.of(1) : rest.shift())));
  },
  Squeeze(n, shapes) {
    const dims = shapes.dims(n.input[0]);
    const axes = shapes.axes(n)?.map((axis) => axisOf(axis, dims));
    return axes && !axes.includes(undefined) ? dims?.filter((_, axis) => !axes.includes(axis)) : undefined;
  },
  Concat(n, shapes) {
    const parts = every(n.input.map((name) => shapes.dims(name)));
    const axis = axisOf(intAttribute(n, 'axis') ?? 0, parts?.[0]);
    if (!parts || axis === undefined || parts.some(({ length }) => length !== parts[0]!.length)) return undefined;
    return every(
      parts[0]!.map((first, i) =>
        i === axis
          ? parts.map((part) => part[i]).reduce((sum, size) => size && sum?.plus(size))
          : (parts.map((part) => part[i]!).find(({ isConstant }) => isConstant) ?? first),
      ),
    );
  },
  Slice(n, shapes) {
    const dims = shapes.dims(n.input[0]);
    const [starts, ends] = [shapes.integers(n.input[1]), shapes.integers(n.input[2])];
    const axes = n.input[3] ? shapes.constants(n.input[3]) : starts?.sizes.map((_, i) => i);
    const steps = n.input[4] ? shapes.constants(n.input[4]) : axes?.map(() => 1);
    if (!dims || !starts || !ends || !axes || !steps?.every((step) => step === 1)) return undefined;
    const cut = [...dims];
    for (const [i, told] of axes.entries()) {
      const axis = axisOf(told, dims);
      const [start, end] = [starts.sizes[i], ends.sizes[i]];
      if (axis === undefined || !start || !end) return undefined;
      cut[axis] = sliced(dims[axis]!, start, end) ?? Size.named(`${n.output[0]}.${axis}`);
    }
    return cut;
  },
  Expand(n, shapes) {
    const [dims, to] = [shapes.dims(n.input[0]), shapes.integers(n.input[1])];
    return dims && to && broadcasted(n.output[0]!, [dims, to.sizes]);
  },
  Reshape(n, shapes) {
    const [dims, to] = [shapes.dims(n.input[0]), shapes.integers(n.input[1])?.sizes];
    // An empty axis that is asked for.
    if (!to || (intAttribute(n, 'allowzero') && to.some(({ key }) => key === '0'))) return undefined;
    const isOpen = (size: Size) => size.key === '-1';
    const shape = to.map((size, axis) => (size.key === '0' ? dims?.[axis] : size));
    const others = every(shape.filter((size) => !size || !isOpen(size)));
    if (!others) return undefined;
    if (others.length === to.length) return others;
    const open = dims && Size.quotient(dims, others);
    return to.map((size, axis) => (isOpen(size) ? (open ?? Size.named(`${n.output[0]}.${axis}`)) : shape[axis]!));
  },
  Constant(n) {
    const told = n.attribute.find(({ name }) => name.startsWith('value'));
    if (told?.t) return told.t.dims.map((d) => Size.of(Number(d)));
    return told && /^value_(int|float)$/.test(told.name) ? [] : undefined;
  },
  ConstantOfShape: (n, shapes) => shapes.integers(n.input[0])?.sizes,
  Flatten(n, shapes) {
    const dims = shapes.dims(n.input[0]);
    const axis = intAttribute(n, 'axis') ?? 1;
    return dims && every([dims.slice(0, axis), dims.slice(axis)].map((part) => Size.quotient(part, [])));
  },
  Range(n, shapes) {
    const [from, to] = [shapes.integers(n.input[0])?.sizes[0], shapes.integers(n.input[1])?.sizes[0]];
    const size = from && to?.minus(from);
    return size?.isNatural && shapes.constants(n.input[2])?.[0] === 1 ? [size] : undefined;
  },
});

/** Undefined if one of them is. */
function every<T>(values: readonly (T | undefined)[]): T[] | undefined {
  const all = values.filter((value) => value !== undefined);
  return all.length === values.length ? all : undefined;
}

/** Counted from the first. */
function axisOf(axis: number, dims: Dims | undefined): number | undefined {
  const at = axis < 0 ? axis + (dims?.length ?? NaN) : axis;
  return dims && at >= 0 && at < dims.length ? at : undefined;
}

/** @param output names sizes of which one may be 1 */
function broadcasted(output: string, all: readonly Dims[]): Dims {
  const count = Math.max(...all.map(({ length }) => length));
  return Array.from({ length: count }, (_, axis) => {
    const sizes = all.flatMap((dims) => dims[axis - count + dims.length] ?? []).filter(({ key }) => key !== '1');
    const [first] = sizes;
    if (!first) return Size.of(1);
    const same = sizes.every(({ key }) => key === first.key) ? first : undefined;
    return sizes.find(({ isConstant }) => isConstant) ?? same ?? Size.named(`${output}.${axis}`);
  });
}

/** What a slice leaves of an axis, if it is the same in every run. */
function sliced(size: Size, start: Size, end: Size): Size | undefined {
  if (start.key === '0' && (end.key === size.key || (end.isConstant && end.constant >= toTheEnd))) return size;
  if (![size, start, end].every(({ isConstant }) => isConstant)) return undefined;
  const whole = size.constant;
  const [from, to] = [start, end].map(({ constant: at }) => Math.min(whole, Math.max(0, at < 0 ? at + whole : at)));
  return Size.of(Math.max(0, to! - from!));
}

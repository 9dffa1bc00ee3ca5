import { type DataFile, tensorBytes, withDataFile } from './external.js';
import { DataType, type GraphProto, type NodeProto, externalTensor, intAttribute, node } from './model.js';

/**
 * onnxruntime's CPU kernels multiply packed 4-bit weights by float activations directly, but unpack a whole 8-bit matrix at
 * every run, which for a head over a vocabulary takes most of a token's time. With q = 16 h + l and z = 16 z_h + z_l,
 * s (q − z) = 16 s (h − z_h) + s (l − z_l): two 4-bit products give the same numbers.
 */
export interface Halves {
  /** [N, blocks, block / 2] two values per byte, the first in the low bits: the layout of `MatMulNBits`. */
  readonly weights: readonly [high: Uint8Array, low: Uint8Array];
  /** [N, ⌈blocks / 2⌉] packed the same way, row by row. */
  readonly zeroPoints: readonly [high: Uint8Array, low: Uint8Array];
  /** [N · blocks] */
  readonly scales: readonly [high: Float32Array, low: Float32Array];
}

/** Whether the node multiplies by 8-bit weights in float arithmetic, without reordering them (input 4). */
export function hasEightBits(n: NodeProto): boolean {
  return (
    n.opType === 'MatMulNBits' &&
    intAttribute(n, 'bits') === 8 &&
    (intAttribute(n, 'accuracy_level') ?? 0) < 4 &&
    !n.input[4]
  );
}

/**
 * @param weights [N, blocks, block] with an even block
 * @param zeroPoints [N · blocks]; absent: 128
 * @param scales [N · blocks]
 */
export function halve(
  weights: Uint8Array,
  zeroPoints: Uint8Array | undefined,
  scales: Float32Array,
  rows: number,
): Halves {
  const blocks = scales.length / rows;
  const zeros = zeroPoints ?? new Uint8Array(scales.length).fill(128);
  return {
    weights: [pack(weights, weights.length, 4), pack(weights, weights.length, 0)],
    zeroPoints: [pack(zeros, blocks, 4), pack(zeros, blocks, 0)],
    scales: [scales.map((s) => 16 * s), scales],
  };
}

/** Four bits of each value, from bit `shift` on, two per byte; each row starts a new byte. */
function pack(values: Uint8Array, width: number, shift: number): Uint8Array {
  // Rows of whole bytes can be packed as one, and faster: a head over a vocabulary has tens of millions of values.
  if (width % 2 === 0 && values.length % 4 === 0 && values.byteOffset % 4 === 0) return packWords(values, shift);
  const bytes = Math.ceil(width / 2);
  const packed = new Uint8Array((values.length / width) * bytes);
  for (let row = 0, at = 0; at < values.length; row++, at += width) {
    for (let i = 0; i < width; i++) {
      packed[row * bytes + (i >> 1)]! |= ((values[at + i]! >> shift) & 15) << (4 * (i & 1));
    }
  }
  return packed;
}

/** Four values at a time. */
function packWords({ buffer, byteOffset, length }: Uint8Array, shift: number): Uint8Array {
  const words = new Uint32Array(buffer, byteOffset, length / 4);
  const packed = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const fours = (words[i]! >>> shift) & 0x0f0f0f0f;
    const pairs = fours | (fours >>> 4);
    packed[i] = (pairs & 0xff) | ((pairs >>> 8) & 0xff00);
  }
  return new Uint8Array(packed.buffer);
}

/** The three nodes that replace `n`. @param inputs names of weights, scales and zero points, high and low */
export function halvedNodes(n: NodeProto, inputs: readonly [high: string[], low: string[]]): NodeProto[] {
  const y = n.output[0]!;
  const sizes = Object.fromEntries(['K', 'N', 'block_size'].map((name) => [name, intAttribute(n, name)!]));
  const bias = n.input[5];
  return [
    ...inputs.map((tensors, i) => {
      const product = node(
        'MatMulNBits',
        [n.input[0]!, ...tensors, ...(bias && i === 0 ? ['', bias] : [])],
        [`gander.half.${i}.${y}`],
        { ...sizes, bits: 4 },
      );
      product.domain = 'com.microsoft';
      return product;
    }),
    node('Add', [`gander.half.0.${y}`, `gander.half.1.${y}`], [y]),
  ];
}

/**
 * Replaces each 8-bit product, above all the head, by two 4-bit ones, in place.
 *
 * @param folder the graph's data folder, which the halves are written to
 * @param except products that stay as they are
 * @returns the replaced products by output name
 */
export function halveProducts(
  folder: string,
  graph: GraphProto,
  except: ReadonlySet<NodeProto>,
): ReadonlyMap<string, NodeProto> {
  const halved = new Map<string, NodeProto>();
  const eights = graph.node.filter((n) => hasEightBits(n) && !except.has(n));
  if (eights.length === 0) return halved;
  withDataFile(folder, 'halves.bin', (data) => {
    for (const n of eights) {
      const product = readEightBits(folder, graph, n);
      if (!product) continue;
      const { dims, weights, zeroPoints, scales } = product;
      const inputs = storeHalves(graph, n, dims, halve(weights, zeroPoints, scales, Number(dims[0])), data);
      graph.node.splice(graph.node.indexOf(n), 1, ...halvedNodes(n, inputs));
      halved.set(n.output[0]!, n);
    }
  });
  return halved;
}

/** Numbers of an 8-bit product; undefined if they are stored in another way, which is left to onnxruntime. */
function readEightBits(folder: string, { initializer }: GraphProto, n: NodeProto) {
  const [weights, scales, zeroPoints] = n.input
    .slice(1, 4)
    .map((name) => initializer.find((tensor) => tensor.name === name));
  if (weights?.dims.length !== 3 || scales?.dataType !== DataType.FLOAT) return undefined;
  const [rows, blocks, block] = weights.dims.map(Number) as [number, number, number];
  const [bytes, factors] = [tensorBytes(folder, weights), tensorBytes(folder, scales)];
  const zeros = zeroPoints && tensorBytes(folder, zeroPoints);
  const isPlain =
    block % 2 === 0 &&
    bytes.length === rows * blocks * block &&
    factors.length === 4 * rows * blocks &&
    (n.input[3] ? zeros?.length === rows * blocks : true);
  if (!isPlain) return undefined;
  return { dims: weights.dims, weights: bytes, zeroPoints: zeros, scales: new Float32Array(factors.buffer) };
}

/** @returns the names of weights, scales and zero points, high and low */
function storeHalves(
  graph: GraphProto,
  n: NodeProto,
  [rows, blocks, block]: readonly bigint[],
  { weights, scales, zeroPoints }: Halves,
  data: DataFile,
): [string[], string[]] {
  const store = (name: string, values: Float32Array | Uint8Array, dims: bigint[]): string => {
    const { location, offset } = data.append(values);
    const dataType = values instanceof Float32Array ? DataType.FLOAT : DataType.UINT8;
    graph.initializer.push(externalTensor(name, dataType, dims, location, offset, values.byteLength));
    return name;
  };
  const half = (i: 0 | 1) => {
    const own = `gander.half.${i}.${n.input[1]!}`;
    return [
      store(own, weights[i], [rows!, blocks!, block! / 2n]),
      store(`${own}.scales`, scales[i], [rows! * blocks!]),
      store(`${own}.zero_points`, zeroPoints[i], [rows! * ((blocks! + 1n) / 2n)]),
    ];
  };
  return [half(0), half(1)];
}

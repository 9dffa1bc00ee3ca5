/** Finds out how the processor computes 8-bit products, with a model of a few bytes whose sums are known. */
import { create } from '@bufbuild/protobuf';
import { DataType, floats, node, valueInfo, writeModel } from '../../graph/model.js';
import type { Processor } from '../../graph/processor.js';
import { ModelProtoSchema, TensorProtoSchema } from '../../graph/onnx_pb.js';

/** The first sum of each of the model's two products. */
export interface Asked {
  readonly sum: number;
  readonly rounded: number;
}

/** @param ask runs `question`; `precisely`: with weights that onnxruntime may make unsigned */
export async function askProcessor(ask: (how: 'quickly' | 'precisely') => Promise<Asked>): Promise<Processor> {
  const { sum, rounded } = await ask('quickly');
  const roundsInputs = Math.abs(rounded - inputs.reduce((all, x) => all + x, 0)) > 1e-3;
  if (sum === wanted) return { sums: 'exact', roundsInputs };
  const { sum: again } = await ask('precisely');
  return { sums: again === wanted ? 'exact when asked' : 'wrong', roundsInputs };
}

const depth = 32;
const width = 16;
/** The largest possible sum: on processors that add pairs of products in 16 bits, it does not fit. */
const wanted = depth * 255 * 127;
/** 0.3 lies between two steps of a 127th. */
export const inputs = new Float32Array(depth).fill(0.3, 1).fill(1, 0, 1);
export const bytes = new Uint8Array(depth).fill(255);

/** bytes [1, depth] → sum [1, width], inputs [1, depth] → rounded [1, width] */
export function question(): Uint8Array {
  const product = node('MatMulNBits', ['inputs', 'ones', 'scales'], ['rounded'], {
    ...{ K: depth, N: width, bits: 4, block_size: depth },
    accuracy_level: 4,
  });
  product.domain = 'com.microsoft';
  return writeModel(
    create(ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: [
        { domain: '', version: 17n },
        { domain: 'com.microsoft', version: 1n },
      ],
      graph: {
        name: 'processor',
        node: [node('MatMulInteger', ['bytes', 'largest'], ['sum']), product],
        input: [valueInfo('bytes', DataType.UINT8, [1, depth]), valueInfo('inputs', DataType.FLOAT, [1, depth])],
        output: [valueInfo('sum', DataType.INT32, [1, width]), valueInfo('rounded', DataType.FLOAT, [1, width])],
        initializer: [
          constant('largest', DataType.INT8, [depth, width], 127),
          // 9 − 8, two per byte.
          constant('ones', DataType.UINT8, [width, 1, depth / 2], 0x99),
          floats('scales', [width], new Float32Array(width).fill(1)),
        ],
      },
    }),
  );
}

function constant(name: string, dataType: DataType, dims: readonly number[], value: number) {
  const rawData = new Uint8Array(dims.reduce((product, n) => product * n, 1)).fill(value);
  return create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt), rawData });
}

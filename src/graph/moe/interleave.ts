/**
 * onnxruntime's operators take an expert's gate and value rows alternately (`swiglu_fusion` 1); some exporters write all gates
 * and then all values (2), which its CPU kernels refuse. With the rows reordered, the operator computes the same.
 */
import { tensorBytes, withDataFile } from '../external.js';
import { type GraphProto, type NodeProto, type TensorProto, externalOf, intAttribute, setExternal } from '../model.js';

/** Inputs with an axis of gate and value rows: weights first, then scales, bias and zero points, if there are any. */
const inputs: Readonly<Record<string, readonly number[]>> = { MoE: [2, 3], QMoE: [2, 3, 4, 11] };

/** `swiglu_fusion` with all gates before all values, and with both alternating. */
const apart = 2;
const inTurn = 1n;

/** Whether all gates come before all values, in tensors that can be reordered. */
export function liesApart({ initializer }: GraphProto, holder: NodeProto): boolean {
  return intAttribute(holder, 'swiglu_fusion') === apart && rowsOf(initializer, holder) !== undefined;
}

/** Alternates the gate and value rows of each operator, in place. @param folder the graph's data folder, which the result is written to */
export function interleave(folder: string, { initializer }: GraphProto, holders: readonly NodeProto[]): void {
  if (holders.length === 0) return;
  withDataFile(folder, 'interleaved.bin', (data) => {
    for (const holder of holders) {
      for (const { at, tensor } of rowsOf(initializer, holder)!) {
        const [experts, rows] = tensor.dims;
        const ordered = inOrder(tensorBytes(folder, tensor), Number(experts), Number(rows));
        const { location, offset } = data.append(ordered);
        // Another operator may use the same tensor in its old order.
        const put = { ...tensor, name: `gander.in_turn.${at}.${holder.output[0]!}` };
        setExternal(put, location, offset, ordered.byteLength);
        initializer.push(put);
        holder.input[at] = put.name;
      }
      holder.attribute.find(({ name }) => name === 'swiglu_fusion')!.i = inTurn;
    }
  });
}

/** The tensors of shape [E, 2 I, …]; undefined if one has another shape. */
function rowsOf(
  initializers: readonly TensorProto[],
  { opType, input }: NodeProto,
): readonly { readonly at: number; readonly tensor: TensorProto }[] | undefined {
  const given = inputs[opType]!.filter((at) => input[at]);
  const found = given.map((at) => ({ at, tensor: initializers.find(({ name }) => name === input[at]) }));
  const [experts, rows] = found[0]?.tensor?.dims ?? [];
  const fits = (tensor: TensorProto) =>
    tensor.dims[0] === experts && tensor.dims[1] === rows && (tensor.rawData.length > 0 || externalOf(tensor));
  return experts && rows && rows % 2n === 0n && found.every(({ tensor }) => tensor && fits(tensor))
    ? (found as { at: number; tensor: TensorProto }[])
    : undefined;
}

function inOrder(bytes: Uint8Array, experts: number, rows: number): Uint8Array {
  const width = bytes.length / (experts * rows);
  const ordered = new Uint8Array(bytes.length);
  const half = rows / 2;
  for (let e = 0; e < experts; e++) {
    for (let i = 0; i < rows; i++) {
      const from = (e * rows + (i % 2) * half + (i >> 1)) * width;
      ordered.set(bytes.subarray(from, from + width), (e * rows + i) * width);
    }
  }
  return ordered;
}

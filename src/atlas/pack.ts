/** Objects that contain typed arrays, as bytes and back: a safetensors file, which keeps every bit of the arrays. */
import { z } from 'zod';
import { encodeSafetensors, parseHeader, tensorArray, type TensorInput } from '../formats/safetensors.js';

/** The tensor with the rest of the object as JSON, in which each array is replaced by the number of its tensor. */
const rest = 'json';

const reference = z.strictObject({ $array: z.int().min(0) });

export function pack(value: object): Uint8Array<ArrayBuffer> {
  const tensors: TensorInput[] = [];
  const json = JSON.stringify(value, (_key, part: unknown) => {
    if (!(part instanceof Float64Array)) return part;
    tensors.push({ name: String(tensors.length), dtype: 'F64', shape: [part.length], data: part });
    return { $array: tensors.length - 1 };
  });
  const data = new TextEncoder().encode(json);
  return encodeSafetensors([...tensors, { name: rest, dtype: 'U8', shape: [data.length], data }]);
}

/** @throws SafetensorsError or SyntaxError if `pack` did not make the bytes */
export function unpack(bytes: Uint8Array): unknown {
  const { tensors } = parseHeader(bytes, bytes.length);
  const of = (name: string) => {
    const entry = tensors.get(name);
    if (!entry) throw new SyntaxError(`there is no tensor ${name}`);
    return bytes.subarray(entry.begin, entry.end);
  };
  return JSON.parse(new TextDecoder().decode(of(rest)), (_key, part: unknown) => {
    const found = reference.safeParse(part);
    return found.success ? tensorArray('F64', of(String(found.data.$array))).slice() : part;
  });
}

/** Objects with typed arrays in them as bytes and back: a safetensors file, whose arrays keep every bit. */
import { z } from 'zod';
import { encodeSafetensors, parseHeader, tensorArray, type TensorInput } from '../formats/safetensors.js';

/** The rest, as JSON, in which an array stands as the number of its tensor. */
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

/** @throws SafetensorsError or SyntaxError for bytes that `pack` did not give */
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

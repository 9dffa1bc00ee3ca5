/**
 * Reads and writes the safetensors container, for pools and traces; every length is checked before it is used.
 * Source: https://github.com/huggingface/safetensors ("Format"): u64 header length, JSON header, data without holes.
 * Typed arrays are views of the file's little-endian bytes: every platform that runs Gander is little-endian.
 */

/** Bytes of one element. */
export const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type DType = keyof typeof dtypeBytes;

export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Number of elements: the product of `shape`. */
  readonly size: number;
  /** Byte offsets from the beginning of the file, not of its data part. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** What is wrong with the bytes; whoever reads the file turns it into a GanderError that names the file. */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError';
}

/** The reference implementation's own limit. */
const maxHeaderBytes = 100_000_000;

/**
 * Length of the prefix (8 bytes + header) that `parseHeader` needs, so that a large file need not be read whole.
 * @param first at least the first 8 bytes
 * @param fileSize bytes of the whole file
 */
export function prefixLength(first: Uint8Array, fileSize: number): number {
  if (first.byteLength < 8 || fileSize < 8) throw new SafetensorsError('shorter than the 8 bytes of a header length');
  const view = new DataView(first.buffer, first.byteOffset, 8);
  // Compared in two halves: a u64 does not fit a number.
  const low = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || low > maxHeaderBytes || low > fileSize - 8) {
    throw new SafetensorsError(
      `the header's declared length goes past the end of the file (${String(fileSize)} bytes)`,
    );
  }
  return 8 + low;
}

/**
 * The header, with every tensor's dtype, shape and offsets checked against each other and the file's size.
 * @param prefix at least the first `prefixLength` bytes of the file
 * @param fileSize bytes of the whole file
 */
export function parseHeader(prefix: Uint8Array, fileSize: number): SafetensorsHeader {
  const dataStart = prefixLength(prefix, fileSize);
  if (prefix.byteLength < dataStart) throw new SafetensorsError('the header is cut off');
  const json = parseJsonObject(prefix.subarray(8, dataStart));
  const metadata = new Map<string, string>();
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(json)) {
    if (name !== '__metadata__') {
      tensors.set(name, parseEntry(name, value, dataStart, fileSize));
      continue;
    }
    if (!isRecord(value)) throw new SafetensorsError('__metadata__ is not an object');
    for (const [key, text] of Object.entries(value)) {
      if (typeof text !== 'string') throw new SafetensorsError(`__metadata__ entry ${quote(key)} is not a string`);
      metadata.set(key, text);
    }
  }
  checkNoHoles([...tensors.values()], dataStart, fileSize);
  return { metadata, tensors };
}

function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SafetensorsError('the header is not JSON', { cause });
  }
  if (!isRecord(json)) throw new SafetensorsError('the header is not a JSON object');
  return json;
}

function parseEntry(name: string, value: unknown, dataStart: number, fileSize: number): TensorEntry {
  const fail = (what: string) => new SafetensorsError(`tensor ${quote(name)}: ${what}`);
  if (!isRecord(value)) throw fail('its entry is not an object');
  const { dtype, shape, data_offsets: offsets } = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (!isDType(dtype)) throw fail(`unknown dtype ${quote(dtype)}`);
  if (!isCounts(shape)) throw fail('its shape is not a list of counts');
  if (!isCounts(offsets) || offsets.length !== 2) throw fail('its data_offsets are not two counts');
  const size = shape.reduce((product, n) => product * n, 1);
  const [begin, end] = [dataStart + offsets[0]!, dataStart + offsets[1]!];
  if (begin > end || end > fileSize) throw fail('its data_offsets go past the end of the file');
  // `size` may have lost precision or be infinite, but then it is far larger than any file.
  if (size * dtypeBytes[dtype] !== end - begin)
    throw fail(`shape [${shape.join(', ')}] of ${dtype} does not fill its data_offsets`);
  return { name, dtype, shape, size, begin, end };
}

function checkNoHoles(tensors: TensorEntry[], dataStart: number, fileSize: number): void {
  let at = dataStart;
  for (const tensor of tensors.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (tensor.begin !== at)
      throw new SafetensorsError(`tensor ${quote(tensor.name)} overlaps another or leaves a hole`);
    at = tensor.end;
  }
  if (at !== fileSize) throw new SafetensorsError(`${String(fileSize - at)} bytes after the last tensor`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(dtypeBytes, value);
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
}

function quote(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 200));
}

const arrays = {
  U8: Uint8Array,
  BOOL: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  F64: Float64Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

/** The array type for a dtype's elements; F16 and BF16 stay raw bits (`toFloat32` decodes them). */
export type ArrayOf<D extends DType> = InstanceType<(typeof arrays)[D]>;

/**
 * A tensor's elements: a view of the given bytes if they are aligned, otherwise a copy.
 * @param data the tensor's own bytes, `entry.begin` to `entry.end` of the file
 */
export function tensorArray<D extends DType>(dtype: D, data: Uint8Array): ArrayOf<D> {
  const bytes = dtypeBytes[dtype];
  // Not `slice`: a Buffer's slice shares its memory and would stay unaligned.
  const aligned = data.byteOffset % bytes === 0 ? data : new Uint8Array(data);
  const make = arrays[dtype] as unknown as new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayOf<D>;
  return new make(aligned.buffer, aligned.byteOffset, aligned.byteLength / bytes);
}

/**
 * Any tensor of numbers as Float32; aligned F32 is not copied.
 * @param data the tensor's own bytes, `entry.begin` to `entry.end` of the file
 */
export function toFloat32(dtype: DType, data: Uint8Array): Float32Array {
  switch (dtype) {
    case 'F32':
      return tensorArray('F32', data);
    case 'F16':
      return decodeF16(tensorArray('F16', data));
    case 'BF16':
      return decodeBF16(tensorArray('BF16', data));
    case 'I64':
    case 'U64':
      return Float32Array.from(tensorArray(dtype, data), Number);
    default:
      return Float32Array.from(tensorArray(dtype, data));
  }
}

/** IEEE half precision, given as bits. */
export function decodeF16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  const raw = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) {
    const h = bits[i]!;
    const exponent = (h >> 10) & 0x1f;
    const mantissa = h & 0x3ff;
    if (exponent === 0) out[i] = (h & 0x8000 ? -1 : 1) * mantissa * 2 ** -24;
    else raw[i] = ((h & 0x8000) << 16) | ((exponent === 31 ? 255 : exponent + 112) << 23) | (mantissa << 13);
  }
  return out;
}

/** bfloat16, given as bits: the upper half of a float32. */
export function decodeBF16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  const raw = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) raw[i] = bits[i]! << 16;
  return out;
}

export interface TensorInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Its elements; only the bytes of this view are written. */
  readonly data: ArrayBufferView;
}

/** The container's bytes. Like the reference, wide dtypes come first and the header is padded, so that all tensors are aligned. */
export function encodeSafetensors(
  tensors: readonly TensorInput[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const ordered = [...tensors].sort((a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]);
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let length = 0;
  for (const { name, dtype, shape, data } of ordered) {
    const size = shape.reduce((product, n) => product * n, 1);
    if (size * dtypeBytes[dtype] !== data.byteLength)
      throw new SafetensorsError(`tensor ${quote(name)}: its shape does not fit its data`);
    entries.push([name, { dtype, shape, data_offsets: [length, length + data.byteLength] }]);
    length += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const dataStart = 8 + Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(dataStart + length);
  new DataView(out.buffer).setUint32(0, dataStart - 8, true);
  out.set(json, 8);
  out.fill(0x20, 8 + json.length, dataStart);
  let at = dataStart;
  for (const { data } of ordered) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

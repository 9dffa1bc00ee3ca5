/**
 * Reads NumPy's .npy files; every length is checked before it is used. Source:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html (versions 1.0, 2.0 and 3.0).
 */
import { type DType, dtypeBytes } from './safetensors.js';

export interface Npy {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Its elements, row-major. */
  readonly data: Uint8Array;
}

/** What is wrong with the bytes; whoever reads the file turns it into a GanderError. */
export class NpyError extends Error {
  override readonly name = 'NpyError';
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Longer than any header needs to be. */
const longestHeader = 65_536;

/** Little-endian types, and those of one byte, which have no byte order. */
const types: Readonly<Record<string, DType>> = {
  '|b1': 'BOOL',
  '|u1': 'U8',
  '|i1': 'I8',
  '<u2': 'U16',
  '<i2': 'I16',
  '<f2': 'F16',
  '<u4': 'U32',
  '<i4': 'I32',
  '<f4': 'F32',
  '<u8': 'U64',
  '<i8': 'I64',
  '<f8': 'F64',
};

function isNpy(first: Uint8Array): boolean {
  return magic.every((byte, i) => first[i] === byte);
}

/** @throws NpyError */
export function readNpy(bytes: Uint8Array): Npy {
  const { dtype, shape, fortran, dataStart } = readNpyHeader(bytes);
  if (fortran) throw new NpyError('it is stored column by column; save np.ascontiguousarray of it');
  const size = shape.reduce((product, n) => product * n, 1);
  const length = bytes.byteLength - dataStart;
  // `size` may have lost precision or be infinite, but then it is far larger than any file.
  if (size * dtypeBytes[dtype] !== length)
    throw new NpyError(`shape (${shape.join(', ')}) of ${dtype} does not fill its ${length} bytes`);
  return { dtype, shape, data: bytes.subarray(dataStart) };
}

export interface NpyHeader {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly fortran: boolean;
  /** Where its elements begin. */
  readonly dataStart: number;
}

/** @param first at least the header. @throws NpyError */
export function readNpyHeader(first: Uint8Array): NpyHeader {
  if (!isNpy(first)) throw new NpyError('it does not begin like a .npy file');
  const major = first[6] ?? 0;
  if (major < 1 || major > 3) throw new NpyError(`its version is ${major}; versions 1 to 3 are supported`);
  const begin = major === 1 ? 10 : 12;
  if (first.byteLength < begin) throw new NpyError('it is cut off');
  const view = new DataView(first.buffer, first.byteOffset, begin);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > longestHeader || begin + length > first.byteLength) throw new NpyError('its header is cut off');
  const text = new TextDecoder().decode(first.subarray(begin, begin + length));
  // A Python dictionary of three entries, as numpy writes it.
  const descr = /'descr': '([^']*)'/.exec(text)?.[1];
  const fortran = /'fortran_order': (True|False)/.exec(text)?.[1];
  const shape = /'shape': \(([\d, ]*)\)/.exec(text)?.[1];
  if (descr === undefined || fortran === undefined || shape === undefined)
    throw new NpyError('its header is not one that numpy writes for an array of numbers');
  const dtype = Object.hasOwn(types, descr) ? types[descr] : undefined;
  if (!dtype)
    throw new NpyError(`its numbers are of type ${JSON.stringify(descr.slice(0, 20))}, which is not supported`);
  return {
    dtype,
    shape: shape.split(',').flatMap((n) => (n.trim() === '' ? [] : [Number(n)])),
    fortran: fortran === 'True',
    dataStart: begin + length,
  };
}

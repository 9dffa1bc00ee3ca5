import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeBF16,
  decodeF16,
  encodeSafetensors,
  parseHeader,
  prefixLength,
  SafetensorsError,
  tensorArray,
  toFloat32,
} from '../../../src/formats/safetensors.js';

function file(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, 8);
  return bytes;
}

const parse = (bytes: Uint8Array) => parseHeader(bytes, bytes.length);

describe('safetensors', () => {
  it('reads what the reference implementation wrote', () => {
    const bytes = readFileSync(
      new URL('../../fixtures/tiny-pool/experts/alpha/adapter_model.safetensors', import.meta.url),
    );
    const { tensors } = parse(bytes);
    const entry = tensors.get('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight')!;
    const values = toFloat32(entry.dtype, bytes.subarray(entry.begin, entry.end));
    expect(values.length).toBe(entry.size);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(values.some((x) => x !== 0)).toBe(true);
  });

  it('needs only the prefix to know the header', () => {
    const bytes = encodeSafetensors([{ name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]);
    const prefix = bytes.slice(0, prefixLength(bytes, bytes.length));
    expect(prefix.length).toBe(bytes.length - 8);
    expect(parseHeader(prefix, bytes.length).tensors.get('a')).toMatchObject({
      begin: prefix.length,
      end: bytes.length,
      size: 2,
    });
  });

  it('reads what it wrote, with awkward names, empty tensors and metadata', () => {
    const bytes = encodeSafetensors(
      [
        { name: '__proto__', dtype: 'I8', shape: [3], data: Int8Array.of(-1, 0, 1) },
        { name: '7', dtype: 'I64', shape: [1], data: BigInt64Array.of(-5n) },
        { name: 'none', dtype: 'F32', shape: [0, 4], data: new Float32Array() },
        { name: 'scalar', dtype: 'U8', shape: [], data: Uint8Array.of(9) },
      ],
      { note: 'é"\n' },
    );
    const { tensors, metadata } = parse(bytes);
    const values = (name: string) => {
      const { dtype, begin, end } = tensors.get(name)!;
      return [...toFloat32(dtype, bytes.subarray(begin, end))];
    };
    expect(values('__proto__')).toEqual([-1, 0, 1]);
    expect(values('7')).toEqual([-5]);
    expect(values('none')).toEqual([]);
    expect(values('scalar')).toEqual([9]);
    expect(metadata.get('note')).toBe('é"\n');
  });

  const entry = (over: object) => ({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...over } });
  it.each<[string, Uint8Array]>([
    ['no bytes', new Uint8Array(0)],
    ['a header longer than the file', Uint8Array.of(255, 0, 0, 0, 0, 0, 0, 0, 123, 125)],
    ['a header of 2^63 bytes', Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 128, 123, 125)],
    ['a header that is no JSON', file('{')],
    ['a header that is a list', file('[]')],
    ['bytes that are not UTF-8', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 255)],
    ['an unknown dtype', file(entry({ dtype: 'toString' }), 8)],
    ['a negative shape', file(entry({ shape: [-2] }), 8)],
    ['a fractional shape', file(entry({ shape: [1.5] }), 8)],
    ['an overflowing shape', file(entry({ shape: [2 ** 40, 2 ** 40, 0.5] }), 8)],
    ['a huge shape', file(entry({ shape: [2 ** 52, 2 ** 52] }), 8)],
    ['offsets past the end', file(entry({ data_offsets: [0, 16], shape: [4] }), 8)],
    ['offsets backwards', file(entry({ data_offsets: [8, 0] }), 8)],
    ['a shape that does not fit', file(entry({ shape: [3] }), 8)],
    ['a hole', file(entry({ data_offsets: [4, 12] }), 12)],
    ['bytes left over', file(entry({}), 12)],
    ['an overlap', file({ ...entry({}), b: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, 8)],
    ['metadata that is no text', file({ __metadata__: { a: 1 } })],
    ['an entry that is null', file({ a: null })],
  ])('refuses %s', (_, bytes) => {
    expect(() => parse(bytes)).toThrow(SafetensorsError);
  });

  it('decodes every half as a float', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const floats = decodeF16(bits);
    bits.forEach((h, i) => {
      const sign = h & 0x8000 ? -1 : 1;
      const exponent = (h >> 10) & 31;
      const fraction = (h & 1023) / 1024;
      const want =
        exponent === 31
          ? fraction
            ? NaN
            : sign * Infinity
          : exponent
            ? sign * (1 + fraction) * 2 ** (exponent - 15)
            : sign * fraction * 2 ** -14;
      if (!Object.is(floats[i], want)) throw new Error(`${i}: ${floats[i]} is not ${want}`);
    });
  });

  it('decodes bfloat16 as the upper half of a float', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (x) => {
        const upper = new Uint32Array(Float32Array.of(x).buffer)[0]! >>> 16;
        const want = new Float32Array(Uint32Array.of(upper << 16).buffer)[0];
        expect(decodeBF16(Uint16Array.of(upper))[0]).toBe(want);
      }),
    );
    expect([...decodeBF16(Uint16Array.of(0x3f80, 0xc000, 0x7f80))]).toEqual([1, -2, Infinity]);
  });

  it('copies unaligned data', () => {
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Float32Array.of(1, -2).buffer), 1);
    expect([...tensorArray('F32', bytes.subarray(1))]).toEqual([1, -2]);
  });
});

/** Half-precision numbers as float32. Little-endian, as safetensors and ONNX store them. */

let halves: Float32Array | undefined;

/** All 65536 half-precision numbers, by bit pattern. */
function halfTable(): Float32Array {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) halves[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) halves[bits] = fraction ? NaN : sign * Infinity;
    else halves[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return halves;
}

/** `bytes` (at offset 0 of its own buffer) read as `dtype`; undefined for a type that is no float. */
export function floatsOf(dtype: string, bytes: Uint8Array): Float32Array | undefined {
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (dtype !== 'F16' && dtype !== 'BF16') return undefined;
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  if (dtype === 'F16') {
    const table = halfTable();
    return Float32Array.from(bits, (b) => table[b]!);
  }
  const widened = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) widened[i] = bits[i]! << 16;
  return new Float32Array(widened.buffer);
}

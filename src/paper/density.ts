/** Says in a PNG how large it is on paper; a browser leaves that out, and without it a text processor guesses. */

/** Dots per inch. */
export const density = 300;

/** Where the first chunk, which is always the header, ends. */
const afterHeader = 33;

/** @param dots per inch */
export function withDensity(png: ArrayBuffer, dots: number): ArrayBuffer {
  const perMetre = Math.round(dots / 0.0254);
  const chunk = new DataView(new ArrayBuffer(21));
  chunk.setUint32(0, 9);
  Array.from('pHYs', (letter, i) => chunk.setUint8(4 + i, letter.charCodeAt(0)));
  chunk.setUint32(8, perMetre);
  chunk.setUint32(12, perMetre);
  chunk.setUint8(16, 1); // per metre
  chunk.setUint32(17, checksum(new Uint8Array(chunk.buffer, 4, 13)));
  const whole = new Uint8Array(png.byteLength + 21);
  whole.set(new Uint8Array(png, 0, afterHeader));
  whole.set(new Uint8Array(chunk.buffer), afterHeader);
  whole.set(new Uint8Array(png, afterHeader), afterHeader + 21);
  return whole.buffer;
}

/** CRC-32, as PNG (ISO/IEC 15948, annex D) defines it. */
function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

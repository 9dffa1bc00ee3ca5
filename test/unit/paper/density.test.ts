import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { withDensity } from '../../../src/paper/density.js';

test('a PNG says its density right after its header', () => {
  const png = Uint8Array.from({ length: 80 }, (_, i) => i);
  const made = Buffer.from(withDensity(png.buffer, 300));
  expect(made).toHaveLength(101);
  expect([...made.subarray(0, 33), ...made.subarray(54)]).toEqual([...png]);
  const chunk = made.subarray(33, 54);
  expect(chunk.readUInt32BE(0)).toBe(9);
  expect(chunk.toString('latin1', 4, 8)).toBe('pHYs');
  expect([chunk.readUInt32BE(8), chunk.readUInt32BE(12), chunk[16]]).toEqual([11_811, 11_811, 1]);
  expect(chunk.readUInt32BE(17)).toBe(crc32(chunk.subarray(4, 17)));
});

import type { Random } from '../random.js';

const numbers = [
  '0',
  '-1',
  '-9',
  '1e9',
  '0.5',
  '32767',
  '32768',
  '1023',
  '1024',
  '99999999',
  '4294967296',
  'null',
  '""',
  '[]',
];

/** Replaces one number in text, such as a line or an array's header; other bytes stay as they are. */
export function anyNumber(bytes: Uint8Array, random: Random): { bytes: Uint8Array; how: string } {
  const text = Buffer.from(bytes).toString('latin1');
  const found = [...text.matchAll(/-?\d+(\.\d+)?/g)];
  if (found.length === 0) return { bytes, how: 'as it was' };
  const one = random.pick(found);
  const other = random.pick(numbers);
  const spoilt = text.slice(0, one.index) + other + text.slice(one.index + one[0].length);
  return { bytes: Buffer.from(spoilt, 'latin1'), how: `${one[0]} is ${other}` };
}

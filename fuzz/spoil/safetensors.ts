import type { Random } from '../random.js';
import { spoilJson } from './json.js';

/** Corrupts the header of a safetensors file and keeps its data. */
export function spoiltHeader(bytes: Uint8Array, random: Random): { bytes: Uint8Array; how: string } {
  const buffer = Buffer.from(bytes);
  if (buffer.length < 8) return { bytes, how: 'nothing to change' };
  if (random.chance(0.15)) {
    const length = random.pick([2n ** 64n - 1n, 2n ** 63n, 2n ** 40n, BigInt(buffer.length), 100_000_001n, 7n, 0n]);
    buffer.writeBigUInt64LE(length, 0);
    return { bytes: buffer, how: `a header of ${length} bytes` };
  }
  const end = 8 + Number(buffer.readBigUInt64LE(0));
  const json = JSON.parse(buffer.toString('utf8', 8, end)) as Record<string, Record<string, unknown>>;
  const names = Object.keys(json).filter((name) => name !== '__metadata__');
  const name = random.pick(names);
  const entry = json[name]!;
  const how = random.do({
    shape: () =>
      (entry['shape'] = random.pick<unknown>([
        [2 ** 40, 2 ** 40],
        [-1, 4],
        [1, 1, 1],
        [0, 2 ** 50],
        [],
        [0],
        'x',
        [2 ** 53, 2 ** 53, 0],
      ])),
    dtype: () => (entry['dtype'] = random.pick(['F64', 'I8', 'BOOL', 'F32', 'U64', 'F8_E4M3', '', '__proto__'])),
    offsets: () =>
      (entry['data_offsets'] = random.pick<unknown>([[8, 0], [-1, 4], [0, 2 ** 53], [0], [0.5, 1], null, ['0', '4']])),
    'names exchanged': () => {
      const other = random.pick(names);
      [json[name], json[other]] = [json[other]!, entry];
    },
    renamed: () => {
      json[random.pick(['__proto__', 'constructor', '', 'x'.repeat(3000), `${name}.`, '..', 'a\0'])] = entry;
      Reflect.deleteProperty(json, name);
    },
    'turned over': () => {
      if (Array.isArray(entry['shape'])) entry['shape'].reverse();
    },
    anything: () => spoilJson(json, random),
  });
  const header = Buffer.from(JSON.stringify(json));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  return { bytes: Buffer.concat([size, header, buffer.subarray(end)]), how };
}

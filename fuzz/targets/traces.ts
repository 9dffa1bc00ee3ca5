/** Trace files, which the editor reads in its own process: none may abort it, hang it or fill its memory. */
import { readFileSync, writeFileSync } from 'node:fs';
import { encodeSafetensors, parseHeader } from '../../src/formats/safetensors.js';
import { decodeTrace, encodeTrace } from '../../src/trace/file/file.js';
import type { Random } from '../random.js';
import { spoiltBytes } from '../spoil/bytes.js';
import { filesIn, rewrite } from '../spoil/files.js';
import { spoilJson } from '../spoil/json.js';
import { spoiltHeader } from '../spoil/safetensors.js';
import type { Target } from './target.js';

type Json = Record<string, unknown>;

/** Changes the JSON in the container's metadata, and sometimes leaves tensors out. */
function withHeader(file: string, random: Random, change: (header: Json) => string | undefined): string {
  const bytes = readFileSync(file);
  const { metadata, tensors } = parseHeader(bytes, bytes.length);
  const header = JSON.parse(metadata.get('gander-trace')!) as Json;
  const how = change(header) ?? '';
  const kept = [...tensors.values()].filter(() => !random.chance(0.03));
  const inputs = kept.map((tensor) => ({ ...tensor, data: bytes.subarray(tensor.begin, tensor.end) }));
  writeFileSync(file, encodeSafetensors(inputs, { 'gander-trace': JSON.stringify(header) }));
  return how;
}

/** Rewrites the recorded traces, which are of version 1, in the current version. */
function asWrittenToday(folder: string): void {
  for (const file of filesIn(folder, '.safetensors')) writeFileSync(file, encodeTrace(decodeTrace(readFileSync(file))));
}

const many = (random: Random) => random.pick([1000, 32_768, 40_000, 200_000]);

export const traces: Target = {
  name: 'traces',
  runner: 'reader',
  begins: 'traces',
  spoil: (folder, random) => {
    if (random.chance(0.5)) asWrittenToday(folder);
    const file = random.pick(filesIn(folder, '.safetensors'));
    return random.do({
      bytes: () => rewrite(file, (bytes) => spoiltBytes(bytes, random)),
      container: () => rewrite(file, (bytes) => spoiltHeader(bytes, random)),
      header: () => withHeader(file, random, (header) => spoilJson(header, random)),
      'too many': () =>
        withHeader(file, random, (header) => {
          const axis = random.pick(Object.keys(header).filter((key) => Array.isArray(header[key])));
          const first = (header[axis] as unknown[] | undefined)?.[0] ?? '';
          const count = many(random);
          header[axis] = new Array(count).fill(first);
          return `${count} ${axis}`;
        }),
      'a deep header': () =>
        withHeader(file, random, (header) => {
          const [whatIfs = 0, ranges = 0] = random.pick([
            [1, 10_000],
            [100, 1000],
            [1000, 200],
            [5000, 0],
            [5000, 20],
          ]);
          const expert = /"id":"([^"]+)"/.exec(JSON.stringify(header))?.[1] ?? 'a';
          const tokens = Array.from({ length: ranges }, (_, i) => [2 * i, 2 * i + 1]);
          const scope = ranges === 0 ? {} : { tokens };
          header['interventions'] = new Array(whatIfs).fill({ action: 'knock-out', expert, scope });
          return `${whatIfs} what-ifs of ${ranges} ranges`;
        }),
      'a wide choice': () =>
        withHeader(file, random, (header) => {
          const k = random.pick([0, -1, 1e8, 2 ** 53, 0.5]);
          if (header['version'] === 1) header['strategy'] = { name: 'phatgoose', k };
          else for (const block of header['blocks'] as Json[]) block['k'] = k;
          return String(k);
        }),
      'not padded': () =>
        rewrite(file, (bytes) => {
          const buffer = Buffer.from(bytes);
          const end = 8 + buffer.readUInt32LE(0);
          const json = Buffer.from(buffer.toString('utf8', 8, end).trimEnd() + ' '.repeat(random.below(8)));
          const size = Buffer.alloc(8);
          size.writeUInt32LE(json.length);
          return { bytes: Buffer.concat([size, json, buffer.subarray(end)]), how: '' };
        }),
    });
  },
};

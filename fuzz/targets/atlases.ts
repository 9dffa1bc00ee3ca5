/** Atlases, which may come from anybody: opened by the editor, shown and merged by the command line. */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encodeSafetensors, parseHeader } from '../../src/formats/safetensors.js';
import type { Random } from '../random.js';
import { spoiltBytes } from '../spoil/bytes.js';
import { filesIn, linkInstead, rewrite, rewriteJson } from '../spoil/files.js';
import { spoilJson } from '../spoil/json.js';
import { spoiltHeader } from '../spoil/safetensors.js';
import type { Target } from './target.js';

const unit = { stack: null, layer: 0, router: null, expert: 5 };
const names = { format: 'gander-atlas-names', version: 1, names: [{ ...unit, name: 'closing brackets', note: 'why' }] };

export const atlases: Target = {
  name: 'atlases',
  runner: 'reader',
  begins: 'atlas',
  spoil: (folder, random) => {
    const file = (name: string) => path.join(folder, name);
    writeFileSync(file('names.json'), JSON.stringify(names));
    const any = random.pick(filesIn(folder));
    const table = random.pick(filesIn(folder, '.parquet'));
    return random.do({
      bytes: () => rewrite(any, (bytes) => spoiltBytes(bytes, random)),
      footer: () => rewrite(table, (bytes) => spoiltFooter(bytes, random)),
      'about itself': () => rewriteJson(file('atlas.json'), (json) => spoilJson(json, random)),
      names: () => rewriteJson(file('names.json'), (json) => spoilJson(json, random)),
      container: () => rewrite(file('sums.safetensors'), (bytes) => spoiltHeader(bytes, random)),
      sums: () => spoiltSums(file('sums.safetensors'), random),
      'a file gone': () => {
        rmSync(any);
        return path.basename(any);
      },
      'another table': () => {
        copyFileSync(random.pick(filesIn(folder, '.parquet')), table);
        return path.basename(table);
      },
      'a link': () => linkInstead(folder, any, random),
    });
  },
};

/** A Parquet file ends with its metadata, the metadata's length and four letters. Most of it are numbers of one to ten bytes. */
function spoiltFooter(bytes: Uint8Array, random: Random): { readonly bytes: Uint8Array; readonly how: string } {
  const buffer = Buffer.from(bytes);
  const length = buffer.readUInt32LE(buffer.length - 8);
  const start = buffer.length - 8 - length;
  const footer = buffer.subarray(start, start + length);
  const how = random.do({
    'other bytes': () => {
      for (let n = 1 + random.below(3); n > 0; n--) footer[random.below(length)] = random.pick([0, 1, 127, 128, 255]);
    },
    'a large number': () => {
      const at = random.below(length - 10);
      footer.fill(0xff, at, at + random.pick([3, 4, 8, 9]));
    },
    'another length': () => {
      buffer.writeUInt32LE(
        random.pick([0, 1, length - 1, length + 1, bytes.length, 2 ** 31, 2 ** 32 - 1]),
        buffer.length - 8,
      );
    },
  });
  return { bytes: buffer, how };
}

/** Changes what the sums say beside their arrays. */
function spoiltSums(file: string, random: Random): string {
  const bytes = readFileSync(file);
  const { tensors } = parseHeader(bytes, bytes.length);
  let how = '';
  const inputs = [...tensors.values()].map((tensor) => {
    const data = bytes.subarray(tensor.begin, tensor.end);
    if (tensor.name !== 'json') return { ...tensor, data };
    const json: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
    how = spoilJson(json, random);
    const changed = Buffer.from(JSON.stringify(json));
    return { ...tensor, shape: [changed.length], data: changed };
  });
  writeFileSync(file, encodeSafetensors(inputs));
  return how;
}

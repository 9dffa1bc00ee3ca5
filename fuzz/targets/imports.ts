/** Files of other programs, which may contain anything. */
import { rmSync } from 'node:fs';
import type { Random } from '../random.js';
import { spoiltBytes } from '../spoil/bytes.js';
import { filesIn, rewrite } from '../spoil/files.js';
import { anyNumber } from '../spoil/numbers.js';
import { spoiltHeader } from '../spoil/safetensors.js';
import type { Target } from './target.js';

export const imports: Target = {
  name: 'imports',
  runner: 'reader',
  begins: 'imports',
  spoil: (folder, random) => {
    const files = filesIn(folder);
    const file = random.pick(files);
    for (const other of files) if (other !== file) rmSync(other);
    return random.do({
      bytes: () => rewrite(file, (bytes) => spoiltBytes(bytes, random)),
      container: () =>
        rewrite(file, (bytes) =>
          file.endsWith('.safetensors') ? spoiltHeader(bytes, random) : anyNumber(bytes, random),
        ),
      number: () => rewrite(file, (bytes) => anyNumber(bytes, random)),
      lines: () => rewrite(file, (bytes) => otherLines(bytes, random)),
      growth: () => rewrite(file, () => grown(random)),
    });
  },
};

/** A long file of valid lines, to find quadratic time. */
function grown(random: Random): { bytes: Uint8Array; how: string } {
  const count = random.pick([10_000, 300_000, 1_000_000]);
  const of = random.pick([1, 2, 8, 1000, count]);
  let line: (i: number) => string = () => '';
  const how = random.do({
    'pairs of one layer': () => (line = (i) => `0,${i % of}`),
    'pairs of many layers': () => (line = (i) => `${i % of},${i % 8}`),
    'pairs of which none is known': () => (line = () => '0,-1'),
    ranks: () => (line = (i) => `prefill,${Math.floor(i / of)},0,${i % of},${i % of}`),
    'ranks of many texts': () => (line = (i) => `${i % 2 === 0 ? 'prefill' : 'decode'},${i % of},0,0,1`),
    events: () =>
      (line = (i) =>
        JSON.stringify({ event: 'moe_topk', phase: 'prefill', token_index: i % of, layer: 0, experts: [i % 1024] })),
    records: () =>
      (line = (i) =>
        `moe_routing ${JSON.stringify({ node_name: `/layers.${i % of}/moe`, expert_ids: [i % 8], num_rows: 1, top_k: 1 })}`),
  });
  const lines = Array.from({ length: count }, (_, i) => line(i));
  return { bytes: Buffer.from(lines.join('\n')), how: `${how.split(':')[0]!}, ${count} of ${of}` };
}

function otherLines(bytes: Uint8Array, random: Random): { bytes: Uint8Array; how: string } {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  const at = random.below(lines.length);
  const how = random.do({
    'a line gone': () => lines.splice(at, 1),
    'a line twice': () => lines.splice(at, 0, lines[at]!),
    'a line elsewhere': () => lines.splice(random.below(lines.length), 0, ...lines.splice(at, 1)),
    'a line many times': () => lines.splice(at, 0, ...new Array<string>(20_000).fill(lines[at]!)),
    'in another order': () => lines.sort(() => random.below(3) - 1),
  });
  return { bytes: Buffer.from(lines.join('\n'), 'latin1'), how };
}

/** Files that other programs wrote: whoever sends one may have written anything. */
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
    });
  },
};

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

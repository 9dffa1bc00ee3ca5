/**
 * CSV of one choice a line, `phase,token,layer,rank,expert`, with that header or without: what forks of llama.cpp's proposed
 * moe-trace write (https://github.com/ggml-org/llama.cpp/pull/28544; the columns: Cartaz/llama.cpp-vulkan-moe,
 * examples/moe-trace). `token` counts over both phases, `prefill` and `decode`; `rank` is the place among the chosen.
 *
 * What is shown is what the file says. Of a batch's tokens llama.cpp may run its last layer over the last alone, and these
 * tools number that one as the batch's first.
 */
import { Choices } from '../choices.js';
import { firstLine, linesOf, oddLine } from '../lines.js';
import { type Reader } from '../reader.js';
import { noText, severalTexts } from '../unreadable.js';

const header = 'phase,token,layer,rank,expert';
const row = /^(prefill|decode),(\d{1,9}),(\d{1,9}),(\d{1,9}),(-?\d{1,9})$/;

export const llamaRanks: Reader = {
  name: `CSV of ${header}`,
  claims: (first) => {
    const line = firstLine(first).trim();
    return line === header || row.test(line);
  },
  read: (bytes, { part }) => {
    let texts = 0;
    let before = 'decode';
    const choices = new Choices();
    for (const line of linesOf(bytes)) {
      if (line.text === header) continue;
      const [, phase, token, layer, rank, expert] = row.exec(line.text) ?? [];
      if (phase === undefined) throw oddLine(line, `${header}: the file may be cut off`);
      // A text begins with its prefill: such files are put one behind the other.
      if (before === 'decode' && phase === 'prefill') texts++;
      before = phase;
      if (Math.max(1, texts) !== part) continue;
      const site = choices.siteOf(Number(layer), { layer: Number(layer) });
      choices.add(site, Number(token), Number(rank), Number(expert));
    }
    if (choices.isEmpty) throw noText(texts, part);
    return {
      kind: 'llama.cpp',
      ...choices.columns(),
      warnings: texts > 1 ? [severalTexts(texts, part)] : [],
    };
  },
};

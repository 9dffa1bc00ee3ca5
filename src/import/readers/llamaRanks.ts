/**
 * CSV with one choice per line, `phase,token,layer,rank,expert`, with or without that header, as forks of llama.cpp's proposed
 * moe-trace write it (https://github.com/ggml-org/llama.cpp/pull/28544; the columns: Cartaz/llama.cpp-vulkan-moe,
 * examples/moe-trace). `token` counts over both phases, `prefill` and `decode`; `rank` is the place among the chosen.
 *
 * Gander shows what the file says. llama.cpp may run its last layer over a batch's last token only, and these tools number
 * that token as the batch's first.
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
      // A text begins with its prefill: a file may have several texts, one after another.
      if (before === 'decode' && phase === 'prefill') texts++;
      before = phase;
      if (Math.max(1, texts) !== part) continue;
      const module = choices.moduleOf(Number(layer), { layer: Number(layer) });
      choices.add(module, Number(token), Number(rank), Number(expert));
    }
    if (choices.isEmpty) throw noText(texts, part);
    return {
      kind: 'llama.cpp',
      ...choices.columns(),
      warnings: texts > 1 ? [severalTexts(texts, part)] : [],
    };
  },
};

/** A trace as CSV (RFC 4180): one row for each token, module and chosen expert. */
import { affinitiesAt, chosenOffset, isSpecial, type ModuleFilter, modulesOf } from './access.js';
import { certaintyAt } from './distribution.js';
import { tokenText } from './label.js';
import type { Trace } from './trace.js';

const columns = [
  'token',
  'id',
  'text',
  'start',
  'end',
  'special',
  'log_prob',
  'module',
  'layer',
  'kind',
  'entropy',
  'margin',
  'rank',
  'expert',
  'expert_name',
  'affinity',
  'weight',
  'contribution',
] as const;

/** A number as short as float32 allows; empty where there is none. */
function number(x: number | undefined): string {
  return x === undefined || Number.isNaN(x) ? '' : String(Number(x.toPrecision(8)));
}

/**
 * Text, always quoted. A spreadsheet takes a cell that begins so for a formula, quoted or not; an apostrophe before it
 * keeps it text (OWASP, "CSV Injection"). The id column still tells the token exactly.
 */
export function csvText(text: string): string {
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** Lines with their ends, the column names first; a cell where nothing was chosen has one row without an expert. */
export function* csvLines(trace: Trace, filter: ModuleFilter = {}): Generator<string> {
  yield `${columns.join(',')}\r\n`;
  const modules = modulesOf(trace, filter);
  for (let t = 0; t < trace.done; t++) {
    const token = [
      t,
      trace.tokens.ids[t]!,
      csvText(tokenText(trace, t)),
      trace.tokens.start[t]!,
      trace.tokens.end[t]!,
      isSpecial(trace, t) ? 1 : 0,
      number(trace.logProb?.[t]),
    ].join(',');
    for (const m of modules) {
      const { path, layer, kind } = trace.modules[m]!;
      const { entropy, margin } = certaintyAt(trace, m, t);
      const cell = [csvText(path), layer, csvText(kind), number(entropy), number(margin)].join(',');
      const affinities = affinitiesAt(trace, m, t);
      const at = chosenOffset(trace, m, t);
      for (let rank = 0; rank < Math.max(1, trace.k); rank++) {
        const e = trace.chosen[at + rank] ?? -1;
        if (e < 0 || trace.k === 0) {
          if (rank === 0) yield `${token},${cell},,,,,,\r\n`;
          continue;
        }
        const expert = trace.experts[e]!;
        const values = [affinities?.[e], trace.weight[at + rank], trace.contribution?.[at + rank]].map(number);
        yield `${token},${cell},${rank + 1},${csvText(expert.id)},${csvText(expert.name)},${values.join(',')}\r\n`;
      }
    }
  }
}

/** The whole as one string; for long traces take `csvLines`. */
export function toCsv(trace: Trace, filter: ModuleFilter = {}): string {
  return [...csvLines(trace, filter)].join('');
}

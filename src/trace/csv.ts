/** A trace as CSV (RFC 4180): one row for each token, site and chosen expert. */
import { chosenCount, isSpecial, type Rows, rowsAt, type SiteFilter, sitesOf } from './access.js';
import { certaintyAt } from './distribution.js';
import { tokenText } from './label.js';
import { selectionScores } from './selection.js';
import type { Sequence, Trace } from './trace.js';

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
  'sequence',
  'stack',
  'selection',
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
export function* csvLines(trace: Trace, filter: SiteFilter = {}): Generator<string> {
  yield `${columns.join(',')}\r\n`;
  for (const [i, sequence] of trace.sequences.entries()) {
    if (filter.sequence !== undefined && filter.sequence !== i) continue;
    const sites = Array.from(sitesOf(trace, { ...filter, sequence: i }), (s) => rowsAt(trace, s));
    for (let t = 0; t < sequence.done; t++) yield* tokenLines(trace, sequence, sites, t);
  }
}

function* tokenLines(trace: Trace, sequence: Sequence, sites: readonly Rows[], t: number): Generator<string> {
  const { tokens, role, logProb } = sequence;
  const token = [
    t,
    tokens.ids?.[t] ?? '',
    csvText(tokenText(sequence, t)),
    tokens.start?.[t] ?? '',
    tokens.end?.[t] ?? '',
    isSpecial(sequence, t) ? 1 : 0,
    number(logProb?.[t]),
  ].join(',');
  for (const rows of sites) {
    const { path, layer, kind, stack } = rows.site;
    const { entropy, margin } = certaintyAt(trace, rows, t);
    const cell = [csvText(path), layer, csvText(kind), number(entropy), number(margin)].join(',');
    const place = [role, stack ?? ''].join(',');
    const scores = rows.score?.subarray(t * rows.experts, (t + 1) * rows.experts);
    const compared = selectionScores(rows, t);
    const at = t * rows.k;
    if (chosenCount(rows, t) === 0) yield `${token},${cell},,,,,,,${place},\r\n`;
    for (let rank = 0; rank < rows.k; rank++) {
      const e = rows.chosen[at + rank]!;
      if (e < 0) continue;
      const expert = rows.set.experts[e]!;
      const values = [scores?.[e], rows.weight?.[at + rank], rows.contribution?.[at + rank]].map(number);
      const own = [rank + 1, csvText(expert.id), csvText(expert.name), ...values].join(',');
      yield `${token},${cell},${own},${place},${number(compared?.[e])}\r\n`;
    }
  }
}

/** The whole as one string; for long traces take `csvLines`. */
export function toCsv(trace: Trace, filter: SiteFilter = {}): string {
  return [...csvLines(trace, filter)].join('');
}

/** A trace as CSV (RFC 4180): one row per token, or one per token, module and chosen expert. */
import {
  chosenCount,
  isSpecial,
  type Rows,
  rowsAt,
  type SharedModules,
  sharedModules,
  type ModuleFilter,
  modulesOf,
} from '../model/access.js';
import { certaintyAt, certaintyByToken } from '../figures/distribution.js';
import { scoreName, shown, tokenText } from '../text/label.js';
import { ranked, tokenShares } from '../figures/leaders.js';
import { selectionScores } from '../model/selection.js';
import type { Sequence, Trace } from '../model/trace.js';

const tokenColumns = ['token', 'id', 'text', 'start', 'end', 'special', 'log_prob'] as const;

const columnsOf = (trace: Trace): string[] => [
  ...tokenColumns,
  'module',
  'layer',
  'kind',
  'entropy',
  'margin',
  'rank',
  'expert',
  'expert_name',
  scoreName(trace) === 'affinity' ? 'affinity' : 'router_logit',
  'weight',
  'contribution',
  'sequence',
  'stack',
  'selection',
];

/** A number as short as float32 allows; empty if unknown. */
function number(x: number | undefined): string {
  return x === undefined || Number.isNaN(x) ? '' : String(Number(x.toPrecision(8)));
}

/**
 * Text, always quoted. A spreadsheet takes a cell that begins with certain characters for a formula, quoted or not; an
 * apostrophe before it keeps it text (OWASP, "CSV Injection"). The id column still identifies the token exactly.
 */
export function csvText(text: string): string {
  const plain = shown(text);
  const safe = /^[=+\-@\t\n＝＋－＠]/.test(plain) ? `'${plain}` : plain;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** The columns of a token that do not depend on a module. */
function tokenCells(sequence: Sequence, t: number): string {
  const { tokens, logProb } = sequence;
  return [
    t,
    tokens.ids?.[t] ?? '',
    csvText(tokenText(sequence, t)),
    tokens.start?.[t] ?? '',
    tokens.end?.[t] ?? '',
    isSpecial(sequence, t) ? 1 : 0,
    number(logProb?.[t]),
  ].join(',');
}

/** One line per token, with means over the modules and the three leading experts; these are empty if the modules do not share their experts. */
export function* tokenLines(trace: Trace): Generator<string> {
  const own = ['expert', 'share', 'second', 'second_share', 'third', 'third_share'];
  yield `${[...tokenColumns, 'entropy', 'margin', ...own, 'sequence'].join(',')}\r\n`;
  for (const [i, sequence] of trace.sequences.entries()) {
    const modules = sharedModules(trace, { sequence: i });
    const { entropy, margin } = certaintyByToken(trace, { sequence: i });
    for (let t = 0; t < sequence.done; t++) {
      const cells = [tokenCells(sequence, t), number(entropy[t]), number(margin[t])];
      yield `${[...cells, ...leadingCells(trace, modules, t), sequence.role].join(',')}\r\n`;
    }
  }
}

function leadingCells(trace: Trace, modules: SharedModules | undefined, t: number): string[] {
  const shares = modules && tokenShares(trace, modules, t);
  const leading = shares ? ranked(shares) : [];
  return [0, 1, 2].flatMap((i) => {
    const e = leading[i];
    return e === undefined ? ['', ''] : [csvText(modules!.experts[e]!.id), number(shares![e])];
  });
}

/** Lines with line ends, the column names first. A cell in which no expert was chosen gets one row without an expert. */
export function* cellLines(trace: Trace, filter: ModuleFilter = {}): Generator<string> {
  yield `${columnsOf(trace).join(',')}\r\n`;
  for (const [i, sequence] of trace.sequences.entries()) {
    if (filter.sequence !== undefined && filter.sequence !== i) continue;
    const modules = Array.from(modulesOf(trace, { ...filter, sequence: i }), (s) => rowsAt(trace, s));
    for (let t = 0; t < sequence.done; t++) yield* linesOfToken(trace, sequence, modules, t);
  }
}

function* linesOfToken(trace: Trace, sequence: Sequence, modules: readonly Rows[], t: number): Generator<string> {
  const { role } = sequence;
  const token = tokenCells(sequence, t);
  for (const rows of modules) {
    const { path, layer, kind, stack } = rows.module;
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

/** The rows of an atlas that the terminal and tools show; each formats names its own way. */
import { decimal, percent, signed } from '../trace/text/label.js';
import { number, word } from './tables/cells.js';
import type { Row } from './tables/table.js';

export function intervalText(row: Row, form: (x: number) => string): string {
  return between(row, ['low', 'high'], form);
}

function between(row: Row, [low, high]: readonly [string, string], form: (x: number) => string): string {
  return Number.isNaN(number(row, low))
    ? 'too few documents'
    : `${form(number(row, low))} to ${form(number(row, high))}`;
}

/** Rows of `labels`, the largest lifts first. */
export function byLift(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => (number(b, 'lift') || -Infinity) - (number(a, 'lift') || -Infinity));
}

export const liftHead = ['share', 'lift', '95 % interval', 'q', ''] as const;

export function liftCells(row: Row): string[] {
  return [
    percent(number(row, 'share')),
    signed(number(row, 'lift'), 2),
    intervalText(row, (x) => signed(x, 2)),
    decimal(number(row, 'q'), 3),
    row['specialised'] === true ? 'specialised' : '',
  ];
}

export const ablationHead = [
  'knocked out at',
  'tokens',
  'contexts',
  'change of log p',
  'another expert',
  'difference',
  '95 % interval',
  'q',
  '',
] as const;

export function ablationCells(row: Row): string[] {
  return [
    word(row, 'kind'),
    word(row, 'effect'),
    String(number(row, 'contexts')),
    signed(number(row, 'change'), 3),
    signed(number(row, 'matched'), 3),
    signed(number(row, 'difference'), 3),
    between(row, ['differenceLow', 'differenceHigh'], (x) => signed(x, 3)),
    decimal(number(row, 'q'), 3),
    row['hurts'] === true ? 'hurts' : row['hurts'] === false ? 'no more than others' : '',
  ];
}

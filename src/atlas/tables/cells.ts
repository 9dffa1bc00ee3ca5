/** Cells of rows that were read from a file or sent: whatever is no number there is unknown. */
import type { Row } from './table.js';

export function number(row: Row | undefined, name: string): number {
  const cell = row?.[name];
  return typeof cell === 'number' ? cell : NaN;
}

export function word(row: Row | undefined, name: string): string {
  const cell = row?.[name];
  return typeof cell === 'string' ? cell : '';
}

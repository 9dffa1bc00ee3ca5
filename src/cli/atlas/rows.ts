/** The cells of an atlas's rows, as they are printed. */
import { layerName } from '../../atlas/layout.js';
import type { Row } from '../../atlas/tables/table.js';

export const number = (row: Row, name: string) => (typeof row[name] === 'number' ? row[name] : NaN);
export const word = (row: Row, name: string) => (typeof row[name] === 'string' ? row[name] : '');

export const layerOf = (row: Row) =>
  layerName({ stack: (row['stack'] ?? null) as 'encoder' | 'decoder' | null, layer: row['layer'] as number | null });

/** How an atlas's rows are named when they are printed. */
import { layerName } from '../../atlas/layout.js';
import type { Row } from '../../atlas/tables/table.js';

export const layerOf = (row: Row) =>
  layerName({ stack: (row['stack'] ?? null) as 'encoder' | 'decoder' | null, layer: row['layer'] as number | null });

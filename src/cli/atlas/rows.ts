/** How an atlas's rows are named when they are printed. */
import { layerName } from '../../atlas/layout.js';
import { layerKeyIn } from '../../atlas/tables/cells.js';
import type { Row } from '../../atlas/tables/table.js';

export const layerOf = (row: Row) => layerName(layerKeyIn(row));

/** The line map as a table with the same rows and columns. */
import { TableBox } from '../components/table.js';
import { t } from '../look/strings.js';
import { cellWords, columnName, rowName } from './words.js';
import type { GridScene } from './scene.js';

export function LinesTable({ scene }: { readonly scene: GridScene }) {
  const [trace, raster, labels] = [scene.trace.value, scene.raster.value, scene.labels.value];
  if (!trace || !raster) return null;
  const row = (column: number) => [
    columnName(raster, column, labels),
    ...raster.rows.map((_, r) => cellWords(raster, { column, row: r })),
  ];
  const head = [t('lineHead'), ...raster.rows.map((one) => rowName(trace, one))];
  return (
    <div class="gridTable">
      <TableBox rows={{ head, count: raster.columns.count, row }} caption={t('lineTable')} />
    </div>
  );
}

/** The line map as a table with the same rows and columns. */
import { TableBox } from '../components/table.js';
import { t } from '../look/strings.js';
import type { Place } from './geometry.js';
import { rowMark } from './gutters.js';
import type { Raster } from './model.js';
import { cellMark, cellWords, columnName, rowName } from './words.js';
import type { GridScene } from './scene.js';

/** As short as can be, so that many columns have room; its words are for the pointer and for screen readers. */
function Cell({ raster, at }: { readonly raster: Raster; readonly at: Place }) {
  const words = cellWords(raster, at);
  return (
    <span class="mark" title={words}>
      <span aria-hidden="true">{cellMark(raster, at)}</span>
      <span class="unseen">{words}</span>
    </span>
  );
}

export function LinesTable({ scene }: { readonly scene: GridScene }) {
  const [trace, raster, labels] = [scene.trace.value, scene.raster.value, scene.labels.value];
  if (!trace || !raster) return null;
  const row = (column: number) => [
    columnName(raster, column, labels),
    ...raster.rows.map((_, r) => <Cell raster={raster} at={{ column, row: r }} />),
  ];
  const head = [t('lineHead'), ...raster.rows.map(rowMark)];
  const meanings = [t('lineHead'), ...raster.rows.map((one) => rowName(trace, one))];
  return (
    <div class="gridTable">
      <TableBox rows={{ head, meanings, count: raster.columns.count, row }} caption={t('lineTable')} />
    </div>
  );
}

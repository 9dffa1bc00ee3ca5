/** The map of an atlas as a figure that is saved. Pure. */
import type { CellMark, HeatPlot } from '../../src/paper/plot.js';
import { unitId } from '../../src/protocol/atlas.js';
import { quiet } from '../../src/look/palette.js';
import { shortLabelsOf } from '../../src/look/shortLabels.js';
import { plainName } from '../look/names.js';
import { signed, t } from '../look/strings.js';
import type { Coloured, Mark } from './colouring.js';
import { rowMark } from './mapShapes.js';
import type { Atlas, FoundUnits } from './model.js';
import { saidMarks, saidMeasure } from './said.js';

const drawnAs: Readonly<Record<Mark, CellMark>> = { dead: 'cross', overloaded: 'triangle', found: 'dot' };

function scaleOf({ most, isCut }: Coloured): NonNullable<HeatPlot['scale']> {
  const [low, high] = [-most, most].map((end) => signed(end, most < 0.1 ? 3 : 2)) as [string, string];
  return isCut
    ? { most, weak: t('atlasOrLess', low), strong: t('atlasOrMore', high) }
    : { most, weak: low, strong: high };
}

export function mapPlot(atlas: Atlas, coloured: Coloured, found: FoundUnits | undefined): HeatPlot {
  const { layers, columns, isPool } = atlas;
  const widest = layers.reduce((most, layer) => (layer.units.length > most.units.length ? layer : most));
  const shortLabels = shortLabelsOf(widest.set.experts);
  const marksAt = (row: number, column: number): CellMark[] => {
    const unit = layers[row]!.units[column]!;
    const mark = coloured.markOf(unit);
    return [
      ...(mark ? [drawnAs[mark]] : Number.isNaN(coloured.valueOf(unit)) ? (['stroke'] as const) : []),
      ...(found?.units.has(unitId(unit.key)) ? (['frame'] as const) : []),
    ];
  };
  const means: [CellMark, string][] = saidMarks(coloured).map(([mark, words]) => [drawnAs[mark], words]);
  means.push(['stroke', t('atlasUnknown')]);
  if (found && found.units.size > 0) means.push(['frame', t('atlasFoundTitle', found.text)]);
  const places = layers.flatMap(({ units }, row) => units.flatMap((_, column) => marksAt(row, column)));
  return {
    kind: 'heat',
    rowTitle: t('layerHead'),
    rows: layers.map(rowMark),
    columnTitle: t('expert'),
    columns: Array.from({ length: columns }, (_, e) =>
      isPool ? { name: plainName(widest.set, e), shortLabel: shortLabels[e]!, slot: quiet } : String(e),
    ),
    value: saidMeasure(coloured),
    values: layers.map(({ units }) => units.map(coloured.valueOf)),
    scale: scaleOf(coloured),
    marks: { means: means.filter(([mark]) => places.includes(mark)), of: marksAt },
  };
}

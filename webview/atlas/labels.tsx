/** In which labels a unit is chosen more often than overall, and whether that passes the test. */
import { number, word } from '../../src/atlas/tables/cells.js';
import { percent, t } from '../look/strings.js';
import { byLift, liftOf, type Unit } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { saidFound, saidInterval, saidLift, saidQ, saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { Terms } from './terms.js';

export function Labels({ unit }: { readonly unit: Unit }) {
  const title = t('atlasLabels');
  if (unit.labels.length < 2)
    return (
      <AtlasPart name="atlasLabels" title={title} sheet={undefined}>
        <p class="faint">{t('atlasNoLabels')}</p>
      </AtlasPart>
    );
  const sheet: Sheet = {
    name: `${saidUnit(unit)} labels`,
    title: `${saidUnit(unit)}: ${title}`,
    head: [t('atlasLabel'), t('atlasFound'), t('atlasLift'), t('interval'), t('atlasQ'), t('share'), t('atlasHalves')],
    rows: byLift(unit),
    cells: (row) => [
      word(row, 'label'),
      saidFound(unit, row),
      saidLift(liftOf(unit, row)),
      saidInterval(row, saidLift),
      saidQ(number(row, 'q')),
      percent(number(row, 'share')),
      t('inSequence', saidLift(number(row, 'firstHalf')), saidLift(number(row, 'secondHalf'))),
    ],
    bar: {
      head: t('atlasLiftBar'),
      measures: { title: t('atlasLift'), unit: 'log2' },
      of: (row) => ({ value: liftOf(unit, row), low: number(row, 'low'), high: number(row, 'high') }),
    },
  };
  return (
    <AtlasPart name="atlasLabels" title={title} caption={t('atlasLabelsCaption')} sheet={sheet}>
      <SheetTable sheet={sheet} />
      <Terms of={['found', 'q', 'halves']} />
    </AtlasPart>
  );
}

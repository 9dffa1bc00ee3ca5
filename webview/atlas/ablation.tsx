/** What it costs to take a unit away where it is chosen, beside another expert. */
import { number, unitKeyIn } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { unitId } from '../../src/protocol/atlas.js';
import { signed, t, whole } from '../look/strings.js';
import type { Unit } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { saidInterval, saidQ, saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { Terms } from './terms.js';
import { useAtlas } from './store.js';

export function Ablation({ unit }: { readonly unit: Unit }) {
  // All units' rows: the overview has asked for them already.
  const all = useAtlas().rows('ablations', {});
  const rows = all?.filter((row) => unitId(unitKeyIn(row)) === unitId(unit.key)) ?? [];
  const title = t('atlasAblation');
  return (
    <AtlasPart
      name="atlasAblation"
      title={title}
      caption={t('atlasAblationCaption')}
      sheet={rows.length > 0 ? sheetOf(unit, rows) : undefined}
    >
      {!all && <p class="faint">{t('atlasLoading')}</p>}
      {all && rows.length === 0 && <p class="faint">{t('atlasAblationNone')}</p>}
      {rows.length > 0 && (
        <>
          <p class="sentence">{verdict(rows)}</p>
          <SheetTable sheet={sheetOf(unit, rows)} />
          <Terms of={['q']} />
        </>
      )}
    </AtlasPart>
  );
}

function verdict(rows: readonly Row[]): string {
  const hurts = rows.filter((row) => row['hurts'] === true);
  if (hurts.length > 0) return t('atlasHurtsAt', hurts.map(saidPlace).join('; '));
  return t(rows.every((row) => row['hurts'] === null) ? 'atlasHurtsUnknown' : 'atlasHurtsNone');
}

const saidPlace = (row: Row): string =>
  t(
    'atlasKnockedOut',
    t(row['kind'] === 'top' ? 'atlasContexts_top' : 'atlasContexts_random'),
    t(row['effect'] === 'next' ? 'atlasEffect_next' : 'atlasEffect_later'),
  );

function sheetOf(unit: Unit, rows: readonly Row[]): Sheet {
  return {
    name: `${saidUnit(unit)} ablation`,
    title: `${saidUnit(unit)}: ${t('atlasAblation')}`,
    head: [
      t('atlasKnockedOutAt'),
      t('atlasHurts'),
      t('atlasDifference'),
      t('interval'),
      t('atlasQ'),
      t('atlasChange'),
      t('atlasMatched'),
      t('atlasDocuments'),
    ],
    rows,
    cells: (row) => [
      saidPlace(row),
      row['hurts'] === true ? t('atlasYes') : row['hurts'] === false ? t('atlasNo') : '–',
      signed(number(row, 'difference'), 3),
      saidInterval(row, (x) => signed(x, 3), 'differenceLow', 'differenceHigh'),
      saidQ(number(row, 'q')),
      signed(number(row, 'change'), 3),
      signed(number(row, 'matched'), 3),
      whole(number(row, 'documents')),
    ],
    bar: {
      head: t('atlasDifferenceBar'),
      measures: { title: t('atlasDifference'), unit: 'nats' },
      of: (row) => ({
        value: number(row, 'difference'),
        low: number(row, 'differenceLow'),
        high: number(row, 'differenceHigh'),
      }),
    },
  };
}

/** Who is chosen with a unit, and who follows it in the next layer. */
import { number } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { fixed, t, whole } from '../look/strings.js';
import { UnitLink } from './links.js';
import type { Unit } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { saidLift, saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { useAtlas } from './store.js';

export function Pairs({ unit }: { readonly unit: Unit }) {
  const store = useAtlas();
  const atlas = store.atlas.value!;
  const { expert, ...place } = unit.key;
  const rows = store.rows('pairs', place);
  const title = t('atlasPairs');
  const together = (rows ?? []).filter(
    (row) => row['kind'] === 'together' && (row['a'] === expert || row['b'] === expert),
  );
  const following = (rows ?? []).filter((row) => row['kind'] === 'next layer' && row['a'] === expert);
  const otherOf = (row: Row): Unit | undefined =>
    row['kind'] === 'together'
      ? unit.layer.units[number(row, row['a'] === expert ? 'b' : 'a')]
      : atlas.after(unit.layer)?.units[number(row, 'b')];
  const lists = [
    { kind: 'together', own: together },
    { kind: 'following', own: following },
  ] as const;
  const all = [...together, ...following];
  return (
    <AtlasPart
      name="atlasPairs"
      title={title}
      caption={t('atlasPairsCaption')}
      sheet={sheetOf(unit, all, title, otherOf)}
    >
      {!rows && <p class="faint">{t('atlasLoading')}</p>}
      <div class="beside">
        {rows &&
          lists.map(({ kind, own }) => {
            const name = t(`atlasPairs_${kind}`);
            return (
              <section key={kind}>
                <h4>{name}</h4>
                {own.length === 0 ? (
                  <p class="faint">{t(`atlasPairsNone_${kind}`)}</p>
                ) : (
                  <SheetTable
                    sheet={sheetOf(unit, own, name, otherOf)}
                    first={(row) => {
                      const other = otherOf(row);
                      return other && <UnitLink unit={other} />;
                    }}
                  />
                )}
              </section>
            );
          })}
      </div>
    </AtlasPart>
  );
}

function sheetOf(unit: Unit, rows: readonly Row[], title: string, otherOf: (row: Row) => Unit | undefined): Sheet {
  return {
    name: `${saidUnit(unit)} pairs`,
    title: `${saidUnit(unit)}: ${title}`,
    head: [t('atlasUnit'), t('atlasCount'), t('atlasExpected'), t('atlasLift')],
    rows,
    cells: (row) => {
      const other = otherOf(row);
      return [
        other ? saidUnit(other) : '–',
        whole(number(row, 'count')),
        fixed(number(row, 'expected'), 1),
        saidLift(number(row, 'lift')),
      ];
    },
    bar: {
      head: t('atlasMoreBar'),
      measures: { title: t('atlasLift'), unit: 'log2' },
      of: (row) => ({ value: number(row, 'lift') }),
    },
  };
}

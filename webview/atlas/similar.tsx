/** Which experts of a pool are most alike to a unit's, and which least, as Compare Experts measures it. */
import { useEffect } from 'preact/hooks';
import { number, unitKeyIn } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { unitId } from '../../src/protocol/atlas.js';
import { Button } from '../components/controls.js';
import { fixed, t } from '../look/strings.js';
import { UnitLink } from './links.js';
import type { Unit } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { useAtlas } from './store.js';

/** As many of the nearest, and of the farthest. */
const most = 4;

export function Similar({ unit }: { readonly unit: Unit }) {
  const store = useAtlas();
  const all = store.similar.value;
  const rows = all.get(unitId(unit.key));
  // Asked for once, it is there for every expert.
  useEffect(() => {
    if (!rows && all.size > 0) void store.findSimilar(unit.key);
  }, [unit]);
  const sorted = [...(rows ?? [])].sort((a, b) => likeness(b) - likeness(a));
  const isAll = sorted.length <= 2 * most;
  const lists = isAll
    ? ([['all', sorted]] as const)
    : ([
        ['nearest', sorted.slice(0, most)],
        ['farthest', sorted.slice(-most).reverse()],
      ] as const);
  const title = t('atlasSimilar');
  return (
    <AtlasPart
      name="atlasSimilar"
      title={title}
      caption={t('atlasSimilarCaption')}
      sheet={rows && sheetOf(unit, sorted, title)}
    >
      {!rows ? (
        <p>
          <Button press={() => void store.findSimilar(unit.key)} data-focus="similar">
            {t(store.isComparing.value ? 'atlasComparing' : 'atlasSimilarFind')}
          </Button>
        </p>
      ) : (
        <>
          <div class="beside">
            {lists.map(([kind, own]) => (
              <section key={kind}>
                {kind !== 'all' && <h4>{t(`atlasSimilar_${kind}`)}</h4>}
                <SheetTable
                  sheet={sheetOf(unit, own, t(`atlasSimilar_${kind}`))}
                  first={(row) => <UnitLink unit={store.atlas.value!.unit(unitKeyIn(row))!} />}
                />
              </section>
            ))}
          </div>
          <p>
            <Button class="link" press={() => store.compareExperts()} data-focus="compare-experts">
              {t('atlasCompareExperts')}
            </Button>
          </p>
        </>
      )}
    </AtlasPart>
  );
}

/** By the gate, which decides where tokens go; by the adapter where there is no gate. */
function likeness(row: Row): number {
  const [gate, adapter] = [number(row, 'gate'), number(row, 'adapter')];
  return Number.isNaN(gate) ? (Number.isNaN(adapter) ? -Infinity : adapter) : gate;
}

function sheetOf(unit: Unit, rows: readonly Row[], title: string): Sheet {
  return {
    name: `${saidUnit(unit)} similar`,
    title: `${saidUnit(unit)}: ${title}`,
    head: [t('atlasUnit'), t('byGate'), t('byAdapter')],
    rows,
    cells: (row) => [
      saidUnit({ ...unit, key: unitKeyIn(row) }),
      fixed(number(row, 'gate'), 3),
      fixed(number(row, 'adapter'), 3),
    ],
  };
}

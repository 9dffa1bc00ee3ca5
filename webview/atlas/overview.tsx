/** All units at once: the map, what colours it, and each layer's numbers. */
import { useMemo } from 'preact/hooks';
import { number, unitKeyIn } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { unitId } from '../../src/protocol/atlas.js';
import { Button, classes, Field, Icon, Select, type Option } from '../components/controls.js';
import { fixed, percent, t } from '../look/strings.js';
import { type Coloured, colouredBy, colourings, type Colouring } from './colouring.js';
import { Layers } from './layers.js';
import { Legend } from './legend.js';
import { UnitLink, useName } from './links.js';
import { UnitMap } from './map.js';
import { mapPlot } from './mapPlot.js';
import { type Atlas, costRow, foundLabel, liftOf, type Unit } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { besideChance, saidColour, saidInterval, saidLift, saidUnit } from './said.js';
import { Found, Search } from './search.js';
import type { Sheet } from './sheet.js';
import { useAtlas } from './store.js';

export function Overview({ atlas }: { readonly atlas: Atlas }) {
  const store = useAtlas();
  const { by, label: asked, tables } = store.looking.value;
  const label = atlas.labels.includes(asked) ? asked : (atlas.labels[0] ?? '');
  const ablations = store.rows('ablations', {});
  const named = useName();
  const found = store.found.value;
  const coloured = useMemo(() => colouredBy(atlas, { by, label }, ablations ?? []), [atlas, by, label, ablations]);
  const costs = useMemo(() => costsOf(ablations ?? []), [ablations]);
  const say = (unit: Unit) => `${named(unit)}: ${saidColour(coloured, unit, costs(unit))}`;
  const title = by === 'lift' ? t('atlasBy_liftOf', label) : t(`atlasBy_${by}`);
  const sheet = unitsSheet(atlas, coloured, title, costs);
  const isTable = tables.includes('map');
  const lit = found?.units ?? none;
  return (
    <>
      <div class="controls">
        <ColourChoice atlas={atlas} label={label} hasAblations={(ablations ?? []).length > 0} />
        <Search atlas={atlas} />
      </div>
      <Found atlas={atlas} />
      <div class={classes('overviewParts', atlas.columns > mostBeside && 'wide')}>
        <AtlasPart
          name={`atlas_${by}`}
          title={title}
          hint={t('atlasMapHint')}
          caption={t(atlas.isPool ? 'atlasMapCaptionPool' : 'atlasMapCaption', t(`atlasCaption_${by}`, label))}
          sheet={sheet}
          plot={isTable ? undefined : () => mapPlot(atlas, coloured, found)}
          control={
            <Button
              press={() => store.look({ tables: isTable ? tables.filter((one) => one !== 'map') : [...tables, 'map'] })}
              class="tool"
              aria-pressed={isTable}
              aria-label={`${t('asTable')}: ${title}`}
              title={t(isTable ? 'asChart' : 'asTable')}
              data-focus="table-map"
            >
              <Icon name="table" />
            </Button>
          }
        >
          {isTable ? (
            <SheetTable sheet={sheet} first={(row) => <UnitLink unit={atlas.unit(unitKeyIn(row))!} />} />
          ) : (
            <>
              <Legend coloured={coloured} />
              <UnitMap atlas={atlas} coloured={coloured} lit={lit} say={say} />
            </>
          )}
        </AtlasPart>
        <Layers atlas={atlas} />
      </div>
    </>
  );
}

/** With more columns, the map needs the page's whole width. */
const mostBeside = 24;

const none: ReadonlySet<string> = new Set();

function ColourChoice({
  atlas,
  label,
  hasAblations,
}: {
  readonly atlas: Atlas;
  readonly label: string;
  readonly hasAblations: boolean;
}) {
  const store = useAtlas();
  const { by } = store.looking.value;
  const reasons: Partial<Record<Colouring, string>> = {
    ...(atlas.labels.length < 2 && { lift: t('atlasNoLabels'), specialisation: t('atlasNoLabels') }),
    ...(!hasAblations && { ablation: t('atlasNoAblations') }),
  };
  return (
    <div class="choice">
      <Field label={t('colourBy')}>
        <Select
          label={t('colourBy')}
          value={by}
          options={colourings.map((one): Option => [one, t(`atlasBy_${one}`), reasons[one]])}
          change={(value) => store.look({ by: value as Colouring })}
          data-focus="colour-by"
        />
      </Field>
      {by === 'lift' && (
        <Select
          label={t('atlasLabel')}
          value={label}
          options={atlas.labels.map((one): Option => [one, one])}
          change={(value) => store.look({ label: value })}
          data-focus="colour-label"
        />
      )}
    </div>
  );
}

/** By unit. */
function costsOf(ablations: readonly Row[]): (unit: Unit) => readonly Row[] {
  const all = new Map<string, Row[]>();
  for (const row of ablations) {
    const id = unitId(unitKeyIn(row));
    all.set(id, [...(all.get(id) ?? []), row]);
  }
  return ({ key }) => all.get(unitId(key)) ?? [];
}

/** The map's own numbers, a row per unit. */
function unitsSheet(
  atlas: Atlas,
  { by, label }: Coloured,
  title: string,
  costs: (unit: Unit) => readonly Row[],
): Sheet {
  const unitOf = (row: Row) => atlas.unit(unitKeyIn(row))!;
  const named = (row: Row) => saidUnit(unitOf(row));
  const rows = atlas.units.map(({ row }) => row);
  const common = { name: `units ${by}`, title, rows };
  const withDead = (row: Row) => (row['dead'] === true ? t('atlasDead') : '');
  switch (by) {
    case 'load':
      return {
        ...common,
        head: [t('atlasUnit'), t('usage'), t('chance'), t('interval'), t('atlasDeadHead')],
        cells: (row) => [
          named(row),
          percent(number(row, 'load')),
          percent(number(row, 'chance')),
          saidInterval(row, percent),
          withDead(row),
        ],
      };
    case 'lift':
      return {
        ...common,
        name: `units lift ${label}`,
        rows: atlas.units.flatMap(({ labels }) => labels.filter((row) => row['label'] === label)),
        head: [t('atlasUnit'), t('share'), t('atlasLift'), t('interval'), t('atlasFound')],
        cells: (row) => [
          named(row),
          percent(number(row, 'share')),
          saidLift(liftOf(unitOf(row), row)),
          saidInterval(row, (x) => saidLift(x)),
          row['specialised'] === true ? t('atlasYes') : '',
        ],
      };
    case 'specialisation':
      return {
        ...common,
        head: [t('atlasUnit'), t('atlasBy_specialisation'), t('atlasLabel')],
        cells: (row) => [named(row), besideChance(row, 'specialisation'), foundLabel(unitOf(row))],
      };
    case 'entropy':
      return {
        ...common,
        head: [t('atlasUnit'), t('loadEntropy'), t('atlasDeadHead')],
        cells: (row) => [named(row), besideChance(unitOf(row).layer.row, 'entropy'), withDead(row)],
      };
    case 'ablation':
      return {
        ...common,
        rows: atlas.units.flatMap((unit) => {
          const cost = costRow(costs(unit));
          return cost ? [cost] : [];
        }),
        head: [t('atlasUnit'), t('atlasDifference'), t('interval'), t('atlasHurts')],
        cells: (row) => [
          named(row),
          fixed(number(row, 'difference'), 3),
          saidInterval(row, (x) => fixed(x, 3), 'differenceLow', 'differenceHigh'),
          row['hurts'] === true ? t('atlasYes') : '',
        ],
      };
  }
}

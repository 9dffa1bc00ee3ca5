/** Finds the units that take a label, a token or a text. */
import { number, unitKeyIn, word } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { visible } from '../../src/trace/text/label.js';
import { Button, Select } from '../components/controls.js';
import { fixed, percent, t, whole } from '../look/strings.js';
import { UnitLink } from './links.js';
import { type Atlas, type FoundUnits, type Query, type SearchKind, searchKinds, tokenKinds } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { saidInterval, saidLift, saidQ, saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { useAtlas } from './store.js';
import { type Term, Terms } from './terms.js';

export function Search({ atlas }: { readonly atlas: Atlas }) {
  const store = useAtlas();
  const isFinding = store.isFinding.value;
  const first: Query = { kind: atlas.labels.length > 0 ? 'label' : 'token', text: '' };
  const { kind, text } = store.typed.value ?? first;
  // Not what was drawn: keys may come faster than frames.
  const type = (part: Partial<Query>): void => store.type({ ...(store.typed.peek() ?? first), ...part });
  const search = (): void => void store.search(store.typed.peek());
  return (
    <div class="search" role="search">
      <Select
        label={t('atlasFind')}
        value={kind}
        options={searchKinds.map((one) => [one, t(`atlasFind_${one}`)])}
        change={(value) => type({ kind: value as SearchKind })}
        data-focus="find-kind"
      />
      <input
        type="search"
        aria-label={t('atlasFindHint')}
        placeholder={t(`atlasFindExample_${kind}`, atlas.labels[0] ?? '')}
        value={text}
        list={kind === 'label' ? 'atlas-labels' : undefined}
        onInput={({ currentTarget }) => type({ text: currentTarget.value })}
        onKeyDown={({ key }) => {
          if (key === 'Enter') search();
        }}
        data-focus="find"
      />
      <datalist id="atlas-labels">
        {atlas.labels.map((label) => (
          <option key={label} value={label} />
        ))}
      </datalist>
      <Button press={search} data-focus="find-go">
        {t(isFinding ? 'atlasFinding' : 'atlasFindGo')}
      </Button>
    </div>
  );
}

export function Found({ atlas }: { readonly atlas: Atlas }) {
  const store = useAtlas();
  const found = store.found.value;
  const count = found?.units.size ?? 0;
  const said = found && (count > 0 ? saidUnits(atlas, found) : t(`atlasFoundNone_${found.kind}`, found.text));
  return (
    <>
      <div class="unseen" role="status">
        {said}
      </div>
      {found && (
        <AtlasPart
          name="atlasFound"
          title={t('atlasFoundTitle', found.text)}
          sheet={foundSheet(atlas, found)}
          control={
            <Button class="tool" press={() => void store.search(null)} data-focus="find-clear">
              {t('atlasFindClear')}
            </Button>
          }
        >
          <p>{said}</p>
          {count > 0 && (
            <>
              <SheetTable
                key={`${found.kind} ${found.text}`}
                sheet={foundSheet(atlas, found)}
                first={(row) => <UnitLink unit={atlas.unit(unitKeyIn(row))!} />}
              />
              <Terms of={termsOf[found.kind]} />
            </>
          )}
        </AtlasPart>
      )}
    </>
  );
}

/** A layer's own experts are as many as the cells; a pool has the same experts in all layers. */
function saidUnits(atlas: Atlas, { rows, units }: FoundUnits): string {
  if (!atlas.isPool) return t('atlasFoundOwn', units.size);
  const experts = new Set(
    rows.map((row) => {
      const { layer, key } = atlas.unit(unitKeyIn(row))!;
      return layer.set.experts[key.expert]!.id;
    }),
  );
  return t('atlasFoundPool', units.size, t('expertCount', experts.size));
}

const termsOf: Readonly<Record<SearchKind, readonly Term[]>> = { label: ['lift', 'q'], token: ['lift'], text: [] };

function foundSheet(atlas: Atlas, { kind, text, rows }: FoundUnits): Sheet {
  const named = (row: Row) => saidUnit(atlas.unit(unitKeyIn(row))!);
  const common = { name: `units for ${text}`, title: t('atlasFoundTitle', text), rows };
  switch (kind) {
    case 'label':
      return {
        ...common,
        head: [t('atlasUnit'), t('atlasLabel'), t('share'), t('atlasLift'), t('interval'), t('atlasQ')],
        cells: (row) => [
          named(row),
          word(row, 'label'),
          percent(number(row, 'share')),
          saidLift(number(row, 'lift')),
          saidInterval(row, saidLift),
          saidQ(number(row, 'q')),
        ],
      };
    case 'token':
      return {
        ...common,
        head: [t('atlasUnit'), t('tokenHead'), t('atlasWhere'), t('occurrences'), t('atlasExpected'), t('atlasLift')],
        cells: (row) => [
          named(row),
          visible(word(row, 'token')),
          t(`atlasTokens_${kindOf(row)}`),
          whole(number(row, 'count')),
          fixed(number(row, 'expected'), 1),
          saidLift(number(row, 'lift')),
        ],
      };
    case 'text':
      return {
        ...common,
        head: [t('atlasUnit'), t('atlasShareOfText'), t('atlasShareOfCorpus')],
        cells: (row) => [named(row), percent(number(row, 'share')), percent(number(row, 'corpus'))],
      };
  }
}

const kindOf = (row: Row) => tokenKinds.find((kind) => kind === row['kind']) ?? 'read';

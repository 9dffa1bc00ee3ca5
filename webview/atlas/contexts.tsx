/** Where a unit is chosen: at its largest weights and, beside them, at random places. */
import { number, word } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { plain, visible } from '../../src/trace/text/label.js';
import { Button } from '../components/controls.js';
import { fixed, t } from '../look/strings.js';
import type { Unit } from './model.js';
import { AtlasPart } from './part.js';
import { Refusal } from './refusal.js';
import { saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { useAtlas } from './store.js';

const contextKinds = ['top', 'random'] as const;

export function Contexts({ unit }: { readonly unit: Unit }) {
  const rows = useAtlas().rows('contexts', unit.key);
  return (
    <AtlasPart
      name="atlasContexts"
      title={t('atlasContexts')}
      caption={t('atlasContextsCaption')}
      hint={t('atlasContextsHint')}
      sheet={rows && sheetOf(unit, rows)}
    >
      {!rows && <p class="faint">{t('atlasLoading')}</p>}
      <div class="beside">
        {rows &&
          contextKinds.map((kind) => (
            <section key={kind} aria-label={t(`atlasContexts_${kind}`)}>
              <h4>{t(`atlasContexts_${kind}`)}</h4>
              <List rows={rows.filter((row) => row['kind'] === kind)} kind={kind} />
            </section>
          ))}
      </div>
    </AtlasPart>
  );
}

function List({ rows, kind }: { readonly rows: readonly Row[]; readonly kind: (typeof contextKinds)[number] }) {
  if (rows.length === 0) return <p class="faint">{t(kind === 'top' ? 'atlasContextsNoTop' : 'atlasContextsNone')}</p>;
  return (
    <ol class="contexts">
      {rows.map((row) => (
        <li key={number(row, 'rank')}>
          <Context row={row} />
        </li>
      ))}
    </ol>
  );
}

function Context({ row }: { readonly row: Row }) {
  const store = useAtlas();
  const [start, end, document] = [number(row, 'start'), number(row, 'end'), word(row, 'document')];
  const sequence = number(row, 'sequence') > 0 ? 1 : 0;
  const reason = Number.isNaN(start) ? t('atlasNoPlace') : undefined;
  const name = `context-${word(row, 'kind')}-${number(row, 'rank')}`;
  const refused = store.refused.value;
  return (
    <>
      <Button
        class="context"
        press={() => void store.ask('open', { document, sequence, start, end }, name)}
        reason={reason}
        title={t(sequence === 0 ? 'atlasOpenHint' : 'atlasOpenOutputHint', document)}
        data-focus={name}
      >
        <code>
          {inLine(word(row, 'before'))}
          <mark>{visible(word(row, 'text'))}</mark>
          {inLine(word(row, 'after'))}
        </code>
        <span class="faint">
          {Number.isNaN(number(row, 'weight')) ? document : t('atlasContextOf', document, fixed(number(row, 'weight')))}
        </span>
      </Button>
      {refused?.at === name && <Refusal error={refused.error} />}
    </>
  );
}

/** Line ends and tabs are seen; spaces stay spaces, so that it can be read. */
const inLine = (text: string): string => plain(text.replace(/\r?\n/g, '⏎').replace(/\t/g, '→'));

function sheetOf(unit: Unit, rows: readonly Row[]): Sheet {
  return {
    name: `${saidUnit(unit)} contexts`,
    title: `${saidUnit(unit)}: ${t('atlasContexts')}`,
    head: [t('atlasContextHead'), t('atlasWhere'), t('weight'), t('atlasDocument')],
    rows,
    cells: (row) => [
      `${inLine(word(row, 'before'))}[${visible(word(row, 'text'))}]${inLine(word(row, 'after'))}`,
      t(row['kind'] === 'top' ? 'atlasContexts_top' : 'atlasContexts_random'),
      fixed(number(row, 'weight')),
      word(row, 'document'),
    ],
  };
}

/** At which tokens a unit is chosen more often than expected. */
import { number, word } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { visible } from '../../src/trace/text/label.js';
import { fixed, t, whole } from '../look/strings.js';
import { tokenKinds, type Unit } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { saidLift, saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { useAtlas } from './store.js';

export function Tokens({ unit }: { readonly unit: Unit }) {
  const rows = useAtlas().rows('tokens', unit.key);
  const title = t('atlasTokens');
  return (
    <AtlasPart
      name="atlasTokens"
      title={title}
      caption={t('atlasTokensCaption')}
      sheet={rows && sheetOf(unit, rows, '')}
    >
      {!rows && <p class="faint">{t('atlasLoading')}</p>}
      {rows?.length === 0 && <p class="faint">{t('atlasTokensNone')}</p>}
      {rows && rows.length > 0 && (
        <div class="beside">
          {tokenKinds.map((kind) => {
            const own = rows.filter((row) => row['kind'] === kind);
            return (
              <section key={kind}>
                <h4>{t(`atlasTokens_${kind}`)}</h4>
                {own.length === 0 ? (
                  <p class="faint">{t('atlasTokensNone')}</p>
                ) : (
                  <SheetTable
                    sheet={sheetOf(unit, own, kind)}
                    first={(row) => <code title={saidToken(row)}>{saidToken(row)}</code>}
                  />
                )}
              </section>
            );
          })}
        </div>
      )}
    </AtlasPart>
  );
}

/** A vocabulary may not say how a token is written. */
const saidToken = (row: Row): string => (row['token'] === null ? `#${String(row['id'])}` : visible(word(row, 'token')));

/** @param kind empty: all, each row with its kind */
function sheetOf(unit: Unit, rows: readonly Row[], kind: '' | (typeof tokenKinds)[number]): Sheet {
  const title = kind ? t(`atlasTokens_${kind}`) : t('atlasTokens');
  return {
    name: `${saidUnit(unit)} tokens`,
    title: `${saidUnit(unit)}: ${title}`,
    head: [t('tokenHead'), ...(kind ? [] : [t('atlasWhere')]), t('atlasCount'), t('atlasExpected'), t('atlasLift')],
    rows,
    cells: (row) => [
      saidToken(row),
      ...(kind ? [] : [t(`atlasTokens_${tokenKinds.find((one) => one === row['kind'])!}`)]),
      whole(number(row, 'count')),
      fixed(number(row, 'expected'), 1),
      saidLift(number(row, 'lift')),
    ],
    bar: {
      head: t('atlasMoreBar'),
      measures: { title: t('atlasLift'), unit: 'log2' },
      of: (row) => ({ value: number(row, 'lift') }),
    },
  };
}

/** A figure of the page with its "?" and its ways out: the dialog that saves it, and its tables. */
import type { ComponentChildren } from 'preact';
import type { FigureName } from '../lessons/explanations.js';
import { Track } from '../components/bars.js';
import { classes, Icon, Tool } from '../components/controls.js';
import { Part } from '../components/figure.js';
import { Menu, type Item } from '../components/menu.js';
import { scaleOf } from '../../src/paper/scale.js';
import type { TableRows } from '../components/table.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { t } from '../look/strings.js';
import { FittingTable, headed } from './fitting.js';
import type { Plot } from '../../src/paper/plot.js';
import { type BarColumn, csvOf, markdownOf, plotOf, scaleEnds, type Sheet } from './sheet.js';
import { type AtlasStore, useAtlas } from './store.js';

interface Props {
  readonly name: FigureName;
  /** Undefined while there is nothing to save. */
  readonly sheet: Sheet | undefined;
  readonly title: string;
  readonly caption?: string;
  /** How it is used, which is of no interest in a file. */
  readonly hint?: string;
  /** What is saved of it, if that is something else than its table. */
  readonly plot?: (() => Plot) | undefined;
  readonly control?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function AtlasPart({ name, sheet: bare, title, caption, hint, plot, control, children }: Props) {
  const store = useAtlas();
  const from = store.data.value?.title ?? '';
  const sheet = bare && { ...bare, title: `${from} · ${bare.title}`, ...(caption !== undefined && { caption }) };
  return (
    <Part
      name={name}
      title={title}
      plot={null}
      control={
        <>
          {control}
          {sheet && sheet.rows.length > 0 && (
            <>
              <Tool
                label={t('saveFigureOf', title)}
                icon="save"
                press={() => {
                  store.toSave.value = { title: sheet.title, says: caption ?? '', plot: plot?.() ?? plotOf(sheet) };
                }}
                data-focus={`save-${name}`}
              />
              <Menu
                label={t('atlasSave', title)}
                face={<Icon name="more" />}
                items={tablesOf(store, sheet)}
                name={`tables-${name}`}
              />
            </>
          )}
        </>
      }
    >
      {caption !== undefined && <p class="caption">{[caption, hint].filter(Boolean).join(' ')}</p>}
      {children}
    </Part>
  );
}

/** The rows as the atlas has them, and as they are shown. */
function tablesOf(store: AtlasStore, sheet: Sheet): Item[] {
  const { name } = sheet;
  const write = (kind: 'csv' | 'md', data: string) => void store.ask('save', { kind, name, data });
  return [
    { label: t('atlasSaveCsv'), press: () => write('csv', csvOf(sheet)), name: 'save-csv' },
    { label: t('atlasSaveMarkdown'), press: () => write('md', markdownOf(sheet)), name: 'save-md' },
    { label: t('copyMarkdown'), press: () => store.copy(markdownOf(sheet)), name: 'copy-md' },
  ];
}

/** @param first draws the first cell of a row, if text is not enough */
export function SheetTable({
  sheet,
  first,
}: {
  readonly sheet: Sheet;
  readonly first?: (row: Row) => ComponentChildren;
}) {
  return <FittingTable rows={rowsOfSheet(sheet, first)} caption={sheet.title} />;
}

function rowsOfSheet(sheet: Sheet, first: ((row: Row) => ComponentChildren) | undefined): TableRows {
  const { head, rows, cells, bar } = sheet;
  const [name, ...others] = head as [string, ...string[]];
  const scale = bar && scaleEnds(sheet, bar);
  return {
    head: bar ? [name, bar.head, ...others] : head,
    count: rows.length,
    row: (i) => {
      const row = rows[i]!;
      const [own, ...rest] = cells(row);
      const drawn = bar && scale ? [<InTable key="bar" bar={bar} row={row} scale={scale} />] : [];
      return [first ? first(row) : own, ...drawn, ...rest.map((cell, c) => headed(others[c]!, cell))];
    },
  };
}

/** A row's bar: the numbers are beside it. */
function InTable({
  bar,
  row,
  scale: [low, high],
}: {
  readonly bar: BarColumn;
  readonly row: Row;
  readonly scale: readonly [number, number];
}) {
  const { value, low: from, high: to } = bar.of(row);
  if (Number.isNaN(value)) return null;
  const { at } = scaleOf([low, high], [0, 100]);
  const isCertain = from !== undefined && to !== undefined && !Number.isNaN(from) && !Number.isNaN(to);
  return (
    <span class={classes('inTable', value < 0 ? 'less' : 'more')} aria-hidden="true">
      <Track value={Math.max(low, value)} {...(isCertain && { low: from, high: to })} at={at} hasZero={low < 0} />
    </span>
  );
}

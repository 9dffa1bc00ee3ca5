/** A figure of the page with its "?" and its ways out: pictures, tables. */
import type { ComponentChildren } from 'preact';
import type { FigureName } from '../lessons/explanations.js';
import { Track } from '../components/bars.js';
import { classes, Icon } from '../components/controls.js';
import { Part } from '../components/figure.js';
import { Menu, type Item } from '../components/menu.js';
import { scaleOf } from '../../src/paper/scale.js';
import { TableBox, type TableRows } from '../components/table.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { t } from '../look/strings.js';
import { draw } from '../../src/paper/draw.js';
import { paper } from '../../src/paper/look.js';
import { svgOf } from '../../src/paper/svg.js';
import { pngOf } from '../look/png.js';
import { type Picture, pngOf as pngOfShapes, svgOf as svgOfShapes } from './shapes.js';
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
  /** If it is drawn as something else than its table. */
  readonly picture?: (title: string) => Picture;
  readonly control?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function AtlasPart({ name, sheet: bare, title, caption, hint, picture, control, children }: Props) {
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
            <Menu
              label={t('atlasSave', title)}
              face={<Icon name="more" />}
              items={ways(store, sheet, drawnOf(sheet, picture))}
              name={`save-${name}`}
            />
          )}
        </>
      }
    >
      {caption !== undefined && <p class="caption">{[caption, hint].filter(Boolean).join(' ')}</p>}
      {children}
    </Part>
  );
}

interface Drawn {
  readonly svg: () => string;
  readonly png: () => Promise<ArrayBuffer>;
}

/** As wide as a page. The map of units is drawn in a file as on the page. */
function drawnOf(sheet: Sheet, picture: Props['picture']): Drawn {
  const { title } = sheet;
  if (picture) return { svg: () => svgOfShapes(picture(title)), png: () => pngOfShapes(picture(title)) };
  const drawing = () => draw(plotOf(sheet), paper, 174, title);
  return { svg: () => svgOf(drawing()), png: () => pngOf(drawing()) };
}

function ways(store: AtlasStore, sheet: Sheet, drawn: Drawn): Item[] {
  const { name } = sheet;
  const write = (kind: 'csv' | 'svg' | 'md', data: string) => void store.ask('save', { kind, name, data });
  return [
    { label: t('atlasSaveSvg'), press: () => write('svg', drawn.svg()), name: 'save-svg' },
    {
      label: t('atlasSavePng'),
      press: () => void drawn.png().then((data) => store.ask('save', { kind: 'png', name, data })),
      name: 'save-png',
    },
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
  return <TableBox rows={rowsOfSheet(sheet, first)} caption={sheet.title} />;
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
      return [first ? first(row) : own, ...drawn, ...rest];
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

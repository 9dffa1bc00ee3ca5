/** How views show numbers: in a titled part, or in a chart with a table that says the same. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Plot } from '../../src/paper/plot.js';
import type { FigureName } from '../lessons/explanations.js';
import { t } from '../look/strings.js';
import { useArrival } from './arrival.js';
import { useStore } from './context.js';
import { Button, Icon, Tool } from './controls.js';
import { Explain } from './explain.js';
import { shownTable, Table, TableBox, wholeTable, type TableRows } from './table.js';

interface Titled {
  readonly name: FigureName;
  readonly title: string;
  /** Shown beside the title, such as a choice of expert. */
  readonly control?: ComponentChildren;
  /** It shows both of two runs, so that what is saved of it names both. */
  readonly ofBoth?: boolean;
}

interface PartProps extends Titled {
  /** What was asked for (`expectResult`), once it is there. */
  readonly result?: unknown;
  readonly children: ComponentChildren;
  /** What is saved of it; default: the table that it contains. Null: there is nothing to save yet. */
  readonly plot?: (() => Plot) | null;
  /** What the numbers are, for its caption. */
  readonly says?: string | undefined;
}

/** A part of a view whose numbers can be explained, and saved. */
export function Part({ name, title, control, result, plot, says = '', ofBoth = false, children }: PartProps) {
  const store = useStore();
  const section = useRef<HTMLElement>(null);
  useArrival(name, result, section);
  return (
    <section ref={section} class="figure" data-figure={name}>
      <header>
        <h3 tabindex={-1}>{title}</h3>
        <Explain name={name} title={title} />
        <span class="spring" />
        {control}
        {plot !== null && (
          <Tool
            label={t('saveFigureOf', title)}
            icon="save"
            press={() => {
              store.toSave.value = { title, says, plot: plot?.() ?? shownTable(section.current!), ofBoth };
            }}
            data-focus={`save-${name}`}
          />
        )}
      </header>
      {children}
    </section>
  );
}

export interface FigureProps extends Titled {
  readonly caption?: string | undefined;
  /** What a press on the chart does: shown after the caption. */
  readonly hint?: string;
  /** What the chart shows, as data: it is saved as a picture of that. */
  readonly plot: () => Plot;
  readonly chart: () => ComponentChildren;
  readonly table: () => TableRows;
  /** Shown under the table only. */
  readonly foot?: ComponentChildren;
}

/** A chart's table of up to this many cells is always there for screen readers; a larger one is made when it is opened. */
const small = 120;

export function Figure({ name, title, caption, hint, plot, chart, table, control, ofBoth, foot }: FigureProps) {
  const store = useStore();
  const tables = store.view.tables.value;
  const isTable = tables.includes(name);
  const rows = table();
  return (
    <Part
      name={name}
      title={title}
      plot={isTable ? () => wholeTable(table()) : plot}
      says={caption}
      {...(ofBoth && { ofBoth })}
      control={
        <>
          {control}
          <Button
            press={() => store.set({ tables: isTable ? tables.filter((one) => one !== name) : [...tables, name] })}
            class="tool"
            aria-pressed={isTable}
            aria-label={`${t('asTable')}: ${title}`}
            title={t(isTable ? 'asChart' : 'asTable')}
            data-focus={`table-${name}`}
          >
            <Icon name="table" />
          </Button>
        </>
      }
    >
      {caption !== undefined && <p class="caption">{[caption, hint].filter(Boolean).join(' ')}</p>}
      {isTable ? (
        <>
          <TableBox rows={rows} caption={title} />
          {foot}
        </>
      ) : (
        <>
          <div class="chart" aria-hidden="true">
            {chart()}
          </div>
          {rows.count * rows.head.length <= small && <ToldTable rows={rows} title={title} />}
        </>
      )}
    </Part>
  );
}

/** What a chart shows, for screen readers. The keyboard does not stop in it, because its focus would not be seen. */
function ToldTable({ rows, title }: { readonly rows: TableRows; readonly title: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    for (const button of box.current!.querySelectorAll('button')) button.tabIndex = -1;
  });
  return (
    <div ref={box} class="unseen">
      <Table rows={rows} caption={title} />
    </div>
  );
}

/** Buttons that go through the pages of a long table. */
export function Pager({
  count,
  from,
  size,
  turn,
}: {
  readonly count: number;
  readonly from: number;
  readonly size: number;
  /** By how many pages, not to which page: presses may come faster than frames. */
  readonly turn: (by: 1 | -1) => void;
}) {
  if (count <= size) return null;
  const last = Math.min(count, from + size);
  return (
    <div class="pager">
      <Button press={() => turn(-1)} data-focus="page-back" aria-disabled={from === 0}>
        {t('previous')}
      </Button>
      <span>{t('attributeLimit', from + 1, last, count)}</span>
      <Button press={() => turn(1)} data-focus="page-on" aria-disabled={last >= count}>
        {t('next')}
      </Button>
    </div>
  );
}

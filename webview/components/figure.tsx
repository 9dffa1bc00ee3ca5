/** A chart with its title and its twin: a table that says the same. */
import type { ComponentChildren } from 'preact';
import { t } from '../look/strings.js';
import { useStore } from './context.js';
import { Button, Icon } from './controls.js';
import { Table, TableBox, type TableRows } from './table.js';

export interface FigureProps {
  /** Also the name by which its being shown as a table is kept. */
  readonly name: string;
  readonly title: string;
  readonly caption?: string | undefined;
  readonly chart: () => ComponentChildren;
  readonly table: () => TableRows;
  /** What belongs beside the title: a choice of expert, say. */
  readonly control?: ComponentChildren;
  /** What belongs under the table, and to nothing else. */
  readonly foot?: ComponentChildren;
}

/** A twin of up to so many cells is there for screen readers from the start; a larger one is made when it is opened. */
const small = 120;

export function Figure({ name, title, caption, chart, table, control, foot }: FigureProps) {
  const store = useStore();
  const tables = store.view.tables.value;
  const isTable = tables.includes(name);
  const twin = table();
  return (
    <section class="figure" data-figure={name}>
      <header>
        <h3>{title}</h3>
        {control}
        <Button
          press={() => {
            store.set({ tables: isTable ? tables.filter((one) => one !== name) : [...tables, name] });
          }}
          class="tool"
          aria-pressed={isTable}
          aria-label={`${t('asTable')}: ${title}`}
          title={t(isTable ? 'asChart' : 'asTable')}
          data-focus={`table-${name}`}
        >
          <Icon name="table" />
        </Button>
      </header>
      {caption !== undefined && <p class="caption">{caption}</p>}
      {isTable ? (
        <>
          <TableBox rows={twin} caption={title} />
          {foot}
        </>
      ) : (
        <>
          <div class="chart" aria-hidden="true">
            {chart()}
          </div>
          {twin.count * twin.head.length <= small && (
            <div class="unseen">
              <Table rows={twin} caption={title} />
            </div>
          )}
        </>
      )}
    </section>
  );
}

/** Part of a long table, with buttons to go on. */
export function Pager({
  count,
  from,
  size,
  turn,
}: {
  readonly count: number;
  readonly from: number;
  readonly size: number;
  /** By how many pages, not to which one: presses may come faster than frames. */
  readonly turn: (by: 1 | -1) => void;
}) {
  if (count <= size) return null;
  const last = Math.min(count, from + size);
  return (
    <div class="pager">
      <Button
        press={() => {
          turn(-1);
        }}
        data-focus="page-back"
        aria-disabled={from === 0}
      >
        {t('previous')}
      </Button>
      <span>{t('attributeLimit', from + 1, last, count)}</span>
      <Button
        press={() => {
          turn(1);
        }}
        data-focus="page-on"
        aria-disabled={last >= count}
      >
        {t('next')}
      </Button>
    </div>
  );
}

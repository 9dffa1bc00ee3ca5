/** Tables. Only the visible rows of a long one are made, and the screen reader is told how many there are. */
import { render, type ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { TablePlot } from '../../src/paper/plot.js';
import { Columns } from './columns.js';

export interface TableRows {
  readonly head: readonly string[];
  /** What heads that are short mean; default: they are not short. */
  readonly meanings?: readonly string[];
  readonly count: number;
  /** The first cell is the row's name. */
  readonly row: (i: number) => readonly ComponentChildren[];
}

export function rowsOf(head: readonly string[], rows: readonly (readonly ComponentChildren[])[]): TableRows {
  return { head, count: rows.length, row: (i) => rows[i]! };
}

/** Longer tables are made in part. */
const longest = 240;
/** Rows made above and below the visible ones, for quick scrolling. */
const spare = 20;

export function Table({
  rows,
  caption,
  class: name,
}: {
  readonly rows: TableRows;
  readonly caption: string;
  readonly class?: string;
}) {
  return (
    <table class={name}>
      <Head rows={rows} caption={caption} />
      <tbody>{made(rows, 0, rows.count)}</tbody>
    </table>
  );
}

/** A table in a box that scrolls. */
export function TableBox({ rows, caption }: { readonly rows: TableRows; readonly caption: string }) {
  return (
    <ScrollBox label={caption}>
      {rows.count > longest ? <LongTable rows={rows} caption={caption} /> : <Table rows={rows} caption={caption} />}
    </ScrollBox>
  );
}

interface Box {
  readonly label: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** If columns are out of sight, it says so above the table: the box's own bar may be below the window. */
export function ScrollBox({ label, class: name = 'tableBox', children }: Box) {
  const box = useRef<HTMLDivElement>(null);
  return (
    <>
      <Columns box={box} />
      <div ref={box} class={name} tabindex={0} role="region" aria-label={label}>
        {children}
      </div>
    </>
  );
}

function LongTable({ rows, caption }: { readonly rows: TableRows; readonly caption: string }) {
  const table = useRef<HTMLTableElement>(null);
  const [{ from, to }, setSeen] = useState({ from: 0, to: 40 });
  const [height, setHeight] = useState(0);
  useLayoutEffect(() => {
    const row = table.current!.querySelector<HTMLElement>('tbody tr:not(.gap)');
    if (row && row.offsetHeight > 0 && row.offsetHeight !== height) setHeight(row.offsetHeight);
  });
  useLayoutEffect(() => {
    const box = table.current!.parentElement!;
    const look = (): void => {
      if (height === 0) return;
      const first = Math.max(0, Math.floor(box.scrollTop / height) - spare);
      const last = Math.min(rows.count, Math.ceil((box.scrollTop + box.clientHeight) / height) + spare);
      setSeen((seen) => (seen.from === first && seen.to === last ? seen : { from: first, to: last }));
    };
    look();
    box.addEventListener('scroll', look);
    return () => box.removeEventListener('scroll', look);
  }, [height, rows.count]);
  const [first, last] = [Math.min(from, rows.count), Math.min(to, rows.count)];
  return (
    <table ref={table} aria-rowcount={rows.count + 1}>
      <Head rows={rows} caption={caption} />
      <tbody>
        <Gap key="above" height={first * height} />
        {made(rows, first, last, true)}
        <Gap key="below" height={(rows.count - last) * height} />
      </tbody>
    </table>
  );
}

function Gap({ height }: { readonly height: number }) {
  return height > 0 ? <tr class="gap" aria-hidden="true" style={{ height: `${height}px` }} /> : null;
}

function Head({ rows, caption }: { readonly rows: TableRows; readonly caption: string }) {
  return (
    <>
      <caption class="unseen">{caption}</caption>
      <thead>
        <tr>
          {rows.head.map((text, i) => (
            <th key={i} scope="col" title={rows.meanings?.[i]} aria-label={rows.meanings?.[i]}>
              {text}
            </th>
          ))}
        </tr>
      </thead>
    </>
  );
}

function made(rows: TableRows, from: number, to: number, numbered = false): ComponentChildren[] {
  return Array.from({ length: to - from }, (_, i) => (
    <tr key={from + i} {...(numbered && { 'aria-rowindex': from + i + 2 })}>
      {rows.row(from + i).map((cell, c) =>
        c === 0 ? (
          <th key={c} scope="row">
            {cell}
          </th>
        ) : (
          <td key={c}>{cell}</td>
        ),
      )}
    </tr>
  ));
}

/** The text of a table that is on the page, or of a list of numbers. Figures that stand within a part are saved on their own. */
export function shownTable(within: Element): TablePlot {
  const own = (tag: string) =>
    [...within.querySelectorAll(tag)].filter((one) => [null, within].includes(one.closest('.figure')));
  const table = own('table')[0] as HTMLTableElement | undefined;
  if (!table) {
    return { kind: 'table', head: ['', ''], rows: own('dt').map((term) => [textIn(term), saidOf(term)]) };
  }
  const cellsOf = ({ cells }: HTMLTableRowElement) =>
    Array.from(cells).flatMap((cell) => [textIn(cell), ...Array<string>(cell.colSpan - 1).fill(textIn(cell))]);
  const heads = Array.from(table.tHead?.rows ?? [], cellsOf);
  const rows = Array.from(table.tBodies).flatMap((body) => Array.from(body.rows, cellsOf));
  const head = Array.from(heads.at(-1) ?? [], (_, c) =>
    heads
      .map((row) => row[c] ?? '')
      .join(' ')
      .trim(),
  );
  return { kind: 'table', head, rows };
}

/** What a list says of a term: its number, and what explains it. */
function saidOf(term: Element): string {
  const said: string[] = [];
  for (let next = term.nextElementSibling; next?.tagName === 'DD'; next = next.nextElementSibling)
    said.push(textIn(next));
  return said.join('. ');
}

/** All of a table, however little of it is on the page. */
export function wholeTable(rows: TableRows): TablePlot {
  const box = document.createElement('div');
  render(<Table rows={rows} caption="" />, box);
  const plot = shownTable(box);
  render(null, box);
  return plot;
}

/** What is seen of an element: parts beside each other are words of their own, and what only a screen reader says is left out. */
function textIn(element: Element): string {
  const parts = Array.from(element.childNodes, (node) =>
    !(node instanceof Element) ? node.textContent : node.classList.contains('unseen') ? '' : ` ${textIn(node)} `,
  );
  return parts.join('').replace(/\s+/g, ' ').trim();
}

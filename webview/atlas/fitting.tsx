/** A table that is read whole in any width: where its columns do not fit beside one another, each row becomes a list. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { TableBox, type TableRows } from '../components/table.js';
import { RowsSeen } from './rowsSeen.js';

export function FittingTable({ rows, caption }: { readonly rows: TableRows; readonly caption: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const own = box.current!;
    let known = '';
    const fit = (): void => {
      // Its height changes with what is done here; only another width or window asks for it again.
      const now = `${own.clientWidth} ${innerHeight}`;
      if (now === known) return;
      known = now;
      own.classList.remove('stacked', 'scrolling');
      const table = own.querySelector<HTMLElement>('.tableBox')!;
      table.style.maxHeight = '';
      const isLong = (): boolean => table.scrollHeight > table.clientHeight;
      // The edge takes a little of the width.
      own.classList.toggle('scrolling', isLong());
      own.classList.toggle('stacked', table.scrollWidth > table.clientWidth);
      own.classList.toggle('scrolling', isLong());
      if (isLong()) table.style.maxHeight = `${wholeRows(table)}px`;
    };
    fit();
    const watch = new ResizeObserver(fit);
    watch.observe(own);
    watch.observe(document.documentElement);
    return () => watch.disconnect();
  });
  return (
    <div ref={box} class="fitting">
      <TableBox rows={rows} caption={caption} />
      <RowsSeen within={box} of={rows.count} />
    </div>
  );
}

/** The height of a box that scrolls, without the row that it would cut through. */
function wholeRows(box: HTMLElement): number {
  const top = box.getBoundingClientRect().top + box.clientTop - box.scrollTop;
  const ends = Array.from(
    box.querySelectorAll('tbody tr:not(.gap)'),
    (row) => row.getBoundingClientRect().bottom - top,
  );
  const last = ends.findLast((end) => end <= box.clientHeight) ?? box.clientHeight;
  return last + box.offsetHeight - box.clientHeight;
}

/** A cell with its column's head, which is seen where the row is a list. */
export function headed(head: string, cell: ComponentChildren): ComponentChildren {
  if (cell === '') return cell;
  return (
    <>
      <span class="cellHead" aria-hidden="true">
        {head}
      </span>
      {cell}
    </>
  );
}

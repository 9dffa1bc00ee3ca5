/** A table that is read whole in any width: where its columns do not fit beside one another, each row becomes a list. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { TableBox, type TableRows } from '../components/table.js';

export function FittingTable({ rows, caption }: { readonly rows: TableRows; readonly caption: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const own = box.current!;
    let known = -1;
    const fit = (): void => {
      // Its height changes with what is done here; only another width asks for it again.
      if (own.clientWidth === known) return;
      known = own.clientWidth;
      own.classList.remove('stacked');
      const table = own.querySelector('.tableBox')!;
      own.classList.toggle('stacked', table.scrollWidth > table.clientWidth);
    };
    fit();
    const watch = new ResizeObserver(fit);
    watch.observe(own);
    return () => watch.disconnect();
  });
  return (
    <div ref={box} class="fitting">
      <TableBox rows={rows} caption={caption} />
    </div>
  );
}

/** A cell with its column's head, which is seen where the row is a list. */
export function headed(head: string, cell: ComponentChildren): ComponentChildren {
  if (cell === '') return cell;
  return (
    <>
      <span class="cellHead" aria-hidden="true">
        {head}{' '}
      </span>
      {cell}
    </>
  );
}

/** Under a table that is longer than its box: which of its rows are in sight. A bar that scrolls may not be seen. */
import type { RefObject } from 'preact';
import { useSeen } from '../components/useSeen.js';
import { t } from '../look/strings.js';

type Seen = readonly [first: number, last: number];

export function RowsSeen({ within, of }: { readonly within: RefObject<HTMLElement | null>; readonly of: number }) {
  const seen = useSeen(() => within.current!.querySelector<HTMLElement>('.tableBox')!, seenIn);
  return seen ? <p class="rowsSeen faint">{t('rowsSeen', ...seen, of)}</p> : null;
}

/** Undefined if all are. */
function seenIn(box: HTMLElement): Seen | undefined {
  if (box.scrollHeight <= box.clientHeight + 1) return undefined;
  const from = box.querySelector('thead')!.getBoundingClientRect().bottom;
  const to = box.getBoundingClientRect().bottom;
  // The ends of rows are not whole pixels.
  const inView = Array.from(box.querySelectorAll<HTMLTableRowElement>('tbody tr:not(.gap)')).filter((row) => {
    const own = row.getBoundingClientRect();
    return own.top >= from - 2 && own.bottom <= to + 2;
  });
  const [first, last] = [inView[0], inView.at(-1)];
  return first && last && [numberOf(first), numberOf(last)];
}

/** The head of a table is its row 1 where a long one says the rows' numbers. */
const numberOf = (row: HTMLTableRowElement): number => Number(row.ariaRowIndex ?? row.rowIndex + 1) - 1;

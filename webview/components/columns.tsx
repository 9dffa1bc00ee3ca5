/** Above a table that is wider than its box: how many of its columns are in sight, and the way to the others. */
import type { RefObject } from 'preact';
import { t } from '../look/strings.js';
import { Button } from './controls.js';
import { useSeen } from './useSeen.js';

interface Seen {
  readonly columns: number;
  readonly of: number;
  readonly isLast: boolean;
}

export function Columns({ box }: { readonly box: RefObject<HTMLElement | null> }) {
  const seen = useSeen(() => box.current!, seenIn);
  if (!seen) return null;
  return (
    <div class="columns">
      <span>{t('columnsSeen', seen.columns, seen.of)}</span>
      <Button
        press={() => {
          const own = box.current!;
          if (seen.isLast) own.scrollLeft = 0;
          else own.scrollLeft += own.clientWidth - nameWidth(own);
        }}
        class="link"
      >
        {t(seen.isLast ? 'columnsFirst' : 'columnsMore')}
      </Button>
    </div>
  );
}

/** Undefined if all are. The rows' names, which stay where they are, count as one. */
function seenIn(box: HTMLElement): Seen | undefined {
  if (box.scrollWidth <= box.clientWidth + 1) return undefined;
  const { left, right } = box.getBoundingClientRect();
  const [, ...columns] = headOf(box);
  const from = left + nameWidth(box);
  // The ends of columns are not whole pixels.
  const inView = columns.filter((cell) => {
    const own = cell.getBoundingClientRect();
    return own.left >= from - 2 && own.right <= right + 2;
  });
  return {
    columns: inView.length + 1,
    of: columns.length + 1,
    isLast: box.scrollLeft + box.clientWidth >= box.scrollWidth - 1,
  };
}

const nameWidth = (box: HTMLElement): number => headOf(box)[0]?.getBoundingClientRect().width ?? 0;

const headOf = (box: HTMLElement): Element[] => [...(box.querySelector('thead tr:last-child')?.children ?? [])];

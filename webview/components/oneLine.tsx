/**
 * Shows parts on one line. If there is no room for all, first their shares are left out and then the last names; what does not fit
 * even so is scrolled to sideways. A high window has room for further lines. What follows the parts says how many are out of sight.
 */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { classes } from './controls.js';

/** In a high window, shares may take a second line, and names a third. */
const [mostWithShares, mostWithNames] = [2, 3];
/** On one line, the first keep their names, so that it is seen what the parts are. */
const leastNamed = 2;

interface Fitting {
  /** Number of parts in sight. */
  readonly parts: number;
  /** Whether some of these have their badges alone. */
  readonly isBare: boolean;
}

function linesOf(parts: readonly HTMLElement[]): number {
  const [first, last] = [parts[0], parts.at(-1)];
  return first && last ? Math.round((last.offsetTop - first.offsetTop) / first.offsetHeight) + 1 : 0;
}

/** Leaves out what has no room, shares first and then the last names, and marks what is cut off. */
function fit(box: HTMLElement): Fitting {
  const parts = [...box.children] as HTMLElement[];
  box.classList.remove('short');
  for (const part of parts) part.classList.remove('bare', 'out');
  if (getComputedStyle(box).display !== 'flex') {
    box.classList.toggle('short', linesOf(parts) > mostWithShares);
    for (const part of [...parts].reverse()) {
      if (linesOf(parts) <= mostWithNames) break;
      part.classList.add('bare');
    }
    return { parts: parts.length, isBare: false };
  }
  const isTooLong = (): boolean => box.scrollWidth > box.clientWidth;
  box.classList.toggle('short', isTooLong());
  const named = parts.filter((part) => part.querySelector('.name'));
  for (const part of named.slice(leastNamed).reverse()) {
    if (!isTooLong()) break;
    if (part.getAttribute('aria-pressed') !== 'true') part.classList.add('bare');
  }
  const { left, right } = box.getBoundingClientRect();
  // A scroller's ends are whole pixels.
  const isOut = (part: HTMLElement): boolean => {
    const own = part.getBoundingClientRect();
    return own.left < left - 2 || own.right > right + 2;
  };
  const out = parts.filter(isOut);
  for (const part of out) part.classList.add('out');
  return { parts: parts.length - out.length, isBare: named.some((part) => part.classList.contains('bare')) };
}

export function OneLine({
  isOpen,
  children,
  more,
}: {
  /** On as many lines as it takes, with shares. */
  readonly isOpen: boolean;
  readonly children: ComponentChildren;
  /** What follows the line. */
  readonly more: (fitting: Fitting) => ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const pressed = useRef<Element | null>(null);
  const [fitting, setFitting] = useState<Fitting>({ parts: 0, isBare: false });
  const look = (): void => {
    if (isOpen) return;
    const now = fit(box.current!);
    setFitting((was) => (was.parts === now.parts && was.isBare === now.isBare ? was : now));
  };
  // After each drawing, and whenever the width changes: what fits depends on how wide the words are.
  useLayoutEffect(() => {
    look();
    const last = [...box.current!.children].findLast((part) => part.getAttribute('aria-pressed') === 'true') ?? null;
    if (last && last !== pressed.current) last.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    pressed.current = last;
  });
  useLayoutEffect(() => {
    const resized = new ResizeObserver(look);
    resized.observe(box.current!.parentElement!);
    return () => resized.disconnect();
  }, [isOpen]);
  return (
    <>
      <div
        ref={box}
        class={classes('oneLine', isOpen && 'open')}
        onScroll={look}
        // A browser leaves a part alone that is partly in sight.
        onFocusIn={({ target }) => (target as Element).scrollIntoView({ block: 'nearest', inline: 'nearest' })}
      >
        {children}
      </div>
      {more(fitting)}
    </>
  );
}

/**
 * Shows parts on one line, without their shares if there is no room for these, and scrolled sideways if there is none even so.
 * A high window has room for further lines. What follows the parts says how many are out of sight.
 */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { classes } from './controls.js';

/** In a high window, shares may take a second line, and names a third. */
const [mostWithShares, mostWithNames] = [2, 3];

function linesOf(parts: readonly HTMLElement[]): number {
  const [first, last] = [parts[0], parts.at(-1)];
  return first && last ? Math.round((last.offsetTop - first.offsetTop) / first.offsetHeight) + 1 : 0;
}

/** Leaves out what has no room, shares first and then the last names, and marks what is cut off. Returns how many parts are in sight. */
function fit(box: HTMLElement): number {
  const parts = [...box.children] as HTMLElement[];
  box.classList.remove('short');
  for (const part of parts) part.classList.remove('bare', 'out');
  if (getComputedStyle(box).display !== 'flex') {
    box.classList.toggle('short', linesOf(parts) > mostWithShares);
    for (const part of [...parts].reverse()) {
      if (linesOf(parts) <= mostWithNames) break;
      part.classList.add('bare');
    }
    return parts.length;
  }
  box.classList.toggle('short', box.scrollWidth > box.clientWidth);
  const { left, right } = box.getBoundingClientRect();
  // A scroller's ends are whole pixels.
  const isOut = (part: HTMLElement): boolean => {
    const own = part.getBoundingClientRect();
    return own.left < left - 2 || own.right > right + 2;
  };
  const out = parts.filter(isOut);
  for (const part of out) part.classList.add('out');
  return parts.length - out.length;
}

export function OneLine({
  isOpen,
  children,
  more,
}: {
  /** On as many lines as it takes, with shares. */
  readonly isOpen: boolean;
  readonly children: ComponentChildren;
  /** What follows the line, given how many parts are in sight. */
  readonly more: (fitting: number) => ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const pressed = useRef<Element | null>(null);
  const [fitting, setFitting] = useState(0);
  const look = (): void => {
    if (!isOpen) setFitting(fit(box.current!));
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

/**
 * Shows parts on one line: with their names if there is room for these, and scrolled sideways if there is none even without.
 * A high window has room for further lines. What follows says how many parts are out of sight.
 */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { classes } from './controls.js';

/** In a high window, names may take a second line. */
const mostLines = 2;

function linesOf(parts: readonly HTMLElement[]): number {
  const [first, last] = [parts[0], parts.at(-1)];
  return first && last ? Math.round((last.offsetTop - first.offsetTop) / first.offsetHeight) + 1 : 0;
}

/** Leaves out names that have no room, and marks what is cut off. Returns how many parts are in sight. */
function fit(box: HTMLElement): number {
  const parts = [...box.children] as HTMLElement[];
  box.classList.remove('short');
  const isScrolled = getComputedStyle(box).display === 'flex';
  const tooMuch = isScrolled ? box.scrollWidth > box.clientWidth : linesOf(parts) > mostLines;
  box.classList.toggle('short', tooMuch);
  const { left, right } = box.getBoundingClientRect();
  // A scroller's ends are whole pixels.
  const isOut = (part: HTMLElement): boolean => {
    const own = part.getBoundingClientRect();
    return own.left < left - 2 || own.right > right + 2;
  };
  const out = isScrolled ? parts.filter(isOut) : [];
  for (const part of parts) part.classList.toggle('out', out.includes(part));
  return parts.length - out.length;
}

export function OneLine({
  isOpen,
  children,
  more,
}: {
  /** On as many lines as it takes, with names. */
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
      <div ref={box} class={classes('oneLine', isOpen && 'open')} onScroll={look}>
        {children}
      </div>
      {more(fitting)}
    </>
  );
}

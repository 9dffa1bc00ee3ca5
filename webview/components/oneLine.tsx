/** Shows what fits on one line, followed by a button that says how much does not and opens it. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { classes } from './controls.js';

/** Hides what would be on a second line; pressed parts come before the others. Returns how many parts stay. */
function fit(box: HTMLElement): number {
  const parts = [...box.children] as HTMLElement[];
  const isOut = (part: HTMLElement) => part.offsetTop > box.offsetTop + part.offsetHeight / 2;
  for (const part of parts) part.classList.remove('ahead', 'out');
  for (const part of parts.filter(isOut)) if (part.getAttribute('aria-pressed') === 'true') part.classList.add('ahead');
  const out = parts.filter(isOut);
  for (const part of out) part.classList.add('out');
  return parts.length - out.length;
}

export function OneLine({
  isOpen,
  children,
  more,
}: {
  readonly isOpen: boolean;
  readonly children: ComponentChildren;
  /** What follows the line, given how many parts fit on it. */
  readonly more: (fitting: number) => ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [fitting, setFitting] = useState(0);
  const look = (): void => {
    if (!isOpen) setFitting(fit(box.current!));
  };
  // After each drawing, and whenever the width changes: what fits depends on how wide the words are.
  useLayoutEffect(look);
  useLayoutEffect(() => {
    const resized = new ResizeObserver(look);
    resized.observe(box.current!);
    return () => resized.disconnect();
  }, [isOpen]);
  return (
    <>
      <div ref={box} class={classes('oneLine', isOpen && 'open')}>
        {children}
      </div>
      {more(fitting)}
    </>
  );
}

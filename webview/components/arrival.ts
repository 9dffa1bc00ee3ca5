/** A result that appears elsewhere than where it was asked for is scrolled to and takes the focus, unless the person has gone on. */
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

let awaited: { readonly what: string; readonly from: Element | null } | undefined;

/** What was pressed asks for this. */
export function expectResult(what: string): void {
  awaited = { what, from: document.activeElement };
}

/**
 * @param result undefined until it is there
 * @param box what shows it; the focus goes to its heading, or to itself if it has none
 */
export function useArrival(what: string, result: unknown, box: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    if (result === undefined || awaited?.what !== what) return;
    const { from } = awaited;
    awaited = undefined;
    const now = document.activeElement;
    // What was pressed may be gone.
    if (now !== from && now !== document.body) return;
    const heading = box.current!.querySelector<HTMLElement>('h3') ?? box.current!;
    heading.focus({ preventScroll: true });
    // Only as far as it takes to read how the result begins: the map above shows it, too.
    (box.current!.querySelector('header + *') ?? heading).scrollIntoView({ block: 'nearest' });
    heading.scrollIntoView({ block: 'nearest' });
  }, [result]);
}

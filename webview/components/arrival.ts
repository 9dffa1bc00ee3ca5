/**
 * A result that appears elsewhere than where it was asked for is scrolled to and takes the focus, unless the person has gone on.
 * One that was asked for outside the page leaves the focus where it is.
 */
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import type { Store } from '../store/store.js';
import { useStore } from './context.js';

/** What was pressed asks for this. */
export function expectResult(store: Store, what: string): void {
  store.awaited = { what, from: document.activeElement };
}

/**
 * @param result undefined until it is there
 * @param box what shows it; the focus goes to its heading, or to itself if it has none
 */
export function useArrival(what: string, result: unknown, box: RefObject<HTMLElement | null>): void {
  const store = useStore();
  useLayoutEffect(() => {
    if (result === undefined || store.awaited?.what !== what) return;
    const { from } = store.awaited;
    store.awaited = undefined;
    const now = document.activeElement;
    const heading = box.current!.querySelector<HTMLElement>('h3') ?? box.current!;
    if (from !== undefined) {
      // What was pressed may be gone.
      if (now !== from && now !== document.body) return;
      heading.focus({ preventScroll: true });
    }
    makeRoom(box.current!, 0);
    const beginning = beginningOf(box.current!);
    // Scrolling would take the map, which shows the result, too, out of view.
    if (isBegun(heading, beginning)) return;
    beginning.scrollIntoView({ block: 'nearest' });
    heading.scrollIntoView({ block: 'nearest' });
  }, [result]);
}

/** The event by which something asks for room in the window, with as much below it as `detail` says; 0: it may go on below. */
export const roomWanted = 'roomwanted';

/** Before it is scrolled to: scrolling takes out of view what is above. @param below in CSS pixels */
export function makeRoom(element: Element, below: number): void {
  element.dispatchEvent(new CustomEvent(roomWanted, { bubbles: true, detail: below }));
}

/** What stands first in a result, below its heading and what that means. */
export const beginningOf = (result: Element): Element =>
  result.querySelector(':scope > :not(header, .caption)') ?? result.querySelector('header + *') ?? result;

/** Two lines, in CSS pixels: whoever has read them knows that there is more below. */
export const lines = 40;

function isBegun(heading: Element, beginning: Element): boolean {
  const { top, height } = beginning.getBoundingClientRect();
  // What the model wrote is above the tabs.
  const clip = heading.closest('.tabBody')?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
  const bottom = Math.min(innerHeight, clip.bottom);
  return heading.getBoundingClientRect().top >= Math.max(0, clip.top) && top + Math.min(height, lines) <= bottom;
}

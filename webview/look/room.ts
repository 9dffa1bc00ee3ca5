/** How much room the page has; its styles use the same widths. */
import { signal, type ReadonlySignal } from '@preact/signals';

function follow(query: string): ReadonlySignal<boolean> {
  const list = matchMedia(query);
  const now = signal(list.matches);
  list.addEventListener('change', ({ matches }) => {
    now.value = matches;
  });
  return now;
}

/** What is done with the map is in a menu of the header: a toolbar would take a line, or two. */
export const isCompact = follow('(max-width: 1099px)');
/** The tabs are below the map, and the page scrolls as a whole. */
export const isStacked = follow('(max-width: 820px)');
/** Not all of what is above the tabs has room. */
export const isShort = follow('(max-width: 820px) and (max-height: 560px)');
export const isNarrow = follow('(max-width: 459px)');

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

/** The tabs are below the map, and the page scrolls as a whole. */
export const isStacked = follow('(max-width: 820px)');
export const isNarrow = follow('(max-width: 459px)');

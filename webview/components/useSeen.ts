/** What of a table is in sight in its box, as long as that is scrolled or resized. */
import { useLayoutEffect, useState } from 'preact/hooks';

/** @param find called after each drawing: the table may be another one then */
export function useSeen<Seen>(
  find: () => HTMLElement,
  seenIn: (box: HTMLElement) => Seen | undefined,
): Seen | undefined {
  const [seen, setSeen] = useState<Seen>();
  useLayoutEffect(() => {
    const box = find();
    const look = (): void => {
      const now = seenIn(box);
      setSeen((before) => (JSON.stringify(before) === JSON.stringify(now) ? before : now));
    };
    look();
    box.addEventListener('scroll', look);
    const resized = new ResizeObserver(look);
    for (const one of [box, box.querySelector('table')!]) resized.observe(one);
    return () => {
      box.removeEventListener('scroll', look);
      resized.disconnect();
    };
  });
  return seen;
}

import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { apart, beside, type Rect } from './place.js';

/** Shows the box above the rest of the page, wherever its element is. */
export function useOnTop(box: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => box.current!.showPopover(), []);
}

/**
 * Keeps a box beside an element, whatever scrolls or is drawn again meanwhile: the element is looked for in each frame.
 * @param find elements that the box may stand beside, the best first; if there is room beside none of them, it covers part of
 * the first
 * @param placed called with each new place of the element that the box is beside
 */
export function useBeside(
  box: RefObject<HTMLElement | null>,
  find: () => readonly Element[],
  placed?: (to: Rect | undefined) => void,
): void {
  useLayoutEffect(() => {
    let frame = 0;
    let was = '';
    const follow = (): void => {
      frame = requestAnimationFrame(follow);
      const { offsetWidth: width, offsetHeight: height } = box.current!;
      const window = { width: innerWidth, height: innerHeight };
      const rects = find().map(seen);
      const first = rects[0];
      const at = rects.find((to) => beside(to, { width, height }, window)) ?? first;
      const now = JSON.stringify([at, width, height, window]);
      if (now === was) return;
      was = now;
      if (at) {
        const { left, top } = beside(at, { width, height }, window) ?? apart(at, { width, height }, window);
        box.current!.style.left = `${left}px`;
        box.current!.style.top = `${top}px`;
      }
      placed?.(at);
    };
    follow();
    return () => cancelAnimationFrame(frame);
  });
}

function seen(element: Element): Rect {
  const { left, top, right, bottom } = element.getBoundingClientRect();
  const [x, y] = [Math.max(0, left), Math.max(0, top)];
  return {
    left: x,
    top: y,
    width: Math.max(0, Math.min(innerWidth, right) - x),
    height: Math.max(0, Math.min(innerHeight, bottom) - y),
  };
}

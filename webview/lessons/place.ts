/** Where to put a box that belongs to something on the page. CSS pixels of the window. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Size {
  readonly left: number;
  readonly top: number;
}

/** Gap between the box and its element, and between the box and the edges of the window. */
const gap = 8;

/** Below, above, to the right or to the left, wherever there is room first; undefined if every place would cover `to`. */
export function beside(to: Rect, box: Size, window: Size): Rect | undefined {
  const across = within(to.left, box.width, window.width);
  const down = within(to.top, box.height, window.height);
  const places = [
    { left: across, top: to.top + to.height + gap },
    { left: across, top: to.top - gap - box.height },
    { left: to.left + to.width + gap, top: down },
    { left: to.left - gap - box.width, top: down },
  ];
  const found = places.find(
    ({ left, top }) =>
      left >= gap && top >= gap && left + box.width <= window.width - gap && top + box.height <= window.height - gap,
  );
  return found && { ...found, ...box };
}

/** In the corner farthest from `to`. */
export function apart(to: Rect, box: Size, window: Size): Rect {
  const isLeft = to.left + to.width / 2 > window.width / 2;
  const isAbove = to.top + to.height / 2 > window.height / 2;
  return {
    left: within(isLeft ? 0 : window.width, box.width, window.width),
    top: within(isAbove ? 0 : window.height, box.height, window.height),
    ...box,
  };
}

/** As near to the wanted position as possible with all of it in the window. */
function within(wanted: number, size: number, window: number): number {
  return Math.max(gap, Math.min(wanted, window - gap - size));
}

/** The part of a text's pane that its caption, which stays, leaves for tokens. */
type Room = Pick<DOMRect, 'top' | 'bottom'>;

export function roomIn(pane: Element): Room {
  const { top, bottom } = pane.getBoundingClientRect();
  return { top: top + (pane.querySelector<HTMLElement>(':scope > .caption')?.offsetHeight ?? 0), bottom };
}

/** At least a part of it. */
export function isWithin({ top, bottom }: Room, one: Element): boolean {
  const box = one.getBoundingClientRect();
  return box.bottom > top && box.top < bottom;
}

/** Scrolls within the pane only: the page stays where it was scrolled to. */
export function reveal(span: HTMLElement, pane: Element): void {
  const [at, room] = [span.getBoundingClientRect(), roomIn(pane)];
  if (at.top < room.top) pane.scrollTop -= room.top - at.top;
  else if (at.bottom > room.bottom) pane.scrollTop += at.bottom - room.bottom;
}

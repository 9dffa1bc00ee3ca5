/** Where things are on the page, whether it is alone in a browser or two frames deep in a workbench. */
import type { Locator } from 'playwright-core';

/** Parts of the page that are beside or below one another. */
const sections =
  '.head, .news, .legend, .writtenBar, .texts, .toolbar, .gridView > .caption:not(.unseen), .plot, .strip, .tabs, .tabBody';

export interface Box {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly right: number;
  readonly bottom: number;
}

/** The visible part of each section, in CSS pixels: without what a scrolled part of the page cuts off. @param root the page's `:root` */
export function boxes(root: Locator): Promise<Box[]> {
  return root.evaluate((page, wanted) => {
    const seen = (element: Element) => {
      const { left: x, top: y, right, bottom } = element.getBoundingClientRect();
      const box = { name: element.className, x, y, right, bottom };
      for (let at = element.parentElement; at; at = at.parentElement) {
        if (getComputedStyle(at).overflowY === 'visible') continue;
        const clip = at.getBoundingClientRect();
        box.x = Math.max(box.x, clip.left);
        box.y = Math.max(box.y, clip.top);
        box.right = Math.min(box.right, clip.right);
        box.bottom = Math.min(box.bottom, clip.bottom);
      }
      return box;
    };
    return [...page.querySelectorAll(wanted)].map(seen).filter((box) => box.right > box.x && box.bottom > box.y);
  }, sections);
}

export function overlaps(list: readonly Box[]): string[] {
  return list.flatMap((a, i) =>
    list
      .slice(i + 1)
      .filter(
        (b) =>
          Math.min(a.right, b.right) - Math.max(a.x, b.x) > 0.5 &&
          Math.min(a.bottom, b.bottom) - Math.max(a.y, b.y) > 0.5,
      )
      .map((b) => `${a.name} over ${b.name}`),
  );
}

/** Controls that are not hit where they are seen, once they have been scrolled into view. @param root the page's `:root` */
export function unreachable(root: Locator): Promise<string[]> {
  return root.evaluate((page) => {
    const lost: string[] = [];
    const controls = [...page.querySelectorAll<HTMLElement>('button, select, input, [role=tab], summary')];
    for (const control of controls) {
      // What is only for screen readers cannot be hit.
      if (!control.checkVisibility({ visibilityProperty: true }) || control.closest('.unseen')) continue;
      control.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      const { left, top, width, height } = control.getBoundingClientRect();
      const [x, y] = [left + width / 2, top + height / 2];
      const hit = x > 0 && y > 0 && x < innerWidth && y < innerHeight ? document.elementFromPoint(x, y) : null;
      if (!hit || !(control.contains(hit) || hit.contains(control)))
        lost.push(
          `${control.dataset['focus'] ?? control.outerHTML.slice(0, 80)} is under ${hit?.className ?? 'nothing'}`,
        );
    }
    return lost;
  });
}

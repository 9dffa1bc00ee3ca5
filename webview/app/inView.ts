/** In one column, the map is only as high as leaves the open tab's first result in view. */
import { useLayoutEffect } from 'preact/hooks';
import { beginningOf, lines, roomWanted } from '../components/arrival.js';
import { useStore } from '../components/context.js';
import { isStacked } from '../look/room.js';
import { initial } from '../store/state.js';

/** Below a result, in CSS pixels. */
const margin = 6;
/** Of the map, with three of its rows: as low as it gets, and only for a result that has no room beside all of a grid's rows. */
const lowest = 104;
/** What was in a tab before takes at most this share of the window from the map. */
const kept = 0.55;
/** Of the map: what is above its rows, and a row at its highest before anybody zooms. */
const [head, row] = [60, 20];

export function useResultInView(): void {
  const store = useStore();
  const isColumn = isStacked.value;
  const share = store.view.bottomShare.value;
  useLayoutEffect(() => {
    if (!isColumn) return undefined;
    const body = document.getElementById('tab-body')!;
    const [side, page] = [body.parentElement!, body.closest<HTMLElement>('.page')!];
    const [news, work, left, plot] = ['.news', '.work', '.left', '.plot'].map((part) =>
      page.querySelector<HTMLElement>(part)!,
    ) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
    /** With no more height than its rows take. */
    const whole = (): number =>
      left.offsetHeight - plot.offsetHeight + head + row * Number(work.style.getPropertyValue('--rows'));
    let size = '';
    let most = 0;
    /** What was asked for last, and what is to have room below it. */
    let result: Element | undefined;
    let below = 0;
    const look = (): void => {
      // Where one reads, nothing moves.
      if (page.scrollTop > 0) return;
      if (result && !body.contains(result)) {
        result = undefined;
        work.style.removeProperty('--map');
      }
      const now = `${innerWidth} ${innerHeight}`;
      // The map does not become higher again with each tab or line of news: that would be restless.
      const before = now === size ? Math.min(most, kept * innerHeight) : 0;
      most = Math.max(before, bottomOf(body, result, below) - side.getBoundingClientRect().top);
      size = now;
      const wanted = (1 - share) * innerHeight;
      const room = page.clientHeight - news.offsetHeight - most;
      // Where the bar was moved to, it stays.
      const above = share === initial.bottomShare ? Math.min(wanted, room, whole()) : wanted;
      page.style.setProperty('--above', `${Math.floor(above)}px`);
    };
    /** The map gives way if both then have room; otherwise the page is left as it is, and scrolled. */
    const makeRoom = ({ target, detail }: CustomEvent<number>): void => {
      const [above, map] = [page.style.getPropertyValue('--above'), work.style.getPropertyValue('--map')];
      const before = { scrolled: page.scrollTop, most, result };
      result = target as Element;
      below = detail;
      page.scrollTop = 0;
      look();
      const beginning = beginningOf(result);
      const hasRoom = (): boolean => {
        const { top, bottom, height } = beginning.getBoundingClientRect();
        return (below > 0 ? bottom + below : top + Math.min(height, lines)) <= innerHeight;
      };
      for (const least of [Number(work.style.getPropertyValue('--least')), lowest])
        if (below === 0 && least >= lowest && !hasRoom()) work.style.setProperty('--map', `${least}px`);
      const isIn = hasRoom();
      // What is below it will not stay.
      if (below > 0) result = before.result;
      below = 0;
      if (isIn) return;
      ({ most, result } = before);
      work.style.setProperty('--map', map);
      page.style.setProperty('--above', above);
      page.scrollTop = before.scrolled;
    };
    body.addEventListener(roomWanted, makeRoom as EventListener);
    const resized = new ResizeObserver(look);
    for (const one of [page, news, left, body]) resized.observe(one);
    const drawn = new MutationObserver(look);
    drawn.observe(body, { childList: true, subtree: true });
    look();
    return () => {
      body.removeEventListener(roomWanted, makeRoom as EventListener);
      resized.disconnect();
      drawn.disconnect();
      page.style.removeProperty('--above');
      work.style.removeProperty('--map');
    };
  }, [isColumn, share]);
}

/** Of the first figure or form, or of everything if there is none; if something was asked for, of how that begins. */
function bottomOf(body: HTMLElement, result: Element | undefined, below: number): number {
  const parts = [...body.children];
  const first = parts.find((part) => part.matches('.figure, .form')) ?? parts.at(-1);
  const own = (first ?? body).getBoundingClientRect().bottom;
  const asked = result && body.contains(result) ? beginningOf(result).getBoundingClientRect().bottom + below : 0;
  return Math.max(own, asked) + margin;
}

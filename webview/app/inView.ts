/** In one column, the map is only as high as leaves the open tab's first result in view. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { beginningOf, lines, roomWanted } from '../components/arrival.js';
import { useStore } from '../components/context.js';
import { isStacked } from '../look/room.js';
import type { Store } from '../store/store.js';
import { initial } from '../store/state.js';

/** Below a result, in CSS pixels. */
const margin = 6;
/** Of the map, with three of its rows: as low as it gets, and only for a result that has no room beside all of a grid's rows. */
const lowest = 104;
/** Of the text: a line of it, with what stands around it. */
const oneLine = 44;
/** What was in a tab before takes at most this share of the window from the map. */
const kept = 0.55;
/** Longer than between the two clicks of a double one, in milliseconds. */
const pause = 350;
/** Of the map: what is above its rows, and a row at its highest before anybody zooms. */
const [head, row] = [60, 20];

/** Of the page. */
type Parts = Readonly<Record<'body' | 'page' | 'news' | 'work' | 'left' | 'plot', HTMLElement>>;

function partsOf(): Parts {
  const body = document.getElementById('tab-body')!;
  const page = body.closest<HTMLElement>('.page')!;
  const find = (part: string): HTMLElement => page.querySelector<HTMLElement>(part)!;
  return { body, page, news: find('.news'), work: find('.work'), left: find('.left'), plot: find('.plot') };
}

export function useResultInView(): void {
  const store = useStore();
  const isColumn = isStacked.value;
  const share = store.view.bottomShare.value;
  const toMap = useRef(() => {});
  const toDetail = useRef(() => {});
  useLayoutEffect(() => (isColumn ? keep(store, toMap, toDetail) : undefined), [isColumn, share]);
  useAnswered(store, () => {
    if (!isColumn) return;
    // What is asked for is on the map.
    if (asksForToken(store)) partsOf().page.scrollTop = 0;
    else toMap.current();
  });
  useClicked(store, () => {
    if (isStacked.peek() && store.view.tab.peek() === 'cell') toDetail.current();
  });
}

/**
 * Returns a function that lets go.
 * @param toMap is set to what scrolls up to the map
 * @param toDetail is set to what brings into view how the detail begins
 */
function keep({ view }: Store, toMap: RefObject<() => void>, toDetail: RefObject<() => void>): () => void {
  const share = view.bottomShare.peek();
  const parts = partsOf();
  const { body, page, news, work, left, plot } = parts;
  const side = body.parentElement!;
  /** With no more height than its rows take. */
  const whole = (): number =>
    left.offsetHeight - plot.offsetHeight + head + row * Number(work.style.getPropertyValue('--rows'));
  let [size, most] = ['', 0];
  /** What was asked for last, and what is to have room below it. */
  let result: Element | undefined;
  let below = 0;
  const over = new AbortController();
  const { signal } = over;
  const [isRead, isResized] = [reading(page, signal), sizes()];
  /** Scrolls up to the map, if the tabs with the beginning of what they show stay in view. */
  const rise = (): void => {
    const scrolled = page.scrollTop;
    if (scrolled === 0) return;
    page.scrollTop = 0;
    look();
    if (body.getBoundingClientRect().top + lines > innerHeight) page.scrollTop = scrolled;
  };
  toMap.current = rise;
  const isLeftOver = leftOver(page, plot, isRead, signal);
  const look = (): void => {
    if (page.scrollTop > 0) {
      // Where one reads, nothing moves.
      if (isLeftOver() || (!isRead() && isResized())) rise();
      return;
    }
    isResized();
    if (result && !body.contains(result)) {
      result = undefined;
      release(work);
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
  /** The map and then the text give way if all then have room; otherwise the page is left as it is, and scrolled. */
  const makeRoom = ({ target, detail }: CustomEvent<number>): void => {
    const above = page.style.getPropertyValue('--above');
    const before = { scrolled: page.scrollTop, most, result, parts: work.style.cssText };
    result = target as Element;
    below = detail;
    page.scrollTop = 0;
    look();
    const beginning = beginningOf(result);
    const hasRoom = (): boolean => {
      const { top, bottom, height } = beginning.getBoundingClientRect();
      return (below > 0 ? bottom + below : top + Math.min(height, lines)) <= innerHeight;
    };
    // Where the bar between text and map was moved to, it stays.
    if (below === 0) giveWay(work, hasRoom, view.topShare.peek() === initial.topShare ? ['map', 'text'] : ['map']);
    const isIn = hasRoom();
    // What is below it will not stay.
    if (below > 0) result = before.result;
    below = 0;
    if (isIn) return;
    ({ most, result } = before);
    work.style.cssText = before.parts;
    page.style.setProperty('--above', above);
    page.scrollTop = before.scrolled;
  };
  toDetail.current = () => {
    // Where the bar was moved to, it stays. For as long as the detail is open, whichever cell it is about, the map stays as low.
    if (share === initial.bottomShare && showDetail(parts)) result = body.firstElementChild!;
  };
  body.addEventListener(roomWanted, makeRoom as EventListener, { signal });
  const resized = new ResizeObserver(look);
  for (const one of [page, news, left, body]) resized.observe(one);
  const drawn = new MutationObserver(look);
  drawn.observe(body, { childList: true, subtree: true });
  look();
  return () => {
    over.abort();
    resized.disconnect();
    drawn.disconnect();
    page.style.removeProperty('--above');
    release(work);
  };
}

/** The parts are made lower, one after the other, until there is room. */
function giveWay(work: HTMLElement, hasRoom: () => boolean, parts: readonly ('map' | 'text')[]): void {
  const least = Math.max(lowest, Number(work.style.getPropertyValue('--least')));
  const heights = { map: [least, lowest], text: [oneLine] };
  for (const part of parts)
    for (const height of heights[part]) if (!hasRoom()) work.style.setProperty(`--${part}`, `${height}px`);
}

function release(work: HTMLElement): void {
  for (const part of ['--map', '--text']) work.style.removeProperty(part);
}

/**
 * Brings into view as much of a detail’s first chart as says that there is more: first the map gives way, then what is above what
 * was clicked scrolls away. Returns whether the map has given way.
 */
function showDetail({ body, page, work, left, plot }: Parts): boolean {
  const figure = firstOf(body);
  if (!figure) return false;
  const beginning = beginningOf(figure);
  const lack = (): number => {
    const { top, height } = beginning.getBoundingClientRect();
    return Math.ceil(top + Math.min(height, lines) + margin - innerHeight);
  };
  const cut = Math.min(lack(), plot.offsetHeight - lowest);
  if (cut > 0) {
    page.style.setProperty('--above', `${left.offsetHeight - cut}px`);
    work.style.setProperty('--map', `${plot.offsetHeight - cut}px`);
  }
  const above = plot.querySelector('.cell')!.getBoundingClientRect().top - page.getBoundingClientRect().top;
  if (lack() > 0) page.scrollTop += Math.max(0, Math.min(lack(), above));
  return cut > 0;
}

/** Whether the window has another size than when this was last asked. */
function sizes(): () => boolean {
  let former = '';
  return () => {
    const now = `${innerWidth} ${innerHeight}`;
    const isOther = former !== '' && now !== former;
    former = now;
    return isOther;
  };
}

/** Whether the page is where a person has scrolled it to. */
function reading(page: HTMLElement, signal: AbortSignal): () => boolean {
  let isRead = false;
  const read = (event: Event): void => {
    if (!(event instanceof KeyboardEvent) || scrolling.has(event.key)) isRead = true;
  };
  for (const by of ['wheel', 'touchmove', 'keydown']) page.addEventListener(by, read, { signal, passive: true });
  // Its bar: what is in it would be the target.
  page.addEventListener('pointerdown', (event) => event.target === page && read(event), { signal });
  page.addEventListener('scroll', () => (isRead &&= page.scrollTop > 0), { signal });
  return () => isRead;
}

/** Whether what was scrolled to is gone, so that the page is scrolled only as far as the rest of it goes. */
function leftOver(page: HTMLElement, plot: HTMLElement, isRead: () => boolean, signal: AbortSignal): () => boolean {
  let former = page.scrollTop;
  page.addEventListener('scroll', () => (former = page.scrollTop), { signal });
  return () => {
    const [was, now] = [former, page.scrollTop];
    former = now;
    const isCut = now < was && now >= page.scrollHeight - page.clientHeight - 1;
    // Who reads on does so below the map.
    return isCut && (!isRead() || plot.getBoundingClientRect().top >= page.getBoundingClientRect().top);
  };
}

/** Keys that scroll the page, if nothing else heeds them. */
const scrolling = new Set(['PageUp', 'PageDown', 'Home', 'End', ' ', 'ArrowUp', 'ArrowDown']);

/** Whether the open tab says only that a token is to be selected. */
function asksForToken({ view: { tab, selection }, lone }: Store): boolean {
  return ['cell', 'lens'].includes(tab.peek()) && selection.peek().token < 0 && lone.peek().token < 0;
}

/** After a click that the open tab answers: on another tab or, in the detail, on another place. */
function useAnswered(store: Store, answered: () => void): void {
  const tab = store.view.tab.value;
  const { sequence, token, layer, module } = store.view.selection.value;
  const place = tab === 'cell' ? JSON.stringify([sequence, token, layer, module]) : '';
  const isInTab = useRef(false);
  const before = useRef(tab);
  useLayoutEffect(() => {
    const note = ({ target }: Event): void => {
      isInTab.current = document.getElementById('tab-body')!.contains(target as Node);
    };
    const over = new AbortController();
    const { signal } = over;
    for (const by of ['pointerdown', 'keydown']) addEventListener(by, note, { signal, capture: true });
    // Then the editor is what is clicked in.
    addEventListener('blur', () => (isInTab.current = false), { signal });
    return () => over.abort();
  }, []);
  useLayoutEffect(() => {
    // What is clicked on the map stays under the pointer.
    if (before.current !== tab || isInTab.current) answered();
    before.current = tab;
  }, [tab, place]);
}

/** After a click on the map that has selected something, once it is not the first of two. */
function useClicked(store: Store, clicked: () => void): void {
  const then = useRef(clicked);
  then.current = clicked;
  useLayoutEffect(() => {
    let before: unknown;
    let isAnswered = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new AbortController();
    const { signal } = over;
    const down = ({ target }: Event): void => {
      clearTimeout(timer);
      before = (target as Element).closest('.plot') ? store.view.selection.peek() : undefined;
      // Who goes on elsewhere is not interrupted.
      if (!before) isAnswered = true;
    };
    const up = (): void => {
      if (before && before !== store.view.selection.peek()) isAnswered = false;
      before = undefined;
      if (isAnswered) return;
      timer = setTimeout(() => {
        isAnswered = true;
        then.current();
      }, pause);
    };
    addEventListener('pointerdown', down, { signal, capture: true });
    // After the map has selected what is clicked.
    addEventListener('pointerup', up, { signal });
    return () => {
      clearTimeout(timer);
      over.abort();
    };
  }, []);
}

/** The first figure or form. */
const firstOf = (body: HTMLElement): Element | undefined =>
  [...body.children].find((part) => part.matches('.figure, .form'));

/** Of the first figure or form, or of everything if there is none; if something was asked for, of how that begins. */
function bottomOf(body: HTMLElement, result: Element | undefined, below: number): number {
  const own = (firstOf(body) ?? body.lastElementChild ?? body).getBoundingClientRect().bottom;
  const asked = result && body.contains(result) ? beginningOf(result).getBoundingClientRect().bottom + below : 0;
  return Math.max(own, asked) + margin;
}

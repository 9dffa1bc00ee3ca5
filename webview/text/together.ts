/** Two runs that are compared show the same place of their texts: the column beside the one that somebody scrolls goes along. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Partners } from '../../src/trace/alignment/align.js';
import { useStore } from '../components/context.js';
import { isWithin, roomIn } from './room.js';

/** @param box the columns */
export function useTogether(box: RefObject<HTMLElement | null>): void {
  const store = useStore();
  const partners = store.other.isThere.value ? store.partners.value : undefined;
  const selection = store.view.selection.value;
  const scope = store.scope.value?.key;
  /** Where the last click, key or wheel was: what is scrolled from there leads, and what was clicked stays under the pointer. */
  const led = useRef<Element | null>(null);
  useLayoutEffect(() => {
    if (!partners) return;
    const over = new AbortController();
    const { signal } = over;
    const note = ({ target }: Event): void => {
      led.current = target instanceof Element ? target.closest('.text') : null;
    };
    for (const by of ['pointerdown', 'keydown', 'wheel', 'touchmove'])
      addEventListener(by, note, { signal, capture: true, passive: true });
    // A column that goes along is scrolled, too, but leads nobody.
    const scrolled = ({ target }: Event): void => {
      if (target === led.current) bringAlong(target as HTMLElement, partners);
    };
    box.current!.addEventListener('scroll', scrolled, { signal, capture: true });
    const resized = new ResizeObserver(() => bringAllAlong(box.current!, led.current, partners));
    resized.observe(box.current!);
    return () => {
      over.abort();
      resized.disconnect();
    };
  }, [partners]);
  useLayoutEffect(() => {
    if (!partners) return;
    // Once each column has brought into view what is selected in it, and its blocks have their real height.
    const later = requestAnimationFrame(() => bringAllAlong(box.current!, led.current, partners));
    return () => cancelAnimationFrame(later);
  }, [partners, selection, scope]);
}

const columnsOf = (box: Element, isOther: boolean): HTMLElement[] =>
  [...box.querySelectorAll<HTMLElement>('.text')].filter((one) => one.matches('.other') === isOther);

function bringAllAlong(box: Element, led: Element | null, partners: readonly Partners[]): void {
  for (const column of columnsOf(box, led?.matches('.other') ?? false)) bringAlong(column, partners);
}

/** Scrolls the column of the other run so that the same token is at the same height. */
function bringAlong(column: HTMLElement, partners: readonly Partners[]): void {
  const isOther = column.matches('.other');
  const sequence = columnsOf(column.parentElement!, isOther).indexOf(column);
  const beside = columnsOf(column.parentElement!, !isOther)[sequence];
  const found = partners[sequence];
  if (!beside || !found) return;
  const partnerOf = isOther ? found.back : found.of;
  const own = anchorIn(column, partnerOf);
  const partner = own && tokenIn(beside, partnerOf[tokenOf(own)]!);
  if (partner) beside.scrollTop += partner.getBoundingClientRect().top - own.getBoundingClientRect().top;
}

const tokenIn = (column: Element, token: number): HTMLElement | undefined =>
  column.querySelector<HTMLElement>(`[data-i="${token}"]`) ?? undefined;
const tokenOf = (span: HTMLElement): number => Number(span.dataset['i']);

/** The selected token if it is in view, or else the first that is; of those that have a partner. */
function anchorIn(column: HTMLElement, partnerOf: Int32Array): HTMLElement | undefined {
  const room = roomIn(column);
  const isPaired = (span: HTMLElement): boolean => (partnerOf[tokenOf(span)] ?? -1) >= 0;
  const selected = column.querySelector<HTMLElement>('.t.selected');
  if (selected && isPaired(selected) && isWithin(room, selected)) return selected;
  const blocks = [...column.querySelectorAll('.block')].filter((block) => isWithin(room, block));
  const spans = blocks.flatMap((block) => [...block.querySelectorAll<HTMLElement>('[data-i]')]);
  const inView = spans.filter((span) => isWithin(room, span));
  const paired = inView.find(isPaired);
  if (paired || !inView[0]) return paired;
  // In what only this run has, the other stays where that would begin.
  const before = partnerOf.subarray(0, tokenOf(inView[0])).findLastIndex((partner) => partner >= 0);
  return tokenIn(column, before);
}

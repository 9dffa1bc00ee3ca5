/** The tour: a callout beside one part of the panel after another, while everything can be used as usual. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { makeRoom } from '../components/arrival.js';
import { Button } from '../components/controls.js';
import { useStore } from '../components/context.js';
import type { GridScene } from '../map/scene.js';
import { useBeside, useOnTop } from '../lessons/following.js';
import type { Rect } from '../lessons/place.js';
import { prepare, steps, type Step } from './steps.js';
import { say } from '../lessons/strings.js';
import { inability, reasonAgainst } from '../store/reasons.js';

export function Tour({ scene }: { readonly scene: GridScene }) {
  const store = useStore();
  const [at, setAt] = useState(0);
  const [ring, box] = [useRef<HTMLDivElement>(null), useRef<HTMLDivElement>(null)];
  const step = steps[at]!;
  const isLast = at === steps.length - 1;
  const go = (by: 1 | -1): void => {
    if (by > 0 && isLast) end();
    // Keys may come faster than frames.
    else setAt((now) => Math.min(steps.length - 1, Math.max(0, now + by)));
  };
  const end = (): void => {
    store.tour.value = false;
  };
  useReturn();
  useOnTop(ring);
  useOnTop(box);
  useLayoutEffect(() => box.current!.focus(), []);
  useEffect(() => prepare(step, { store, scene }), [step]);
  const scrolled = useRef<Element>(null);
  useBeside(
    box,
    () => {
      const target = targetOf(step);
      if (target && target !== scrolled.current) {
        scrolled.current = target;
        bringUp(target, box.current!.offsetHeight + around);
      }
      // What it says is about the numbers of a figure.
      const [numbers, head] = ['.numbers', 'header'].map((part) => target?.querySelector(part));
      return [target, numbers, head].filter((one) => one instanceof Element);
    },
    (to) => frame(ring.current!, to),
  );
  return (
    <>
      <div ref={ring} popover="manual" class="tourRing" aria-hidden="true" />
      <div
        ref={box}
        popover="manual"
        class="callout tour"
        role="dialog"
        aria-label={say('tour')}
        aria-describedby="tour-text"
        tabindex={-1}
        onKeyDown={(event) => {
          const by = ({ ArrowRight: 1, ArrowLeft: -1 } as const)[event.key];
          if (by === undefined) return;
          event.preventDefault();
          go(by);
        }}
      >
        <div id="tour-text" aria-live="polite">
          <h2>
            {say(step.title)} <span class="faint">{say('tourAt', at + 1, steps.length)}</span>
          </h2>
          <p>{step.text({ store, scene })}</p>
        </div>
        {at === 0 && <p class="faint">{say('tourKeys')}</p>}
        {step.offer && <Offer offer={step.offer} />}
        <div class="tourButtons">
          <Button press={end} class="link" data-focus="tour-skip">
            {say('tourSkip')}
          </Button>
          <span class="spring" />
          <Button press={() => go(-1)} aria-disabled={at === 0} data-focus="tour-back">
            {say('tourBack')}
          </Button>
          <Button press={() => go(1)} primary data-focus="tour-next">
            {say(isLast ? 'tourDone' : 'tourNext')}
          </Button>
        </div>
      </div>
    </>
  );
}

/** Only where the model can be asked; while it runs, the header tells how far it is. */
function Offer({ offer: { label, request, act } }: { readonly offer: NonNullable<Step['offer']> }) {
  const store = useStore();
  const reason = reasonAgainst(store, request);
  if (inability(store, request) !== undefined) return null;
  return (
    <Button
      press={() => {
        // The header says if the run failed.
        act(store).catch(() => undefined);
      }}
      reason={reason}
      data-focus="tour-offer"
    >
      {label(store)}
    </Button>
  );
}

/** Afterwards, goes back to what had the focus, to the tab that was open, and to where the page was scrolled. */
function useReturn(): void {
  const store = useStore();
  useLayoutEffect(() => {
    const { tab, maximised } = store.view;
    const page = document.querySelector('.page')!;
    const was = { tab: tab.peek(), focus: document.activeElement, scrolled: page.scrollTop };
    if (maximised.peek()) store.set({ maximised: false });
    return () => {
      store.set({ tab: was.tab });
      if (was.focus instanceof HTMLElement) was.focus.focus({ preventScroll: true });
      // Once the tab is drawn, which scrolls, too.
      requestAnimationFrame(() => (page.scrollTop = was.scrolled));
    };
  }, []);
}

function targetOf({ at }: Step): Element | undefined {
  for (const selector of at) {
    const found = document.querySelector(selector);
    if (found?.checkVisibility()) return found;
  }
  return undefined;
}

/** Above and below the callout, in CSS pixels. */
const around = 20;

/**
 * Scrolls the nearest scroller as little as makes room for so much below, at most to the top: what is above may be spoken about,
 * too. Not scrollIntoView: that would scroll the header away.
 */
function bringUp(target: Element, below: number): void {
  makeRoom(target, below);
  let scroller = target.parentElement;
  while (
    scroller &&
    !(getComputedStyle(scroller).overflowY === 'auto' && scroller.scrollHeight > scroller.clientHeight)
  )
    scroller = scroller.parentElement;
  if (!scroller) return;
  const padding = parseFloat(getComputedStyle(scroller).scrollPaddingTop) || spare;
  const [own, box] = [target.getBoundingClientRect(), scroller.getBoundingClientRect()];
  const top = own.top - box.top + scroller.scrollTop;
  const least = top + own.height + below - scroller.clientHeight;
  scroller.scrollTop = Math.min(top - padding, Math.max(0, least));
}

/** Gap between a part and its frame, in CSS pixels. */
const spare = 3;

/** Drawn around the part, not on it: the part's own outline would be cut off by its scroller. */
function frame(ring: HTMLElement, to: Rect | undefined): void {
  ring.hidden = to === undefined;
  if (!to) return;
  const [left, top] = [Math.max(0, to.left - spare), Math.max(0, to.top - spare)];
  ring.style.left = `${left}px`;
  ring.style.top = `${top}px`;
  ring.style.width = `${Math.min(innerWidth, to.left + to.width + spare) - left}px`;
  ring.style.height = `${Math.min(innerHeight, to.top + to.height + spare) - top}px`;
}

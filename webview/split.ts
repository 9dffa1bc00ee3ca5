/** A bar between two parts, moved by pointer or arrow keys. Its share goes to the style sheet as a custom property. */
import { h } from './dom.js';
import type { Store } from './store.js';

const limits = { low: 0.12, high: 0.8 };

/** `textShare` splits text and grid; `sideShare` the views from both: beside them, or below when the page is narrow. */
export function splitter(store: Store, key: 'textShare' | 'sideShare', label: string): HTMLElement {
  const bar = h('div', { class: `splitter ${key}`, role: 'separator', tabindex: 0, 'aria-label': label });
  const parent = () => bar.parentElement!;
  const stacked = () => getComputedStyle(parent()).flexDirection === 'column';
  const field = () => (key === 'textShare' ? 'textShare' : stacked() ? 'bottomShare' : 'sideShare');
  const set = (share: number): void => {
    store.set({ [field()]: Math.min(limits.high, Math.max(limits.low, share)) });
  };

  const draw = (): void => {
    const share = store.view[field()];
    parent().style.setProperty('--share', `${(share * 100).toFixed(2)}%`);
    bar.setAttribute('aria-orientation', stacked() ? 'horizontal' : 'vertical');
    bar.setAttribute('aria-valuenow', String(Math.round(share * 100)));
    bar.setAttribute('aria-valuemin', String(limits.low * 100));
    bar.setAttribute('aria-valuemax', String(limits.high * 100));
  };
  store.on(['textShare', 'sideShare', 'bottomShare', 'main'], draw);
  window.addEventListener('resize', draw);

  bar.addEventListener('pointerdown', (event) => {
    bar.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  bar.addEventListener('pointermove', (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const box = parent().getBoundingClientRect();
    const at = stacked() ? (event.clientY - box.top) / box.height : (event.clientX - box.left) / box.width;
    // The text's share counts from the top, the views' from the other end.
    set(key === 'textShare' ? at : 1 - at);
  });
  bar.addEventListener('keydown', (event) => {
    const step = { ArrowUp: -0.03, ArrowLeft: -0.03, ArrowDown: 0.03, ArrowRight: 0.03 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    set(store.view[field()] + (key === 'textShare' ? step : -step));
  });
  return bar;
}

/** A bar between two parts, moved by pointer or arrow keys. It passes its share to the style sheet as a custom property. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { isStacked as isPageStacked } from '../look/room.js';
import { useStore } from './context.js';

const inOneColumn = { textShare: 'topShare', sideShare: 'bottomShare' } as const;
const limits = { low: 0.12, high: 0.8 };

/** `textShare` divides text and map; `sideShare` divides both from the tabs, which are beside them, or below on a narrow page. */
export function Splitter({
  field: which,
  label,
}: {
  readonly field: 'textShare' | 'sideShare';
  readonly label: string;
}) {
  const store = useStore();
  const bar = useRef<HTMLDivElement>(null);
  const isInOneColumn = isPageStacked.value;
  const isStacked = which === 'textShare' || isInOneColumn;
  const field = isInOneColumn ? inOneColumn[which] : which;
  const share = store.view[field].value;
  const set = (to: number): void => store.set({ [field]: Math.min(limits.high, Math.max(limits.low, to)) });

  /** In one column the tabs may have more than their share, so that a result is in view. */
  const shareNow = (): number => {
    const box = bar.current!.parentElement!.getBoundingClientRect();
    return field === 'bottomShare'
      ? 1 - (bar.current!.getBoundingClientRect().top - box.top) / innerHeight
      : store.view[field].peek();
  };

  useLayoutEffect(() => bar.current!.parentElement!.style.setProperty(`--${which}`, share.toFixed(4)), [share]);

  return (
    <div
      ref={bar}
      class={`splitter ${which}`}
      role="separator"
      tabindex={0}
      aria-label={label}
      aria-orientation={isStacked ? 'horizontal' : 'vertical'}
      aria-valuenow={Math.round(share * 100)}
      aria-valuemin={limits.low * 100}
      aria-valuemax={limits.high * 100}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        event.preventDefault();
      }}
      onPointerMove={({ currentTarget, pointerId, clientX, clientY }) => {
        if (!currentTarget.hasPointerCapture(pointerId)) return;
        const box = currentTarget.parentElement!.getBoundingClientRect();
        // A page that scrolls as a whole is as high as it needs, so shares are of its visible height.
        const height = isInOneColumn ? innerHeight : box.height;
        const at = isStacked ? (clientY - box.top) / height : (clientX - box.left) / box.width;
        // The text's share is measured from the top, the tabs' from the other end.
        set(which === 'textShare' ? at : 1 - at);
      }}
      onKeyDown={(event) => {
        const step = { ArrowUp: -0.03, ArrowLeft: -0.03, ArrowDown: 0.03, ArrowRight: 0.03 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        set(shareNow() + (which === 'textShare' ? step : -step));
      }}
    />
  );
}

/** Says why the host did not do what was asked, beside the control that asked, which has the focus. The next press or key removes it. */
import { useEffect, useRef } from 'preact/hooks';
import { useStore } from '../components/context.js';

/** Gap between the control and the message, in pixels. */
const gap = 4;

export function Refusal() {
  const store = useStore();
  const error = store.refused.value;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!error || !box.current) return;
    const { left, bottom } = (document.activeElement ?? document.body).getBoundingClientRect();
    const { offsetWidth, offsetHeight } = box.current;
    box.current.style.left = `${Math.max(gap, Math.min(left, innerWidth - offsetWidth - gap))}px`;
    box.current.style.top = `${Math.max(gap, Math.min(bottom + gap, innerHeight - offsetHeight - gap))}px`;
    const listening = new AbortController();
    const forget = (): void => {
      store.forgetRefusal();
    };
    for (const what of ['pointerdown', 'keydown'] as const)
      window.addEventListener(what, forget, { capture: true, signal: listening.signal });
    return () => {
      listening.abort();
    };
  }, [error]);
  return (
    error && (
      <div ref={box} class="refusal" role="alert">
        <strong>{error.message}</strong> {error.remedy}
      </div>
    )
  );
}

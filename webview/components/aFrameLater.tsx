import { toChildArray, type ComponentChildren } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

/**
 * What lies below the first things in sight is drawn a frame after them, so that a click is answered before that; one child in
 * each frame, so that the next click is, too.
 */
export function AFrameLater({ children }: { readonly children: ComponentChildren }) {
  const all = toChildArray(children);
  const [count, setCount] = useState(0);
  const isDone = count >= all.length;
  useLayoutEffect(() => {
    if (isDone) return undefined;
    const more = (): void => setCount(count + 1);
    let due = requestAnimationFrame(() => {
      // This one is before the frame that shows what was there.
      if (count === 0) due = requestAnimationFrame(more);
      else more();
    });
    return () => cancelAnimationFrame(due);
  }, [count, isDone]);
  return <>{all.slice(0, count)}</>;
}

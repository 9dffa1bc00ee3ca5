import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

/** What lies below the first things in sight is drawn a frame after them, so that a click is answered before that. */
export function AFrameLater({ children }: { readonly children: ComponentChildren }) {
  const [isDue, setIsDue] = useState(false);
  useLayoutEffect(() => {
    // The first of the two is before the frame that shows the rest.
    let due = requestAnimationFrame(() => {
      due = requestAnimationFrame(() => setIsDue(true));
    });
    return () => cancelAnimationFrame(due);
  }, []);
  return <>{isDue && children}</>;
}

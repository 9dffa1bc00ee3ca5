import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** What lies below the first things in sight is drawn a frame after them, so that a click is answered before that. */
export function AFrameLater({ children }: { readonly children: ComponentChildren }) {
  const [isDue, setIsDue] = useState(false);
  // Effects run once the frame is drawn.
  useEffect(() => setIsDue(true), []);
  return <>{isDue && children}</>;
}

/** Why the host did not do what was asked. It is read out, and brought into view. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { ErrorData } from '../../src/errors/errors.js';

export function Refusal({ error }: { readonly error: ErrorData }) {
  const box = useRef<HTMLParagraphElement>(null);
  useLayoutEffect(() => box.current!.scrollIntoView({ block: 'nearest' }), [error]);
  return (
    <p ref={box} class="notice error" role="alert">
      <strong>{error.message}</strong> {error.remedy}
    </p>
  );
}

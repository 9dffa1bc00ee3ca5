/** Draws with code that is loaded when it is first needed. */
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Lazy } from '../store/lazy.js';

interface Props<T> {
  readonly of: Lazy<T>;
  readonly show: (code: T) => ComponentChildren;
  readonly meanwhile?: ComponentChildren;
}

export function WhenHere<T>({ of, show, meanwhile }: Props<T>) {
  useEffect(() => void of.want(), [of]);
  const code = of.code.value;
  return <>{code === undefined ? meanwhile : show(code)}</>;
}

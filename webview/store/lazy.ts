/** Code that few sessions need: loaded when it is first wanted. */
import { signal, type ReadonlySignal } from '@preact/signals-core';

export interface Lazy<T> {
  /** Undefined until it is loaded. */
  readonly code: ReadonlySignal<T | undefined>;
  /** Loads it once, and again only after a failure, which rejects the promise. */
  readonly want: () => Promise<T>;
}

export function lazy<T>(load: () => Promise<T>): Lazy<T> {
  const code = signal<T | undefined>(undefined);
  let asked: Promise<T> | undefined;
  return {
    code,
    want: () =>
      (asked ??= load().then(
        (found) => (code.value = found),
        (error: unknown) => {
          asked = undefined;
          throw error;
        },
      )),
  };
}

/** Code that few sessions need: loaded when it is first wanted. */
import { signal, type ReadonlySignal } from '@preact/signals-core';

export interface Late<T> {
  /** Undefined until it is loaded. */
  readonly code: ReadonlySignal<T | undefined>;
  /** Loads it once, and again only after a failure, which rejects the promise. */
  readonly want: () => Promise<T>;
}

export function late<T>(load: () => Promise<T>): Late<T> {
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

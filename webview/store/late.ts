/** Code that few need in a session: it comes when it is first wanted. */
import { signal, type ReadonlySignal } from '@preact/signals-core';

export interface Late<T> {
  /** Undefined until it has come. */
  readonly code: ReadonlySignal<T | undefined>;
  /** Asks for it, once; again only if it could not be fetched, of which the promise tells. */
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

/** What few people open in a session comes when one does: how a text is parted, and what is said of a part. */
import { signal } from '@preact/signals-core';
import type * as Parts from './parts.js';

export const parts = signal<typeof Parts | undefined>(undefined);

let asked: Promise<void> | undefined;

export function want(): void {
  asked ??= import('./parts.js').then((found) => {
    parts.value = found;
  });
}

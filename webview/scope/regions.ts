/** The part of a trace's text that a key means; its regions are found once. */
import { regionScopes, selectionOf, type TextScope } from '../../src/trace/text/scopes.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { once } from '../store/sums.js';

export const regionsOf = (trace: Trace, title: string): readonly TextScope[] =>
  once(trace, `regions ${title}`, () => regionScopes(trace, title));

/** Undefined if the text has no part with that key. */
export const scopeOf = (trace: Trace, title: string, key: string): TextScope | undefined =>
  selectionOf(trace, key) ?? regionsOf(trace, title).find((scope) => scope.key === key);

/** Which part of a trace's text a key means; its regions are told once. */
import { regionScopes, selectionOf, type TextScope } from '../../src/trace/text/scopes.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { once } from '../store/sums.js';

export const regionsOf = (trace: Trace, title: string): readonly TextScope[] =>
  once(trace, `regions ${title}`, () => regionScopes(trace, title));

/** Undefined where the text has none of that key. */
export const scopeOf = (trace: Trace, title: string, key: string): TextScope | undefined =>
  selectionOf(trace, key) ?? regionsOf(trace, title).find((scope) => scope.key === key);

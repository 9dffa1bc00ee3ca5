import { tokenCount } from './access.js';
import { cut } from './pieces.js';
import type { Trace } from './trace.js';

/** A partial trace as a finished one: cut to the tokens that are done. A finished one is given back as it is. */
export function finished(trace: Trace): Trace {
  const T = tokenCount(trace);
  const done = trace.done;
  if (done === T) return trace;

  const M = trace.modules.length;
  const first = <A extends Float32Array | Int16Array | Int32Array>(array: A, rows: number) =>
    cut(array, rows, T, 0, done);
  const { ids, start, end, text } = trace.tokens;
  return {
    ...trace,
    tokens: { ids: first(ids, 1), start: first(start, 1), end: first(end, 1), text: text.slice(0, done) },
    chosen: first(trace.chosen, M),
    weight: first(trace.weight, M),
    ...(trace.affinity && { affinity: first(trace.affinity, M) }),
    ...(trace.contribution && { contribution: first(trace.contribution, M) }),
    ...(trace.logProb && { logProb: first(trace.logProb, 1) }),
    ...(trace.topIds && { topIds: first(trace.topIds, 1) }),
    ...(trace.topLogProb && { topLogProb: first(trace.topLogProb, 1) }),
    ...(trace.topTokens && { topTokens: trace.topTokens.slice(0, done * trace.predictions) }),
  };
}

import { tokenCount } from './access.js';
import type { Trace } from './trace.js';

/** A partial trace as a finished one: cut to the tokens that are done. A finished one is given back as it is. */
export function finished(trace: Trace): Trace {
  const T = tokenCount(trace);
  const done = trace.done;
  if (done === T) return trace;

  /** [rows, T, width] → [rows, done, width] */
  function cut<A extends Float32Array | Int16Array | Int32Array>(array: A, rows: number): A {
    const stride = array.length / (rows * T);
    const out = array.slice(0, rows * done * stride) as A;
    for (let r = 0; r < rows; r++) out.set(array.subarray(r * T * stride, (r * T + done) * stride), r * done * stride);
    return out;
  }

  const M = trace.modules.length;
  const { ids, start, end, text } = trace.tokens;
  return {
    ...trace,
    tokens: { ids: cut(ids, 1), start: cut(start, 1), end: cut(end, 1), text: text.slice(0, done) },
    chosen: cut(trace.chosen, M),
    weight: cut(trace.weight, M),
    ...(trace.affinity && { affinity: cut(trace.affinity, M) }),
    ...(trace.contribution && { contribution: cut(trace.contribution, M) }),
    ...(trace.logProb && { logProb: cut(trace.logProb, 1) }),
    ...(trace.topIds && { topIds: cut(trace.topIds, 1) }),
    ...(trace.topLogProb && { topLogProb: cut(trace.topLogProb, 1) }),
    ...(trace.topTokens && { topTokens: trace.topTokens.slice(0, done * trace.predictions) }),
  };
}

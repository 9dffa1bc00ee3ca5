/** Top-k overlap: how far two choices agree. */
import { chosenCount, isKnown, type Rows, rowsAt } from '../model/access.js';
import { shared } from '../../statistics/sets.js';
import type { Trace } from '../model/trace.js';

/**
 * Whether every module sends all its tokens to the same experts, or to none. Nothing is chosen then, so it makes no sense to ask
 * how far another run's choices agree.
 */
export function isFixed(trace: Trace): boolean {
  return trace.modules.every((_, s) => isFixedAt(rowsAt(trace, s), trace));
}

function isFixedAt(rows: Rows, { sequences }: Trace): boolean {
  const { chosen, k, module } = rows;
  const done = sequences[module.sequence]?.done ?? 0;
  let first = -1;
  for (let t = 0; t < done; t++) {
    if (!isKnown(rows, t)) continue;
    if (first < 0) first = t;
    const common = shared(chosen, first * k, k, chosen, t * k, k);
    if (common !== chosenCount(rows, first) || common !== chosenCount(rows, t)) return false;
  }
  return true;
}

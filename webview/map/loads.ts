/** How evenly each row's own experts are used, for its header and its tip. Pure. */
import { type ChanceLoad, chanceLoadOf, load, type Load } from '../../src/statistics/load.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { usage } from '../../src/trace/figures/usage.js';
import type { Row } from './model.js';

export interface RowLoad {
  readonly load: Load;
  readonly chance: ChanceLoad;
}

/** [R] undefined if a row's experts are the pool's, or nothing is known yet. */
export function loadsOf(trace: Trace, rows: readonly Row[]): (RowLoad | undefined)[] {
  return rows.map(({ parts }) => {
    const part = parts.find((one) => one?.set.scope === 'layer');
    const used = part && usage(trace, part);
    return used && used.choices > 0 ? { load: load(used.share, used.chance), chance: chanceLoadOf(used) } : undefined;
  });
}

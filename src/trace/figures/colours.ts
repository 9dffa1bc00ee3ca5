/** Which expert has which colour, the same wherever a trace is shown: panel, editor, tree, terminal and exports. */
import { colourCount, slotsOf } from '../../look/palette.js';
import { rowsAt } from '../model/access.js';
import type { ExpertSet, Trace } from '../model/trace.js';

/**
 * [N] the colour of each expert of a set, as an index for `expertStyle`, or `quiet`.
 * @param pinned ids of experts that get a colour however rarely they are used
 */
export function slotsIn(trace: Trace, set: ExpertSet, pinned: readonly string[] = []): Int16Array {
  const count = set.experts.length;
  const pins = pinned.map((id) => set.experts.findIndex((expert) => expert.id === id)).filter((e) => e >= 0);
  return slotsOf(count, count > colourCount ? usedOf(trace, set) : [], pins);
}

const used = new WeakMap<Trace, Map<ExpertSet, Float64Array>>();

/** [N] how often each expert of a set was chosen, over all modules with this set. */
function usedOf(trace: Trace, set: ExpertSet): Float64Array {
  let kept = used.get(trace);
  if (!kept) used.set(trace, (kept = new Map<ExpertSet, Float64Array>()));
  let counts = kept.get(set);
  if (!counts) {
    kept.set(set, (counts = new Float64Array(set.experts.length)));
    trace.modules.forEach(({ expertSet }, s) => {
      if (trace.expertSets[expertSet] === set) for (const e of rowsAt(trace, s).chosen) if (e >= 0) counts![e]!++;
    });
  }
  return counts;
}

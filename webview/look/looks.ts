/** How each expert of a set looks: the class that gives it colour and pattern, and what its badge says. */
import { colourCount, letters, quiet, slotsOf } from '../../src/shared/palette.js';
import { rowsAt } from '../../src/trace/access.js';
import type { ExpertSet, Trace } from '../../src/trace/trace.js';

export interface Looks {
  readonly set: ExpertSet;
  /** [N] index of a colour, or `quiet`. */
  readonly slots: Int16Array;
}

export function looksOf(trace: Trace, set: ExpertSet, pinned: readonly string[]): Looks {
  const count = set.experts.length;
  const pins = pinned.map((id) => set.experts.findIndex((expert) => expert.id === id)).filter((e) => e >= 0);
  return { set, slots: slotsOf(count, count > colourCount ? usedOf(trace, set) : [], pins) };
}

const used = new WeakMap<Trace, Map<ExpertSet, Float64Array>>();

/** [N] how often each expert of a set was chosen, at all sites that have this set. */
function usedOf(trace: Trace, set: ExpertSet): Float64Array {
  let kept = used.get(trace);
  if (!kept) used.set(trace, (kept = new Map<ExpertSet, Float64Array>()));
  let counts = kept.get(set);
  if (!counts) {
    kept.set(set, (counts = new Float64Array(set.experts.length)));
    trace.sites.forEach(({ expertSet }, s) => {
      if (trace.expertSets[expertSet] === set) for (const e of rowsAt(trace, s).chosen) if (e >= 0) counts![e]!++;
    });
  }
  return counts;
}

/** `x3`, or `xo` for those without a colour of their own. */
export function classOf(slot: number): string {
  return slot === quiet ? 'xo' : `x${slot}`;
}

/** What stands on an expert's colour: its letter in a pool; where each layer has its own, its number. */
export function letterOf({ scope }: ExpertSet, expert: number): string {
  return scope === 'pool' ? letters(expert) : String(expert);
}

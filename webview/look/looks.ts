/** How each expert of a set looks: the class that gives it colour and pattern, and what its badge says. */
import { quiet } from '../../src/look/palette.js';
import { signsOf } from '../../src/look/signs.js';
import { slotsIn } from '../../src/trace/figures/colours.js';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';

export interface Looks {
  readonly set: ExpertSet;
  /** [N] index of a colour, or `quiet`. */
  readonly slots: Int16Array;
}

export function looksOf(trace: Trace, set: ExpertSet, pinned: readonly string[]): Looks {
  return { set, slots: slotsIn(trace, set, pinned) };
}

/** `x3`, or `xo` for those without a colour of their own. */
export function classOf(slot: number): string {
  return slot === quiet ? 'xo' : `x${slot}`;
}

/** What stands on an expert's colour: its sign in a pool; where each layer has its own, its number. */
export function signOf({ scope, experts }: ExpertSet, expert: number): string {
  return scope === 'pool' ? signsOf(experts)[expert]! : String(expert);
}

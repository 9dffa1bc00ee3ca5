/** How each expert of a set looks: the class that gives it colour and pattern, and what its badge says. */
import { letters, quiet } from '../../src/shared/palette.js';
import { slotsIn } from '../../src/trace/colours.js';
import type { ExpertSet, Trace } from '../../src/trace/trace.js';

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

/** What stands on an expert's colour: its letter in a pool; where each layer has its own, its number. */
export function letterOf({ scope }: ExpertSet, expert: number): string {
  return scope === 'pool' ? letters(expert) : String(expert);
}

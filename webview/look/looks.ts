/** How each expert of a set looks: the class with its colour and pattern, the text of its badge, and its name. */
import { quiet } from '../../src/look/palette.js';
import type { Named } from '../../src/paper/plot.js';
import { shortLabelsOf } from '../../src/look/shortLabels.js';
import { slotsIn } from '../../src/trace/figures/colours.js';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import { plainName } from './names.js';

export interface Looks {
  readonly set: ExpertSet;
  /** [N] index of a colour, or `quiet`. */
  readonly slots: Int16Array;
}

export function looksOf(trace: Trace, set: ExpertSet, pinned: readonly string[]): Looks {
  return { set, slots: slotsIn(trace, set, pinned) };
}

/** `x3`, or `xo` for an expert without a colour of its own. */
export function classOf(slot: number): string {
  return slot === quiet ? 'xo' : `x${slot}`;
}

/** The text on an expert's colour: its short label in a pool, or its number if each layer has its own experts. */
export function shortLabelOf({ scope, experts }: ExpertSet, expert: number): string {
  return scope === 'pool' ? shortLabelsOf(experts)[expert]! : String(expert);
}

/** As figures that are saved show it. @param name default: the plain name */
export function named({ set, slots }: Looks, expert: number, name = plainName(set, expert)): Named {
  return { name, shortLabel: shortLabelOf(set, expert), slot: slots[expert]! };
}

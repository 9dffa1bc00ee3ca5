/** The underlines of a range while its panel shows something other than the chosen colouring. */
import type { Attribution } from '../requests/api.js';
import type { Routed } from '../routing/store.js';
import { attributionOf } from '../trace/figures/attributed.js';
import { partners } from '../trace/alignment/align.js';
import { type Change, choiceChanges, haveChoicesInCommon, logProbChanges } from '../trace/alignment/change.js';
import type { Overlay } from '../trace/figures/colouring.js';
import { slotsIn } from '../trace/figures/colours.js';
import { isFixed } from '../trace/figures/overlap.js';
import type { Trace } from '../trace/model/trace.js';
import { levelsOf, type Tones } from './tones.js';

/** Undefined if the range has nothing to show for the overlay; the chosen colouring is drawn then. */
export function overlaid({ main, other }: Pick<Routed, 'main' | 'other'>, overlay: Overlay): Tones | undefined {
  const { trace, before, attribution } = main;
  if (!trace) return undefined;
  switch (overlay) {
    case '':
      return undefined;
    case 'attribution':
      return attribution && once(trace, attribution, () => byAttribution(trace, attribution));
    case 'change': {
      const against = other?.trace ?? before;
      const change = changed({ main, other });
      return against && change && once(trace, against, () => byChange(change));
    }
  }
}

const known = new WeakMap<Trace, WeakMap<object, Tones | undefined>>();

function once(trace: Trace, against: object, make: () => Tones | undefined): Tones | undefined {
  let kept = known.get(trace);
  if (!kept) known.set(trace, (kept = new WeakMap<object, Tones | undefined>()));
  if (!kept.has(against)) kept.set(against, make());
  return kept.get(against);
}

function byAttribution(trace: Trace, found: Attribution): Tones | undefined {
  // The editor shows only the input of an encoder-decoder, for which there are no predictions.
  if (trace.sequences.length > 1) return undefined;
  const slots = found.experts.map(({ id }) => slotOf(trace, id));
  return { slots: Array.from(attributionOf(found).expert, (e) => slots[e]) };
}

function slotOf(trace: Trace, expert: string): number | undefined {
  for (const set of trace.expertSets) {
    const e = set.experts.findIndex(({ id }) => id === expert);
    if (e >= 0) return slotsIn(trace, set)[e];
  }
  return undefined;
}

const changes = new WeakMap<Trace, WeakMap<Trace, Change | undefined>>();

/** How the range's tokens differ from those of the other run, or of the run without the what-ifs; undefined if no token’s change is known. */
export function changed({ main: { trace, before }, other }: Pick<Routed, 'main' | 'other'>): Change | undefined {
  const against = other?.trace ?? before;
  if (!trace || !against) return undefined;
  let kept = changes.get(trace);
  if (!kept) changes.set(trace, (kept = new WeakMap<Trace, Change | undefined>()));
  if (!kept.has(against)) kept.set(against, changeOf(trace, against, other?.trace !== undefined));
  return kept.get(against);
}

/** As the panel does: by choices or, against another run if one of the two chooses nothing, or nothing that the other could, by predictions. */
function changeOf(trace: Trace, against: Trace, isOther: boolean): Change | undefined {
  const beside = partners(trace, against);
  const isByPredictions = isOther && (isFixed(trace) || isFixed(against) || !haveChoicesInCommon(trace, against));
  const change = (isByPredictions ? logProbChanges : choiceChanges)(trace, against, beside)[0]!;
  return change.value.every(Number.isNaN) ? undefined : change;
}

function byChange({ by, value, most }: Change): Tones {
  if (by === 'choices') return { levels: levelsOf(value) };
  const levels = levelsOf(value.map((x) => Math.min(1, Math.abs(x) / most)));
  return { levels: levels.map((level, t) => (level !== undefined && value[t]! > 0 ? -level : level)) };
}

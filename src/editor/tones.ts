/** The underline of each token of a text, cached per trace and choice, because it is drawn often. */
import type { Layer } from '../trace/model/access.js';
import { slotsIn } from '../trace/figures/colours.js';
import { type ColourChoice, isMeasure, measured, type Measured, shownBy } from '../trace/figures/colouring.js';
import { shownLeaders } from '../trace/figures/leaders.js';
import { layerOf, shownExpertsOf } from '../trace/model/shownExperts.js';
import type { Trace } from '../trace/model/trace.js';

export interface Tones {
  /** The layer that the colours show; undefined: all layers. */
  readonly layer?: Layer;
  /** [T] palette slot of each token's leading expert, or of the one with the largest attribution; undefined if there is none. */
  readonly slots?: readonly (number | undefined)[];
  /**
   * [T] 1 to `strongest` by a measure or a change, −1 to −`strongest` of what became likelier; undefined if unknown or too weak to
   * draw.
   */
  readonly levels?: readonly (number | undefined)[];
  readonly measured?: Measured;
}

export const strongest = 4;

const known = new WeakMap<Trace, { readonly choice: ColourChoice; readonly tones: Tones }>();

/** For the first sequence. */
export function tonesOf(trace: Trace, choice: ColourChoice): Tones {
  const kept = known.get(trace);
  if (kept?.choice.by === choice.by && kept.choice.layer === choice.layer) return kept.tones;
  const tones = made(trace, choice);
  known.set(trace, { choice, tones });
  return tones;
}

function made(trace: Trace, choice: ColourChoice): Tones {
  const { by, layer: key } = shownBy(trace, choice);
  if (by === 'experts') {
    const shownExperts = shownExpertsOf(trace, key);
    const part = shownExperts?.parts[0];
    const slots = part && slotsIn(trace, part.set);
    const leaders = part && shownLeaders(trace, part).expert;
    return {
      ...(shownExperts?.layer && { layer: shownExperts.layer }),
      ...(leaders && { slots: Array.from(leaders, (e) => (e < 0 ? undefined : slots![e]!)) }),
    };
  }
  if (!isMeasure(by)) return {};
  const layer = layerOf(trace, key);
  const found = measured(trace, 0, by, layer);
  return { ...(layer && { layer }), measured: found, levels: levelsOf(found.strength) };
}

/** [T] @param strength [T] 0..1, NaN if unknown */
export function levelsOf(strength: Float32Array): (number | undefined)[] {
  return Array.from(strength, (share) => Math.min(strongest, Math.floor(share * (strongest + 1))) || undefined);
}

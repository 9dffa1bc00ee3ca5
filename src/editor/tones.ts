/** What each token of a text is underlined by: worked out once for a trace and a choice, however often it is drawn. */
import type { Layer } from '../trace/model/access.js';
import { slotsIn } from '../trace/figures/colours.js';
import { type ColourChoice, isMeasure, measured, type Measured, shownBy } from '../trace/figures/colouring.js';
import { shownLeaders } from '../trace/figures/leaders.js';
import { layerOf, sightOf } from '../trace/model/sight.js';
import type { Trace } from '../trace/model/trace.js';

export interface Tones {
  /** The layer that the colours are of; undefined: all. */
  readonly layer?: Layer;
  /** [T] slot of the palette of each token's leading expert, or of the one it owes most to; undefined where none leads. */
  readonly slots?: readonly (number | undefined)[];
  /** [T] 1 to `strongest` by a measure or a change; undefined where it is not known, or too weak to be told from nothing. */
  readonly levels?: readonly (number | undefined)[];
  readonly measured?: Measured;
}

export const strongest = 4;

const known = new WeakMap<Trace, { readonly choice: ColourChoice; readonly tones: Tones }>();

/** Of the first sequence. */
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
    const sight = sightOf(trace, key);
    const part = sight?.parts[0];
    const slots = part && slotsIn(trace, part.set);
    const leaders = part && shownLeaders(trace, part).expert;
    return {
      ...(sight?.layer && { layer: sight.layer }),
      ...(leaders && { slots: Array.from(leaders, (e) => (e < 0 ? undefined : slots![e]!)) }),
    };
  }
  if (!isMeasure(by)) return {};
  const layer = layerOf(trace, key);
  const found = measured(trace, 0, by, layer);
  return { ...(layer && { layer }), measured: found, levels: levelsOf(found.strength) };
}

/** [T] @param strength [T] 0..1, NaN where it is not known */
export function levelsOf(strength: Float32Array): (number | undefined)[] {
  return Array.from(strength, (share) => Math.min(strongest, Math.floor(share * (strongest + 1))) || undefined);
}

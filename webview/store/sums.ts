/** What views sum up, each computed once per trace: the host sends a new object whenever anything in it changes. */
import type { Layer, SharedModules } from '../../src/trace/model/access.js';
import { decided, entropyByLayer } from '../../src/trace/figures/distribution.js';
import { shownLeaders, type Leaders } from '../../src/trace/figures/leaders.js';
import { vocabularySpecialisation, type Vocabulary } from '../../src/trace/figures/specialisation.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Coactivation } from '../../src/statistics/pairs.js';
import { coactivation, usage, usageByLayer, usageIntervals, type Usage } from '../../src/trace/figures/usage.js';
import { measured, type Measured, type TextMeasure } from '../../src/trace/figures/colouring.js';
import { layerKey, type ShownExperts } from '../../src/trace/model/shownExperts.js';

const kept = new WeakMap<Trace, Map<string, unknown>>();

export function once<T>(trace: Trace, key: string, make: () => T): T {
  let own = kept.get(trace);
  if (!own) kept.set(trace, (own = new Map<string, unknown>()));
  if (!own.has(key)) own.set(key, make());
  return own.get(key) as T;
}

/** The routed modules as a key: the same ones are asked for again and again. */
const nameOf = ({ modules }: SharedModules): string => modules.join(' ');

export const usageOf = (trace: Trace, modules: SharedModules): Usage =>
  once(trace, `usage ${nameOf(modules)}`, () => usage(trace, modules));

export const intervalsOf = (trace: Trace, modules: SharedModules) =>
  once(trace, `intervals ${nameOf(modules)}`, () => usageIntervals(trace, modules));

export const togetherOf = (trace: Trace, modules: SharedModules): Coactivation =>
  once(trace, `together ${nameOf(modules)}`, () => coactivation(trace, modules));

export const vocabularyOf = (trace: Trace, modules: SharedModules): Vocabulary =>
  once(trace, `vocabulary ${nameOf(modules)}`, () => vocabularySpecialisation([{ trace, modules }]));

export const leadersOf = (trace: Trace, modules: SharedModules): Leaders =>
  once(trace, `leaders ${nameOf(modules)}`, () => shownLeaders(trace, modules));

export const usageByLayerOf = (trace: Trace, sequence: number): readonly (Usage | undefined)[] =>
  once(trace, `usageByLayer ${sequence}`, () => usageByLayer(trace, { sequence }));

/** [L] one per layer, over the sequence; undefined if nothing says how scores become a distribution. */
export const entropyOf = (trace: Trace, sequence: number): Float32Array | undefined =>
  once(trace, `entropy ${sequence}`, () => {
    const entropy = entropyByLayer(trace, { sequence });
    return entropy.some((x) => !Number.isNaN(x)) ? entropy : undefined;
  });

export const decidedOf = (trace: Trace, sequence: number) =>
  once(trace, `decided ${sequence}`, () => decided(trace, sequence));

export const measuredOf = (trace: Trace, sequence: number, by: TextMeasure, layer: Layer | undefined): Measured =>
  once(trace, `measured ${sequence} ${by} ${layer ? layerKey(layer) : ''}`, () => measured(trace, sequence, by, layer));

/** [N] each expert's share of all choices in sight, over all sequences, since these have the same set. */
export const sharesOf = (trace: Trace, { set, parts }: ShownExperts): Float64Array =>
  once(trace, `shares ${parts.map((part) => (part ? nameOf(part) : '')).join('|')}`, () => {
    const counts = new Float64Array(set.experts.length);
    let choices = 0;
    for (const part of parts) {
      if (!part) continue;
      const own = usageOf(trace, part);
      own.counts.forEach((count, e) => (counts[e]! += count));
      choices += own.choices;
    }
    return choices > 0 ? counts.map((count) => count / choices) : counts;
  });

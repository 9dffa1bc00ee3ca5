/** Which experts a view shows: those of a pool, or those of one chosen layer if each layer has its own. */
import { type Layer, layersOf, type SharedModules, sharedModules } from './access.js';
import type { ExpertSet, Scope, Trace } from './trace.js';

export interface ShownExperts {
  readonly set: ExpertSet;
  /** The layer whose experts these are; absent if they are the same in all layers. */
  readonly layer?: Layer;
  /** For each sequence: its modules that have this set. */
  readonly parts: readonly (SharedModules | undefined)[];
}

/** A layer as a string, for a view's state and for messages. */
export function layerKey({ stack, layer, router }: Layer): string {
  return [stack, layer, router].filter((part) => part !== undefined).join(' ');
}

/** The scope of an intervention that applies to this layer only. */
export function scopeOf({ stack, layer, router }: Layer): Scope {
  return { layer, ...(stack && { stack }), ...(router !== undefined && { kind: router }) };
}

/** The layer with this key; undefined for the empty key (all layers) or a layer that the trace does not have. */
export function layerOf(trace: Trace, key: string): Layer | undefined {
  return layersOf(trace).find((layer) => layerKey(layer) === key);
}

/** @param chosen key of a layer, ignored for a pool. Default: the first layer that has modules. */
export function shownExpertsOf(trace: Trace, chosen = ''): ShownExperts | undefined {
  const whole = partsOf(trace);
  const sets = new Set(whole.flatMap((part) => (part ? [part.set] : [])));
  const routed = new Set(trace.modules.map(({ sequence }) => sequence));
  if (sets.size === 1 && whole.every((part, sequence) => part !== undefined || !routed.has(sequence)))
    return { set: [...sets][0]!, parts: whole };
  const layer = layerOf(trace, chosen) ?? layersOf(trace)[0];
  if (!layer) return undefined;
  const parts = partsOf(trace, layer);
  const set = parts.find((part) => part !== undefined)?.set;
  return set && { set, layer, parts: parts.map((part) => (part?.set === set ? part : undefined)) };
}

function partsOf(trace: Trace, layer?: Layer): (SharedModules | undefined)[] {
  return trace.sequences.map((_, sequence) => sharedModules(trace, { ...layer, sequence }));
}

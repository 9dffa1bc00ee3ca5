/** Whose experts are in sight: a pool's, or those of the one layer that was chosen where each layer has its own. */
import { type Layer, layersOf, type SharedSites, sharedSites } from './access.js';
import type { ExpertSet, Scope, Trace } from './trace.js';

export interface Sight {
  readonly set: ExpertSet;
  /** The layer whose own experts these are; absent: they are the same ones in all layers. */
  readonly layer?: Layer;
  /** By sequence: the sites over it that have this set. */
  readonly parts: readonly (SharedSites | undefined)[];
}

/** A layer in a view's state and in a message. */
export function layerKey({ stack, layer, router }: Layer): string {
  return [stack, layer, router].filter((part) => part !== undefined).join(' ');
}

/** What a what-if says to hold in a layer and nowhere else. */
export function scopeOf({ stack, layer, router }: Layer): Scope {
  return { layer, ...(stack && { stack }), ...(router !== undefined && { kind: router }) };
}

/** The layer that a key names; undefined: all, or one that this trace does not have. */
export function layerOf(trace: Trace, key: string): Layer | undefined {
  return layersOf(trace).find((layer) => layerKey(layer) === key);
}

/** @param chosen key of a layer; of a pool it is of no account. Default: the first that has sites. */
export function sightOf(trace: Trace, chosen = ''): Sight | undefined {
  const whole = partsOf(trace);
  const sets = new Set(whole.flatMap((part) => (part ? [part.set] : [])));
  const routed = new Set(trace.sites.map(({ sequence }) => sequence));
  if (sets.size === 1 && whole.every((part, sequence) => part !== undefined || !routed.has(sequence)))
    return { set: [...sets][0]!, parts: whole };
  const layer = layerOf(trace, chosen) ?? layersOf(trace)[0];
  if (!layer) return undefined;
  const parts = partsOf(trace, layer);
  const set = parts.find((part) => part !== undefined)?.set;
  return set && { set, layer, parts: parts.map((part) => (part?.set === set ? part : undefined)) };
}

function partsOf(trace: Trace, layer?: Layer): (SharedSites | undefined)[] {
  return trace.sequences.map((_, sequence) => sharedSites(trace, { ...layer, sequence }));
}

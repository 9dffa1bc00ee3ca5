/** The tree for models in which each layer has its own experts: layers, their experts, the tokens that each expert took. */
import {
  chosenAt,
  type Layer,
  layersOf,
  rowsAt,
  type SharedModules,
  sharedModules,
  textTokens,
} from '../trace/model/access.js';
import { isKnockedOut } from '../trace/model/whatIf.js';
import { ranked } from '../trace/figures/leaders.js';
import { measureOf } from '../trace/figures/measure.js';
import type { Trace } from '../trace/model/trace.js';
import { type Usage, usage } from '../trace/figures/usage.js';
import { listedTokens, type Node, tokenNodes } from './nodes.js';

export interface ExpertLayer {
  readonly modules: SharedModules;
  readonly usage: Usage;
}

const known = new WeakMap<Trace, Map<string, ExpertLayer | undefined>>();

/** Undefined if the text does not pass through the layer. */
export function expertLayer(trace: Trace, layer: Layer): ExpertLayer | undefined {
  let kept = known.get(trace);
  if (!kept) known.set(trace, (kept = new Map<string, ExpertLayer | undefined>()));
  const key = JSON.stringify(layer);
  if (!kept.has(key)) {
    const modules = sharedModules(trace, { ...layer, sequence: 0 });
    kept.set(key, modules && { modules, usage: usage(trace, modules) });
  }
  return kept.get(key);
}

export function expertLayers(trace: Trace): Node[] {
  return layersOf(trace, { sequence: 0 })
    .filter((layer) => expertLayer(trace, layer))
    .map((layer) => ({ kind: 'expert-layer', layer }));
}

/** The experts that took a token, the most used first, and those that a what-if keeps from taking any. */
export function layerExperts(trace: Trace, layer: Layer): Node[] {
  const own = expertLayer(trace, layer);
  if (!own) return [];
  const { modules, experts } = own.modules;
  const idle = experts.flatMap(({ id }, e) =>
    own.usage.counts[e] === 0 && isKnockedOut(trace, modules, id) ? [e] : [],
  );
  return [...ranked(own.usage.counts), ...idle].map((expert) => ({ kind: 'layer-expert', layer, expert }));
}

/** The tokens that an expert took, those with its largest share first; without weights, in the order of the text. */
export function layerExpertTokens(trace: Trace, layer: Layer, expert: number): Node[] {
  const own = expertLayer(trace, layer);
  if (!own) return [];
  const rows = Array.from(own.modules.modules, (s) => rowsAt(trace, s));
  const taken = Array.from(textTokens(own.modules.sequence)).filter((t) =>
    rows.some((one) => chosenAt(one, t).includes(expert)),
  );
  // Of a router's choices each expert has the same share.
  const isWeighed = measureOf(trace, own.modules.modules, 'weight') === 'weight';
  const nodes = tokenNodes(trace, own.modules, expert, taken);
  return nodes.slice(0, listedTokens).map((node) => (isWeighed ? node : { ...node, share: NaN }));
}

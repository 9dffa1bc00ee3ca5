/** An ordinary mixture of experts, as its own router would report it: each layer has its own experts. */
import { random } from '../../src/statistics/random.js';
import { softmax } from '../../src/trace/figures/distribution.js';
import { abilities, type SourceDescription } from '../../src/requests/description.js';
import type { Block, RoutedModule, Trace } from '../../src/trace/model/trace.js';
import { fabricate } from './fabricate.js';

export interface MoeRecipe {
  readonly layers?: number;
  readonly experts?: number;
  readonly k?: number;
  readonly tokens?: number;
  readonly seed?: number;
}

/**
 * Scores, weights and choices for each layer's router over the sample's words. A token's spelling draws it to a few experts of
 * a layer; some experts are chosen more often than others, a few never, and the layer before the last sends nearly everything
 * to two.
 */
export function fabricateMoe(recipe: MoeRecipe = {}): Trace {
  const { layers = 8, experts: N = 16, k = 2, tokens, seed = 5 } = recipe;
  const base = fabricate({ layers: 1, ...(tokens !== undefined && { tokens }) });
  const sequence = base.sequences[0]!;
  const T = sequence.tokens.count;
  const next = random(seed);
  const chosen = new Int16Array(layers * T * k);
  const weight = new Float32Array(layers * T * k);
  const score = new Float32Array(layers * T * N);
  for (let l = 0; l < layers; l++) {
    const collapsed = l === layers - 2 ? 4 : 0;
    const called = Float32Array.from({ length: N }, (_, e) => 1.4 * (next() - 0.5) + (e < 2 ? collapsed : 0));
    for (let e = 2; e < N; e += 23) called[e] = -9;
    for (let t = 0; t < T; t++) {
      const id = sequence.tokens.ids![t]!;
      const scores = score.subarray((l * T + t) * N, (l * T + t + 1) * N);
      for (let e = 0; e < N; e++) scores[e] = called[e]! + 1.6 * Math.sin(id * (e + 1) * 0.37 + l * 2.1) + next();
      const best = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, k);
      const p = softmax(Float32Array.from(best, (e) => scores[e]!));
      chosen.set(best, (l * T + t) * k);
      weight.set(p, (l * T + t) * k);
    }
  }
  const modules = Array.from({ length: layers }, (_, layer): RoutedModule => ({
    path: `model.layers.${layer}.mlp.gate`,
    layer,
    kind: 'router',
    sequence: 0,
    expertSet: layer,
  }));
  const block: Block = { from: 0, to: layers, sequence: 0, experts: N, k, sharedExperts: 0, chosen, weight, score };
  return {
    ...base,
    source: { kind: 'moe', name: moeDescription.name, versions: {} },
    router: { name: 'mixtral', k, scoring: 'softmax' },
    expertSets: modules.map(({ layer }) => ({
      scope: 'layer',
      experts: Array.from({ length: N }, (_, e) => ({ id: `${layer}.${e}`, name: `Layer ${layer} expert ${e}` })),
    })),
    modules,
    blocks: [block],
  };
}

const notYet = { reason: 'This model only routes.' };

/** How a host describes such a model. */
export const moeDescription: SourceDescription = {
  name: 'Tiny Mixtral',
  can: {
    ...abilities({ route: true, stream: true, score: true }, notYet),
    strategies: [],
  },
  experts: [],
  limits: { tokens: 4096, k: 2 },
  warnings: [],
};

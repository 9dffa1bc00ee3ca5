/** Fabricated traces: seeded, and true to the rules of routing.md (k largest affinities, softmax over them). */
import { random } from '../../../src/trace/bootstrap.js';
import { kinds, type Intervention, type Strategy, type Trace } from '../../../src/trace/trace.js';

export interface Recipe {
  readonly seed?: number;
  readonly layers?: number;
  readonly kinds?: readonly string[];
  readonly experts?: number;
  readonly k?: number;
  readonly predictions?: number;
  /** The tokens' texts; special: `<|…|>`. */
  readonly tokens?: readonly string[];
  readonly done?: number;
  readonly interventions?: readonly Intervention[];
  readonly strategy?: Strategy;
  /** Without what a source need not give. */
  readonly bare?: boolean;
}

const words = ['def', ' add', '(', 'a', ',', ' b', ')', ':', '\n', '    ', 'return', ' a', ' +', ' b', '\n'];

export function fabricate(recipe: Recipe = {}): Trace {
  const { seed = 7, layers = 2, experts: N = 5, k = 2, predictions: P = 3, interventions = [] } = recipe;
  const texts = recipe.tokens ?? ['<|start|>', ...words];
  const T = texts.length;
  const done = recipe.done ?? T;
  const next = random(seed);
  const modules = Array.from({ length: layers }, (_, layer) =>
    (recipe.kinds ?? kinds).map((kind) => ({ path: `model.layers.${layer}.${kind}`, layer, kind })),
  ).flat();
  const M = modules.length;
  const chosen = new Int16Array(M * T * k).fill(-1);
  const weight = new Float32Array(M * T * k);
  const contribution = new Float32Array(M * T * k);
  const affinity = new Float32Array(M * T * N).fill(NaN);
  for (let m = 0; m < M; m++) {
    for (let t = 0; t < done; t++) {
      const scores = affinity.subarray((m * T + t) * N, (m * T + t + 1) * N);
      scores.forEach((_, e) => (scores[e] = next() * 4 - 2));
      const best = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, k);
      const z = best.reduce((sum, e) => sum + Math.exp(scores[e]!), 0);
      best.forEach((e, rank) => {
        const at = (m * T + t) * k + rank;
        chosen[at] = e;
        weight[at] = Math.exp(scores[e]!) / z;
        contribution[at] = next() * 0.2;
      });
    }
  }
  const special = texts.map((text) => /^<\|.*\|>$/.test(text));
  const start = new Int32Array(T).fill(-1);
  const end = new Int32Array(T).fill(-1);
  let text = '';
  texts.forEach((token, t) => {
    if (special[t]) return;
    start[t] = text.length;
    text += token;
    end[t] = text.length;
  });
  const vocabulary = [...new Set(texts)];
  const known = (values: Float32Array) => values.map((x, i) => (i < done ? x : NaN));
  return {
    text,
    tokens: { ids: Int32Array.from(texts, (token) => vocabulary.indexOf(token)), start, end, text: texts },
    done,
    modules,
    experts: Array.from({ length: N }, (_, e) => ({ id: `expert-${e}`, name: `Expert ${e}` })),
    k,
    predictions: recipe.bare ? 0 : P,
    chosen,
    weight,
    ...(!recipe.bare && {
      affinity,
      contribution,
      logProb: known(Float32Array.from({ length: T }, (_, t) => (t === 0 ? NaN : -5 * next()))),
      topIds: Int32Array.from({ length: T * P }, (_, i) => i % P),
      topLogProb: Float32Array.from({ length: T * P }, (_, i) => Math.log([0.5, 0.25, 0.125][i % P] ?? 0.01)),
      topTokens: Array.from({ length: T * P }, (_, i) => `p${i % P}`),
    }),
    strategy: recipe.strategy ?? { name: 'phatgoose', k },
    interventions,
    pool: { id: 'fabricated', name: 'Fabricated', hash: 'pool-hash' },
    tokenizer: { hash: 'tokenizer-hash' },
    versions: { gander: '0.1.0' },
    created: '2026-01-01T00:00:00Z',
  };
}

/** The trace as a source would give it that does not know this. */
export function without(trace: Trace, key: 'affinity' | 'contribution' | 'logProb' | 'topLogProb'): Trace {
  return Object.fromEntries(Object.entries(trace).filter(([name]) => name !== key)) as unknown as Trace;
}

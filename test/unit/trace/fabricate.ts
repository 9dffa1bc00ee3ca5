/** Made-up traces: seeded, and following the rules of docs/strategies.md (the k largest scores, softmax over them). */
import { random } from '../../../src/statistics/random.js';
import { sharedModules, type SharedModules, type ModuleFilter } from '../../../src/trace/model/access.js';
import { blank, blockColumns } from '../../../src/trace/model/columns.js';
import type {
  Block,
  ExpertSet,
  Intervention,
  Router,
  Sequence,
  RoutedModule,
  Trace,
} from '../../../src/trace/model/trace.js';

export const kinds = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'];

export interface Recipe {
  readonly seed?: number;
  readonly layers?: number;
  readonly kinds?: readonly string[];
  readonly experts?: number;
  readonly k?: number;
  readonly predictions?: number;
  /** The tokens' texts; special tokens look like `<|…|>`. */
  readonly tokens?: readonly string[];
  readonly done?: number;
  readonly interventions?: readonly Intervention[];
  readonly router?: Router;
  /** Leaves out everything that a source may leave out. */
  readonly bare?: boolean;
}

const words = ['def', ' add', '(', 'a', ',', ' b', ')', ':', '\n', '    ', 'return', ' a', ' +', ' b', '\n'];

/** One text through a pool of experts, the same at every module. */
export function fabricate(recipe: Recipe = {}): Trace {
  const { seed = 7, layers = 2, experts: N = 5, k = 2, predictions: P = 3, interventions = [] } = recipe;
  const texts = recipe.tokens ?? ['<|start|>', ...words];
  const T = texts.length;
  const done = recipe.done ?? T;
  const next = random(seed);
  const modules = Array.from({ length: layers }, (_, layer) =>
    (recipe.kinds ?? kinds).map((kind): RoutedModule => ({
      path: `model.layers.${layer}.${kind}`,
      layer,
      kind,
      sequence: 0,
      expertSet: 0,
    })),
  ).flat();
  const S = modules.length;
  const chosen = blank(blockColumns.chosen, S * T * k);
  const weight = blank(blockColumns.weight, S * T * k);
  const contribution = blank(blockColumns.contribution, S * T * k);
  const score = blank(blockColumns.score, S * T * N);
  for (let s = 0; s < S; s++) {
    for (let t = 0; t < done; t++) {
      const scores = score.subarray((s * T + t) * N, (s * T + t + 1) * N);
      scores.forEach((_, e) => (scores[e] = next() * 4 - 2));
      const best = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, k);
      const z = best.reduce((sum, e) => sum + Math.exp(scores[e]!), 0);
      const at = (s * T + t) * k;
      weight.fill(0, at, at + k);
      contribution.fill(0, at, at + k);
      best.forEach((e, rank) => {
        chosen[at + rank] = e;
        weight[at + rank] = Math.exp(scores[e]!) / z;
        contribution[at + rank] = next() * 0.2;
      });
    }
  }
  const special = Uint8Array.from(texts, (text) => (/^<\|.*\|>$/.test(text) ? 1 : 0));
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
  const sequence: Sequence = {
    role: 'text',
    text,
    tokens: {
      count: T,
      ids: Int32Array.from(texts, (token) => vocabulary.indexOf(token)),
      start,
      end,
      special,
      text: texts,
    },
    done,
    predictions: recipe.bare ? 0 : P,
    ...(!recipe.bare && {
      logProb: known(Float32Array.from({ length: T }, (_, t) => (t === 0 ? NaN : -5 * next()))),
      topIds: Int32Array.from({ length: T * P }, (_, i) => i % P),
      topLogProb: Float32Array.from({ length: T * P }, (_, i) => Math.log([0.5, 0.25, 0.125][i % P] ?? 0.01)),
      topTokens: Array.from({ length: T * P }, (_, i) => `p${i % P}`),
    }),
  };
  const block: Block = {
    from: 0,
    to: S,
    sequence: 0,
    experts: N,
    k,
    sharedExperts: 0,
    chosen,
    weight,
    ...(!recipe.bare && { score, contribution }),
  };
  return {
    source: {
      kind: 'pool',
      id: 'fabricated',
      name: 'Fabricated',
      hash: 'pool-hash',
      tokenizer: 'tokenizer-hash',
      versions: { gander: '0.1.0' },
    },
    router: recipe.router ?? { name: 'phatgoose', k, scoring: 'softmax' },
    interventions,
    sequences: [sequence],
    expertSets: [{ scope: 'pool', experts: expertsOf(N, 'expert') }],
    modules,
    blocks: S > 0 ? [block] : [],
    created: '2026-01-01T00:00:00Z',
  };
}

const expertsOf = (count: number, of: string) =>
  Array.from({ length: count }, (_, e) => ({ id: `${of}-${e}`, name: `${of[0]!.toUpperCase()}${of.slice(1)} ${e}` }));

/**
 * The trace of a source that knows only ids: two sequences; in each layer 256 experts of its own, of which 8 are chosen, and one
 * shared expert; the first two layers of each stack are dense. No text, no offsets, no weights, no scores; the last row of the
 * output is missing.
 */
export function fabricateIds(recipe: { readonly seed?: number; readonly layers?: number } = {}): Trace {
  const { seed = 3, layers = 4 } = recipe;
  const [N, k, dense] = [256, 8, 2];
  const next = random(seed);
  const lengths = [6, 4];
  const sets: ExpertSet[] = [];
  const modules: RoutedModule[] = [];
  for (const [sequence, stack] of (['encoder', 'decoder'] as const).entries()) {
    for (let layer = dense; layer < dense + layers; layer++) {
      modules.push({
        path: `${stack}.layers.${layer}.mlp.gate`,
        layer,
        stack,
        kind: 'router',
        sequence,
        expertSet: sets.length,
      });
      sets.push({
        scope: 'layer',
        experts: expertsOf(N, `${stack} ${layer} expert`),
        sharedExperts: expertsOf(1, `${stack} ${layer} shared`),
      });
    }
  }
  const blockOf = (sequence: number): Block => {
    const T = lengths[sequence]!;
    const chosen = blank(blockColumns.chosen, layers * T * k);
    for (let cell = 0; cell < layers * T; cell++) {
      const drawn = new Set<number>();
      while (drawn.size < k) drawn.add(Math.floor(next() * N));
      chosen.set([...drawn], cell * k);
    }
    // The last token of the output passed through no router.
    if (sequence === 1) for (let s = 0; s < layers; s++) chosen.fill(-1, (s * T + T - 1) * k, (s + 1) * T * k);
    return { from: sequence * layers, to: (sequence + 1) * layers, sequence, experts: N, k, sharedExperts: 1, chosen };
  };
  const sequenceOf = (role: 'input' | 'output', i: number): Sequence => ({
    role,
    tokens: { count: lengths[i]!, ids: Int32Array.from({ length: lengths[i]! }, (_, t) => 100 * (i + 1) + t) },
    done: lengths[i]!,
    predictions: 0,
  });
  return {
    source: { kind: 'server', name: 'A server', versions: {} },
    router: { name: 'unknown' },
    interventions: [],
    sequences: [sequenceOf('input', 0), sequenceOf('output', 1)],
    expertSets: sets,
    modules,
    blocks: [blockOf(0), blockOf(1)],
    created: '2026-01-01T00:00:00Z',
  };
}

/** Modules that the test knows to have the same experts. */
export function sharedOf(trace: Trace, filter: ModuleFilter = {}): SharedModules {
  const modules = sharedModules(trace, filter);
  if (!modules) throw new Error('these sites share no experts');
  return modules;
}

/** The first block and the first sequence of a trace, which a test may look at and change. */
export const blockOf = (trace: Trace) => trace.blocks[0]!;
export const textOf = (trace: Trace) => trace.sequences[0]!;

/** A text whose tokens can be compared only by their spelling. */
export function spelled(tokens: readonly string[], seed = 7): Trace {
  const trace = fabricate({ tokens, seed });
  const { ids: _, ...rest } = textOf(trace).tokens;
  return withText(trace, { tokens: rest });
}

/** The trace with changes to its first sequence, or to its first block. */
export function withText(trace: Trace, change: Partial<Sequence>): Trace {
  return { ...trace, sequences: [{ ...textOf(trace), ...change }, ...trace.sequences.slice(1)] };
}

export function withBlock(trace: Trace, change: Partial<Block>): Trace {
  return { ...trace, blocks: [{ ...blockOf(trace), ...change }, ...trace.blocks.slice(1)] };
}

/** The trace of a source that does not know this. */
export function without(trace: Trace, key: 'weight' | 'score' | 'contribution' | 'logProb' | 'topLogProb'): Trace {
  const rest = <H extends object>(holder: H) =>
    Object.fromEntries(Object.entries(holder).filter(([name]) => name !== key)) as H;
  return { ...trace, sequences: trace.sequences.map(rest), blocks: trace.blocks.map(rest) };
}

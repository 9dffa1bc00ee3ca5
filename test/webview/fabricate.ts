/** A seeded, invented trace with the structure of a real one: early layers route by a token's shape, middle ones by its domain. */
import type { Attribution, Lens, LensColumn } from '../../src/requests/api.js';
import type { SideState } from '../../src/protocol/panel.js';
import { abilities, type SourceDescription } from '../../src/requests/description.js';
import type { Strategy } from '../../src/strategies/strategy.js';
import { random } from '../../src/statistics/random.js';
import { strategiesFor } from '../../src/strategies/index.js';
import type { Block, ExpertSet, Intervention, Router, RoutedModule, Trace } from '../../src/trace/model/trace.js';

export const kinds = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;

export const names = [
  'c',
  'css',
  'go',
  'html',
  'java',
  'json',
  'prose',
  'python',
  'rust',
  'shell',
  'sql',
  'typescript',
] as const;
type Name = (typeof names)[number];

/** The document that the pictures show, by domain. */
export const sample: readonly (readonly [Name, string])[] = [
  [
    'prose',
    '# Counting geese\n\nA flock keeps its order by *listening*. Each bird hears its neighbours,\nand the line bends before anyone decides.\n\n',
  ],
  [
    'typescript',
    '```ts\nexport async function count(flock: Bird[]): Promise<number> {\n  const seen = new Set<string>();\n\tfor (const bird of flock) seen.add(bird.ring);\n  return seen.size;\n}\n```\n',
  ],
  ['prose', '\nThe page shows the sum:\n\n'],
  [
    'html',
    '<main class="flock" onclick="alert(1)">\n  <h1>Geese &amp; ganders</h1>\n  <script>alert("goose")</script>\n</main>\n',
  ],
  ['css', '<style>.flock { display: grid; gap: 4px; }</style>\n'],
  ['prose', '\nStored as rows, read back in one breath:\n\n'],
  ['sql', 'SELECT ring, COUNT(*) FROM sightings\nWHERE year >= 2024 GROUP BY ring;\n'],
  ['json', '{ "ring": "GA-07", "seen": [3, 5, 8], "naïve": "🪿" }\n'],
  ['python', 'def total(rows):\n    return sum(r["seen"] for r in rows)\n'],
  ['shell', '$ grep -c honk night.log | tee count.txt\n'],
];

export function modulesOf(layers: number): RoutedModule[] {
  const place = (kind: string) => (['q', 'k', 'v', 'o'].includes(kind) ? 'self_attn' : 'mlp');
  return Array.from({ length: layers }, (_, layer) =>
    kinds.map((kind) => ({
      path: `model.layers.${layer}.${place(kind)}.${kind}_proj`,
      layer,
      kind,
      sequence: 0,
      expertSet: 0,
    })),
  ).flat();
}

/** How a host with a pool describes it. */
export const description: SourceDescription = {
  name: 'Twelve languages',
  can: {
    ...abilities({}, true),
    strategies: strategiesFor(['retriever', 'activations']),
  },
  experts: names.map((name) => ({ id: name, name, card: true })),
  limits: { tokens: 8192, k: 2 },
  warnings: [],
};

const savedTrace = { reason: 'This is a saved trace: there is no model behind it to run.' };

/** How a host with a trace file describes it. */
export const fileDescription: SourceDescription = {
  name: 'Saved trace',
  can: {
    ...abilities({}, savedTrace),
    strategies: [],
  },
  experts: [],
  limits: {},
  warnings: [],
};

interface Piece {
  text: string;
  start: number;
  end: number;
  domain: number;
}

/** A rough tokenizer: words with the space before them, punctuation, line ends; one emoji in two pieces. */
function pieces(count: number | undefined): { text: string; pieces: Piece[] } {
  const out: Piece[] = [{ text: '<|endoftext|>', start: -1, end: -1, domain: names.indexOf('prose') }];
  let text = '';
  for (let round = 0; count === undefined ? round < 1 : out.length < count; round++) {
    for (const [name, passage] of sample) {
      for (const match of passage.matchAll(/\n|\t| {2,}| ?[\p{L}]{1,7}|[\p{L}]+| ?\d| ?[^\s\p{L}\d]{1,2}| /gu)) {
        const start = text.length + match.index;
        const end = start + match[0].length;
        const domain = names.indexOf(name);
        if (match[0].includes('🪿')) {
          // A character split over two tokens: both cover it.
          out.push({ text: '�', start, end, domain }, { text: '�', start, end, domain });
        } else out.push({ text: match[0], start, end, domain });
      }
      text += passage;
    }
  }
  const kept = count === undefined ? out : out.slice(0, count);
  return { text: count === undefined ? text : text.slice(0, Math.max(0, kept.at(-1)!.end)), pieces: kept };
}

export interface Fabrication {
  tokens?: number;
  seed?: number;
  layers?: number;
  strategy?: Strategy;
  interventions?: readonly Intervention[];
  done?: number;
  /** Leaves affinities out, like a source that has none. */
  bare?: boolean;
  /** Replaces the words of the sample. */
  words?: readonly string[];
}

function holds(i: Intervention, module: RoutedModule, token: number): boolean {
  const s = i.scope;
  return (
    (s.layer === undefined || s.layer === module.layer) &&
    (s.kind === undefined || s.kind === module.kind) &&
    (s.module === undefined || s.module === module.path) &&
    (s.token === undefined || s.token === token)
  );
}

const made = new Map<string, Trace>();

/** The same options give the same trace, made once: nobody changes it, and making it takes a while. */
export function fabricate(options: Fabrication = {}): Trace {
  const recipe = JSON.stringify(options);
  const trace = made.get(recipe) ?? fabricateAnew(options);
  made.set(recipe, trace);
  return trace;
}

export function fabricateAnew(options: Fabrication = {}): Trace {
  const { seed = 7, strategy = { name: 'phatgoose', k: 2 }, interventions = [] } = options;
  const made = options.words ? fromWords(options.words) : pieces(options.tokens);
  const list = made.pieces;
  const mods = modulesOf(options.layers ?? 30);
  const [M, T, N, P] = [mods.length, list.length, names.length, 5];
  const k = strategy.k ?? 1;
  const layers = options.layers ?? 30;
  const done = options.done ?? T;
  const next = random(seed);
  const normal = () => (next() + next() + next() + next() - 2) * 1.7;
  // Tokens of a domain are also drawn to the experts of neighbouring domains.
  const near = Array.from({ length: N * N }, () => next() * 0.5);
  const bias = Array.from({ length: M * N }, () => normal() * 0.25);
  const shape = Array.from({ length: 8 * N }, () => normal() * 0.9);
  const shapeOf = (text: string) =>
    /^\s+$/.test(text)
      ? 0
      : /^ ?\d/.test(text)
        ? 1
        : /^ ?[A-Z]/.test(text)
          ? 2
          : /^ \p{L}/u.test(text)
            ? 3
            : /^\p{L}/u.test(text)
              ? 4
              : /[{}()[\]]/.test(text)
                ? 5
                : /[<>]/.test(text)
                  ? 6
                  : 7;

  const affinity = new Float32Array(M * T * N).fill(NaN);
  const chosen = new Int16Array(M * T * k).fill(-1);
  const weight = new Float32Array(M * T * k);
  const contribution = new Float32Array(M * T * k);
  // How strongly an intervention in earlier layers disturbs a token, layer by layer.
  const shaken = new Float32Array(T);
  for (let m = 0; m < M; m++) {
    const { layer, kind } = mods[m]!;
    const depth = layer / Math.max(1, layers - 1);
    const meaning = 1.9 * Math.exp(-(((depth - 0.55) / 0.3) ** 2)) + 0.35;
    const surface = 1.2 * Math.exp(-depth * 4) + (kind === 'k' ? 0.35 : 0);
    const wander = new Float32Array(N);
    for (let t = 0; t < done; t++) {
      const piece = list[t]!;
      const at = (m * T + t) * N;
      const scores: [number, number][] = [];
      for (let e = 0; e < N; e++) {
        wander[e] = wander[e]! * 0.75 + normal() * 0.3;
        const a =
          meaning * (e === piece.domain ? 1 : near[piece.domain * N + e]!) +
          surface * shape[shapeOf(piece.text) * N + e]! +
          bias[m * N + e]! +
          wander[e]! +
          shaken[t]! * Math.sin(e * 3.1 + m + t);
        affinity[at + e] = a;
        scores.push([a, e]);
      }
      let forced = -1;
      for (const i of interventions) {
        if (!holds(i, mods[m]!, t)) continue;
        const e = names.indexOf(i.expert as Name);
        const entry = scores.find(([, x]) => x === e);
        const held = scores
          .slice()
          .sort((a, b) => b[0] - a[0])
          .slice(0, k)
          .some(([, x]) => x === e);
        if (i.action === 'knock-out') {
          if (entry) entry[0] = -Infinity;
          if (held) shaken[t]! += 0.0015;
        } else if (i.action === 'force') {
          forced = e;
          shaken[t]! += 0.002;
        } else if (entry) {
          entry[0] += i.amount;
          shaken[t]! += 0.0006 * Math.abs(i.amount);
        }
      }
      const to = (m * T + t) * k;
      if (strategy.name === 'base') continue;
      if (strategy.name === 'single' || strategy.name === 'retrieval') {
        chosen[to] = names.indexOf((strategy.expert ?? 'prose') as Name);
        weight[to] = 1;
        continue;
      }
      if (forced >= 0) {
        chosen[to] = forced;
        weight[to] = 1;
        continue;
      }
      scores.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
      const top = scores.slice(0, k).filter(([a]) => a > -Infinity);
      const sum = top.reduce((s, [a]) => s + Math.exp(a), 0);
      top.forEach(([a, e], j) => {
        chosen[to + j] = e;
        weight[to + j] = Math.exp(a) / sum;
        contribution[to + j] = (Math.exp(a) / sum) * (0.02 + 0.1 * next());
      });
    }
  }

  const logProb = new Float32Array(T).fill(NaN);
  const topIds = new Int32Array(T * P).fill(-1);
  const topLogProb = new Float32Array(T * P).fill(NaN);
  const topTokens: string[] = new Array<string>(T * P).fill('');
  const luck = random(seed + 1);
  const others = [
    'the',
    ' a',
    ' of',
    '\n',
    ' const',
    '(',
    ' =',
    '.',
    ' return',
    'ing',
    '>',
    ' is',
    ',',
    ' ring',
    ' flock',
  ];
  for (let t = 0; t < done; t++) {
    const sure = 0.15 + 0.75 * luck();
    const drift = shaken[t]! * 0.8;
    const nextText = list[t + 1]?.text ?? ' geese';
    const rank = luck() < 0.6 ? 0 : luck() < 0.6 ? 1 + Math.floor(luck() * 4) : -1;
    let rest = 1;
    for (let p = 0; p < P; p++) {
      const share = rest * Math.max(0.08, sure - drift * (p === rank ? 1 : -0.2)) * (p === 0 ? 1 : 0.6);
      rest -= share;
      const i = t * P + p;
      topLogProb[i] = Math.log(share);
      const free = others.filter((text) => text !== nextText && !topTokens.slice(t * P, i).includes(text));
      topTokens[i] = p === rank ? nextText : free[Math.floor(luck() * free.length)]!;
      topIds[i] = p === rank ? idOf(nextText) : idOf(topTokens[i]);
    }
    // Best first, as the format requires.
    if (t + 1 < done) logProb[t + 1] = rank >= 0 ? topLogProb[t * P + rank]! : Math.log(rest * 0.2);
  }
  const router: Router = {
    name: strategy.name,
    scoring: 'softmax',
    ...(strategy.k !== undefined && { k: strategy.k }),
    ...(strategy.expert !== undefined && { params: { expert: strategy.expert } }),
  };
  return {
    source: {
      kind: 'pool',
      name: description.name,
      id: 'twelve',
      hash: 'sha256:0',
      tokenizer: 'sha256:1',
      versions: {},
    },
    router,
    interventions,
    sequences: [
      {
        role: 'text',
        text: made.text,
        tokens: {
          count: T,
          ids: Int32Array.from(list, (p) => idOf(p.text)),
          start: Int32Array.from(list, (p) => p.start),
          end: Int32Array.from(list, (p) => p.end),
          text: list.map((p) => p.text),
          special: Uint8Array.from(list, (p) => (p.start < 0 ? 1 : 0)),
        },
        done,
        predictions: P,
        logProb,
        topIds,
        topLogProb,
        topTokens,
      },
    ],
    expertSets: [{ scope: 'pool', experts: names.map((name) => ({ id: name, name })) }],
    modules: mods,
    blocks: [
      {
        from: 0,
        to: M,
        sequence: 0,
        experts: N,
        k,
        sharedExperts: 0,
        chosen,
        weight,
        ...(options.bare ? {} : { score: affinity, contribution }),
      },
    ],
    created: '2025-01-01T00:00:00.000Z',
  };
}

/** The same run through a pool with more experts. */
export function widen(trace: Trace, experts: number): Trace {
  const block = trace.blocks[0]!;
  const count = trace.sequences[0]!.tokens.count;
  const chosen = block.chosen.map((e, i) => {
    const token = Math.floor(i / block.k) % count;
    return e < 0 ? e : (e * 21 + (token % 9) * (token % 5) * 3) % experts;
  });
  const { score: _, ...rest } = block;
  return {
    ...trace,
    expertSets: [
      { scope: 'pool', experts: Array.from({ length: experts }, (_, e) => ({ id: `x${e}`, name: `expert-${e}` })) },
    ],
    blocks: [{ ...rest, experts, chosen }],
  };
}

/** A run that has only got so far. */
export function cut(trace: Trace, done: number): Trace {
  return { ...trace, sequences: trace.sequences.map((sequence) => ({ ...sequence, done })) };
}

/** What tests read from a trace with one text and one pool. */
export function partsOf(trace: Trace) {
  const [sequence, block] = [trace.sequences[0]!, trace.blocks[0]!];
  const count = sequence.tokens.count;
  return {
    text: sequence.text!,
    words: sequence.tokens.text!,
    count,
    experts: trace.expertSets[0]!.experts,
    chosen: (module: number, token: number) => {
      const at = (module * count + token) * block.k;
      return block.chosen.subarray(at, at + block.k);
    },
    weight: (module: number, token: number) => block.weight![(module * count + token) * block.k]!,
  };
}

/** The request that a trace came from. */
export function requestOf({ router, interventions }: Trace): Pick<SideState, 'strategy' | 'interventions'> {
  const { name, k, params } = router;
  return {
    strategy: { name, ...(k !== undefined && { k }), ...(params?.['expert'] && { expert: String(params['expert']) }) },
    interventions,
  };
}

/**
 * What a source gives that knows only ids: an encoder-decoder with 256 experts in each layer, 8 of them chosen, except for the
 * first two layers, which are dense; no weights, no scores, no log-probabilities, no offsets, no text. A few experts get most
 * tokens.
 */
export function fabricateIds({ seed = 3, layers = 6, input = 60, output = 40 } = {}): Trace {
  const [N, k, dense] = [256, 8, 2];
  const next = random(seed);
  const experts = Array.from({ length: N }, (_, e) => ({ id: String(e), name: String(e) }));
  const modules: RoutedModule[] = [];
  const expertSets: ExpertSet[] = [];
  const lengths = [input, output];
  const blocks = (['encoder', 'decoder'] as const).map((stack, sequence): Block => {
    const T = lengths[sequence]!;
    const from = modules.length;
    const chosen = new Int16Array(layers * T * k).fill(-1);
    for (let l = 0; l < layers; l++) {
      const layer = dense + l;
      const path = `${stack}.layers.${layer}.mlp.gate`;
      modules.push({ path, layer, stack, kind: 'router', sequence, expertSet: expertSets.length });
      expertSets.push({ scope: 'layer', experts });
      for (let t = 0; t < T; t++) {
        // The last token of the output did not go through any router.
        if (sequence === 1 && t === T - 1) continue;
        const drawn = new Set<number>();
        while (drawn.size < k) drawn.add(Math.floor(N * next() ** 4 + 37 * (layer + sequence)) % N);
        chosen.set([...drawn], (l * T + t) * k);
      }
    }
    return { from, to: modules.length, sequence, experts: N, k, sharedExperts: 0, chosen };
  });
  return {
    source: { kind: 'server', name: 'A server', versions: {} },
    router: { name: 'unknown' },
    interventions: [],
    sequences: (['input', 'output'] as const).map((role, i) => ({
      role,
      tokens: { count: lengths[i]!, ids: Int32Array.from({ length: lengths[i]! }, (_, t) => 100 + (t % 17)) },
      done: lengths[i]!,
      predictions: 0,
    })),
    expertSets,
    modules,
    blocks,
    created: '2026-01-01T00:00:00.000Z',
  };
}

const serverOnly = { reason: 'This server only tells which experts were chosen.' };

/** How a host describes a source that can route and nothing else. */
export const serverDescription: SourceDescription = {
  name: 'A server',
  can: {
    ...abilities({ route: true }, serverOnly),
    strategies: [],
  },
  experts: [],
  limits: {},
  warnings: [],
};

function fromWords(words: readonly string[]): { text: string; pieces: Piece[] } {
  let text = '';
  const out = words.map((word, i) => {
    const start = text.length;
    text += word;
    return { text: word, start, end: text.length, domain: i % names.length };
  });
  return { text, pieces: out };
}

function idOf(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (h * 31 + text.charCodeAt(i)) | 0;
  return Math.abs(h) % 49152;
}

export function fabricateAttribution(trace: Trace): Attribution {
  const next = random(99);
  const sequence = trace.sequences[0]!;
  const { experts } = trace.expertSets[0]!;
  const [T, N] = [sequence.tokens.count, experts.length];
  const change = new Float32Array(T * N).fill(NaN);
  const { pieces: list } = pieces(T);
  for (let t = 1; t < T; t++)
    for (let e = 0; e < N; e++) change[t * N + e] = (next() - 0.5) * 0.15 - (list[t]!.domain === e ? next() * 1.4 : 0);
  return { experts, logProb: sequence.logProb!, change };
}

/** What 30 layers would predict after a token: the last layer as in the trace, the base alone something else from layer 20 on. */
export function fabricateLens(trace: Trace, token: number): Lens {
  const { tokens, predictions, topIds, topTokens } = trace.sequences[0]!;
  const layers = Array.from({ length: 30 }, (_, layer) => layer);
  const ids = tokens.ids!.slice(0, token + 2);
  const at = token * predictions;
  const column = (strange: number): LensColumn => ({
    ...(token + 1 < tokens.count && { logProb: Float32Array.from(layers, (layer) => -9 + 0.25 * layer - strange) }),
    predictions,
    topIds: Int32Array.from(
      layers.flatMap((layer) =>
        [...topIds!.slice(at, at + predictions)].map((id) => (layer >= 20 ? id + strange : id)),
      ),
    ),
    topLogProb: Float32Array.from(layers.flatMap(() => [-1, -2, -3, -4, -5].slice(0, predictions))),
    topTokens: layers.flatMap(() => topTokens!.slice(at, at + predictions)),
  });
  return { token, ids, layers, routed: column(0), without: column(1) };
}

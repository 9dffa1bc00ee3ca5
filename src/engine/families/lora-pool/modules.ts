/** The module axis of a pool's traces, from the paths of what its experts adapt. */
import type { Site } from '../../../graph/find.js';
import type { Module } from './plan.js';

/** The kinds of a block, in the order in which a model computes them. */
const kinds: readonly string[] = [
  ...['q', 'k', 'v', 'o'],
  ...['cross-q', 'cross-k', 'cross-v', 'cross-o'],
  ...['gate', 'up', 'down'],
];

/** T5's names for them, by the last two steps of a path. */
const t5: Readonly<Record<string, string>> = {
  'EncDecAttention.q': 'cross-q',
  'EncDecAttention.k': 'cross-k',
  'EncDecAttention.v': 'cross-v',
  'EncDecAttention.o': 'cross-o',
  'DenseReluDense.wi_0': 'gate',
  'DenseReluDense.wi_1': 'up',
  'DenseReluDense.wi': 'up',
  'DenseReluDense.wo': 'down',
};

/** By layer, then by kind in the order of a block, others after those by name. */
export function moduleAxis(sites: readonly Site[]): Module[] {
  return sites.map(({ path }) => ({ path, layer: layerOf(path), kind: kindOf(path), sequence: 0 })).sort(inOrder);
}

/** Of an encoder-decoder: the encoder's before the decoder's. */
export function pairModuleAxis(sites: readonly Site[]): Module[] {
  return sites.map(({ path }) => pairModule(path)).sort(inOrder);
}

export function pairModule(path: string): Module {
  const kind = t5[path.split('.').slice(-2).join('.')] ?? kindOf(path);
  const stack = path.startsWith('encoder.') ? 'encoder' : 'decoder';
  // Cross-attention makes its keys and values of what the encoder gave for the input.
  const sequence = stack === 'decoder' && kind !== 'cross-k' && kind !== 'cross-v' ? 1 : 0;
  return { path, layer: layerOf(path), stack, kind, sequence };
}

function inOrder(a: Module, b: Module): number {
  const rank = ({ kind }: Module) => (kinds.indexOf(kind) + kinds.length + 1) % (kinds.length + 1);
  const stack = (module: Module) => (module.stack === 'decoder' ? 1 : 0);
  return stack(a) - stack(b) || a.layer - b.layer || rank(a) - rank(b) || (a.path < b.path ? -1 : 1);
}

/** The first number in a path; −1 where there is none. */
export function layerOf(path: string): number {
  return Number(/\.(\d+)\./.exec(path)?.[1] ?? -1);
}

function kindOf(path: string): string {
  const last = path.split('.').at(-1)!;
  const kind = last.replace(/_proj$/, '');
  return kinds.includes(kind) ? kind : last;
}

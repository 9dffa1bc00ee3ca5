/** The module axis of a pool's traces, from the paths of the modules that its experts adapt. */
import type { FoundModule } from '../../../graph/find.js';
import type { Module } from './plan.js';

/** The kinds of modules in a block, in the order in which a model computes them. */
const kinds: readonly string[] = [
  ...['q', 'k', 'v', 'o'],
  ...['cross-q', 'cross-k', 'cross-v', 'cross-o'],
  ...['gate', 'up', 'down'],
];

/** Kinds of T5's modules, by the last two segments of their paths. */
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

/** Sorted by layer, then by kind in the order of a block; other kinds follow, sorted by path. */
export function moduleAxis(modules: readonly FoundModule[]): Module[] {
  return modules.map(({ path }) => ({ path, layer: layerOf(path), kind: kindOf(path), sequence: 0 })).sort(inOrder);
}

/** The same for an encoder-decoder: the encoder's modules come before the decoder's. */
export function pairModuleAxis(modules: readonly FoundModule[]): Module[] {
  return modules.map(({ path }) => pairModule(path)).sort(inOrder);
}

export function pairModule(path: string): Module {
  const kind = t5[path.split('.').slice(-2).join('.')] ?? kindOf(path);
  const stack = path.startsWith('encoder.') ? 'encoder' : 'decoder';
  // Cross-attention computes its keys and values from the encoder's result for the input.
  const sequence = stack === 'decoder' && kind !== 'cross-k' && kind !== 'cross-v' ? 1 : 0;
  return { path, layer: layerOf(path), stack, kind, sequence };
}

function inOrder(a: Module, b: Module): number {
  const rank = ({ kind }: Module) => (kinds.indexOf(kind) + kinds.length + 1) % (kinds.length + 1);
  const stack = (module: Module) => (module.stack === 'decoder' ? 1 : 0);
  return stack(a) - stack(b) || a.layer - b.layer || rank(a) - rank(b) || (a.path < b.path ? -1 : 1);
}

/** The first number in a path; −1 if there is none. */
export function layerOf(path: string): number {
  return Number(/\.(\d+)\./.exec(path)?.[1] ?? -1);
}

function kindOf(path: string): string {
  const last = path.split('.').at(-1)!;
  const kind = last.replace(/_proj$/, '');
  return kinds.includes(kind) ? kind : last;
}

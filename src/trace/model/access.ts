/** Access to a trace: the rows of a module, and the modules and tokens that a view shows. */
import { matches, type ModuleFilter } from './filter.js';
import type { Block, Expert, ExpertSet, Sequence, RoutedModule, Stack, Trace } from './trace.js';
import { type ModuleWhatIf, whatIfAt } from './whatIf.js';

export { matches, type ModuleFilter };

/** The rows of one module: views of the trace's arrays, row-major, over the T tokens of the module's sequence. */
export interface Rows {
  readonly module: RoutedModule;
  /** The set that the module's N experts belong to. */
  readonly set: ExpertSet;
  readonly tokens: number;
  /** How many of the tokens are routed so far. */
  readonly done: number;
  readonly experts: number;
  readonly k: number;
  /** [T, k] */
  readonly chosen: Int16Array;
  readonly weight: Float32Array | undefined;
  readonly contribution: Float32Array | undefined;
  /** [T, N] */
  readonly score: Float32Array | undefined;
  readonly selection: Float32Array | undefined;
  /** [T, A] */
  readonly sharedWeight: Float32Array | undefined;
  /** What the run's interventions do here; undefined if none applies. */
  readonly whatIf: ModuleWhatIf | undefined;
}

export function blockOf(trace: Trace, s: number): Block {
  // A linear search is enough: a trace has a few blocks, a pool's only one.
  return trace.blocks.find(({ from, to }) => from <= s && s < to)!;
}

/** The rows of module s: views, no copies. Take them once, outside the loop over tokens. */
export function rowsAt(trace: Trace, s: number): Rows {
  const block = blockOf(trace, s);
  const { tokens, done } = trace.sequences[block.sequence]!;
  const module = trace.modules[s]!;
  const set = trace.expertSets[module.expertSet]!;
  const T = tokens.count;
  const row = s - block.from;
  const part = <A extends Float32Array | Int16Array>(array: A, width: number): A =>
    array.subarray(row * T * width, (row + 1) * T * width) as A;
  const { k, experts, sharedExperts } = block;
  return {
    module,
    set,
    tokens: T,
    done,
    experts,
    k,
    chosen: part(block.chosen, k),
    weight: block.weight && part(block.weight, k),
    contribution: block.contribution && part(block.contribution, k),
    score: block.score && part(block.score, experts),
    selection: block.selection && part(block.selection, experts),
    sharedWeight: block.sharedWeight && part(block.sharedWeight, sharedExperts),
    whatIf: whatIfAt(trace.interventions, set.experts, module),
  };
}

/** [k] expert indexes at a cell, best first, −1 for none. */
export function chosenAt(rows: Rows, t: number): Int16Array {
  return rows.chosen.subarray(t * rows.k, (t + 1) * rows.k);
}

/** How many were chosen at a cell: k, or fewer. */
export function chosenCount({ chosen, k }: Rows, t: number): number {
  let count = 0;
  for (let i = t * k; i < (t + 1) * k; i++) if (chosen[i]! >= 0) count++;
  return count;
}

/** Whether the source says anything about a token at a module: it may have left the token out, or not have reached it yet. */
export function isKnown({ chosen, weight, k }: Rows, t: number): boolean {
  return chosen[t * k]! >= 0 || (weight !== undefined && !Number.isNaN(weight[t * k]!));
}

/** Indexes of the modules that match a filter, ascending. */
export function modulesOf(trace: Trace, filter: ModuleFilter = {}): Int32Array {
  return Int32Array.from(trace.modules.keys()).filter((s) => matches(trace.modules[s]!, filter));
}

declare const oneSet: unique symbol;

/**
 * Modules over the same tokens at which an expert's index means the same expert, so that choices may be added up, averaged or
 * coloured by expert. Only `sharedModules` makes one: code that counts experts cannot be given modules with unrelated experts.
 */
export interface SharedModules {
  readonly [oneSet]: true;
  /** Ascending. */
  readonly modules: Int32Array;
  readonly sequence: Sequence;
  readonly set: ExpertSet;
  readonly experts: readonly Expert[];
}

/** The modules that match a filter; undefined if none does, or if they differ in their experts or their sequence. */
export function sharedModules(trace: Trace, filter: ModuleFilter = {}): SharedModules | undefined {
  const modules = modulesOf(trace, filter);
  if (modules.length === 0) return undefined;
  const first = trace.modules[modules[0]!]!;
  const set = trace.expertSets[first.expertSet]!;
  // A source may list experts of several layers in one set, because their names are equal. They are different experts all the same.
  const isLocal = set.scope === 'layer';
  const alike = modules.every((s) => {
    const { expertSet, sequence, stack, layer } = trace.modules[s]!;
    const isNear = !isLocal || (layer === first.layer && stack === first.stack);
    return expertSet === first.expertSet && sequence === first.sequence && isNear;
  });
  return alike
    ? ({ modules, sequence: trace.sequences[first.sequence]!, set, experts: set.experts } as unknown as SharedModules)
    : undefined;
}

/** A layer. An encoder and a decoder both count theirs from 0, so `stack` tells them apart. */
export interface Layer {
  readonly stack?: Stack;
  readonly layer: number;
  /** The kind of its modules, if the layer has several routers with their own experts; each is then shown by itself. */
  readonly router?: string;
}

const divided = new WeakMap<Trace, ReadonlySet<string>>();

/** Layers in which each kind of module has its own experts, such as one set for attention and one for the MLP. */
function dividedLayers(trace: Trace): ReadonlySet<string> {
  const known = divided.get(trace);
  if (known) return known;
  const sets = new Map<string, Map<string, Set<number>>>();
  for (const module of trace.modules) {
    if (trace.expertSets[module.expertSet]!.scope !== 'layer') continue;
    const kinds = sets.get(placeOf(module)) ?? new Map<string, Set<number>>();
    sets.set(placeOf(module), kinds.set(module.kind, (kinds.get(module.kind) ?? new Set()).add(module.expertSet)));
  }
  const isDivided = (kinds: ReadonlyMap<string, ReadonlySet<number>>) =>
    new Set([...kinds.values()].flatMap((one) => [...one])).size > 1 &&
    [...kinds.values()].every(({ size }) => size === 1);
  const found = new Set([...sets].filter(([, kinds]) => isDivided(kinds)).map(([place]) => place));
  divided.set(trace, found);
  return found;
}

const placeOf = ({ stack, layer }: Layer): string => `${stack ?? ''} ${layer}`;

/** The layer of a module; if that layer has several routers, with the module's own. */
export function layerAt(trace: Trace, module: RoutedModule): Layer {
  const { stack, layer, kind } = module;
  const isDivided = dividedLayers(trace).has(placeOf(module));
  return { layer, ...(stack && { stack }), ...(isDivided && { router: kind }) };
}

/** The layers that have modules, in the order of the module axis. */
export function layersOf(trace: Trace, filter: ModuleFilter = {}): Layer[] {
  return layersAmong(trace, modulesOf(trace, filter));
}

/** The layers of some modules, in the order of the modules. */
export function layersAmong(trace: Trace, modules: Int32Array): Layer[] {
  return layersIn(Array.from(modules, (s) => layerAt(trace, trace.modules[s]!)));
}

/** Each layer once, in the order given. */
export function layersIn(modules: Iterable<Layer>): Layer[] {
  const seen = new Map<string, Layer>();
  for (const { stack, layer, router } of modules) {
    const key = `${placeOf({ layer, ...(stack && { stack }) })} ${router ?? ''}`;
    if (!seen.has(key)) seen.set(key, { layer, ...(stack && { stack }), ...(router !== undefined && { router }) });
  }
  return [...seen.values()];
}

/** The kinds of the trace's modules, in the order of the module axis. */
export function kindsOf(trace: Trace, filter: ModuleFilter = {}): string[] {
  return [...new Set(Array.from(modulesOf(trace, filter), (s) => trace.modules[s]!.kind))];
}

export function isSpecial({ tokens }: Sequence, t: number): boolean {
  return tokens.special?.[t] === 1;
}

/** Whether the tokenizer put it before the text, to mark where that starts. */
export function isStart(sequence: Sequence, t: number): boolean {
  return t === 0 && sequence.role !== 'output' && isSpecial(sequence, t);
}

/** The first token after the given characters of the text; the number of tokens if there is none. */
export function firstWritten({ tokens }: Sequence, given: number | undefined): number {
  const found = given === undefined ? -1 : (tokens.start?.findIndex((start) => start >= given) ?? -1);
  return found < 0 ? tokens.count : found;
}

/** Indexes of the tokens that statistics count: those that are routed and not special. */
export function textTokens(sequence: Sequence): Int32Array {
  const found = new Int32Array(sequence.done);
  let count = 0;
  for (let t = 0; t < found.length; t++) if (!isSpecial(sequence, t)) found[count++] = t;
  return found.slice(0, count);
}

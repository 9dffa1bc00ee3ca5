/** Where things lie in a trace: strides, cells, and the modules and tokens that a view is about. */
import type { Module, Scope, Strategy, Trace } from './trace.js';

/** Which modules a view is about; an absent field means all. */
export interface ModuleFilter {
  readonly layer?: number | undefined;
  readonly kind?: string | undefined;
  /** Module path. */
  readonly module?: string | undefined;
}

/** T: all tokens of a trace, special ones and those not yet routed included. */
export function tokenCount(trace: Trace): number {
  return trace.tokens.ids.length;
}

/** Offset of cell (m, t) in the [M, T, k] arrays. */
export function chosenOffset(trace: Trace, m: number, t: number): number {
  return (m * tokenCount(trace) + t) * trace.k;
}

/** [N] raw scores at a cell, over the trace's own memory; undefined where the source gave none. */
export function affinitiesAt(trace: Trace, m: number, t: number): Float32Array | undefined {
  const n = trace.experts.length;
  const at = (m * tokenCount(trace) + t) * n;
  return trace.affinity?.subarray(at, at + n);
}

/** [k] expert indexes at a cell, best first, −1 for none; over the trace's own memory. */
export function chosenAt(trace: Trace, m: number, t: number): Int16Array {
  const at = chosenOffset(trace, m, t);
  return trace.chosen.subarray(at, at + trace.k);
}

/** [k] routing weights at a cell, as `chosenAt`; over the trace's own memory. */
export function weightsAt(trace: Trace, m: number, t: number): Float32Array {
  const at = chosenOffset(trace, m, t);
  return trace.weight.subarray(at, at + trace.k);
}

/** [k] contributions at a cell, as `chosenAt`; undefined where the source gave none. */
export function contributionsAt(trace: Trace, m: number, t: number): Float32Array | undefined {
  const at = chosenOffset(trace, m, t);
  return trace.contribution?.subarray(at, at + trace.k);
}

/** What one expert's part in a cell is measured by. */
export type Measure = 'weight' | 'contribution';

/** [M, T, k]; falls back to the routing weight where the source gave no contribution. */
export function measured(trace: Trace, by: Measure): Float32Array {
  return by === 'contribution' ? (trace.contribution ?? trace.weight) : trace.weight;
}

/** The expert with the largest part in a cell; the better-placed one wins a tie. −1: none, or all experts have the same part. */
export function leaderAt(trace: Trace, m: number, t: number, by: Measure = 'weight'): number {
  const parts = measured(trace, by);
  const at = chosenOffset(trace, m, t);
  let best = -1;
  let most = -Infinity;
  for (let i = at; i < at + trace.k; i++) {
    if (trace.chosen[i]! >= 0 && parts[i]! > most) [best, most] = [trace.chosen[i]!, parts[i]!];
  }
  return trace.k === trace.experts.length && isEven(parts.subarray(at, at + trace.k)) ? -1 : best;
}

/** Whether all of several experts have the same share, as merged ones have: then none leads. */
export function isEven(shares: Float32Array | Float64Array): boolean {
  return shares.length > 1 && shares.every((share) => share === shares[0]);
}

export function matches(module: Module, filter: ModuleFilter): boolean {
  return (
    (filter.layer === undefined || filter.layer === module.layer) &&
    (filter.kind === undefined || filter.kind === module.kind) &&
    (filter.module === undefined || filter.module === module.path)
  );
}

/** Whether an intervention's scope holds at a cell. */
export function holdsAt(scope: Scope, module: Module, t: number): boolean {
  return (scope.token === undefined || scope.token === t) && matches(module, scope);
}

/** Indexes of the modules that a filter leaves, ascending. */
export function modulesOf(trace: Trace, filter: ModuleFilter = {}): Int32Array {
  return Int32Array.from(trace.modules.keys()).filter((m) => matches(trace.modules[m]!, filter));
}

/** The layers that have modules, ascending. */
export function layersOf(trace: Trace): number[] {
  return [...new Set(trace.modules.map((m) => m.layer))].sort((a, b) => a - b);
}

/** The kinds that the trace's modules have, in the order of the module axis. */
export function kindsOf(trace: Trace): string[] {
  return [...new Set(trace.modules.map((m) => m.kind))];
}

/** A special token maps to no text. */
export function isSpecial(trace: Trace, t: number): boolean {
  return trace.tokens.start[t]! < 0;
}

/** Indexes of the tokens that statistics are about: routed, and not special. */
export function textTokens(trace: Trace): Int32Array {
  return Int32Array.from(trace.tokens.ids.keys()).filter((t) => t < trace.done && !isSpecial(trace, t));
}

/** k of a strategy whose router chooses; undefined where fixed weights stand in for it. */
export function routedK(strategy: Strategy): number | undefined {
  return 'k' in strategy ? strategy.k : undefined;
}

/** Whether expert e has a gate at module m: its affinity is a number there. True where the source gave no affinities. */
export function takesPart(trace: Trace, m: number, e: number): boolean {
  return trace.done === 0 || !Number.isNaN(affinitiesAt(trace, m, 0)?.[e] ?? 0);
}

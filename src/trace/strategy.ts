import type { Strategy } from './trace.js';

/** The strategy with a k that N experts can give: who asks for more of them gets all, and the trace says how many that is. */
export function bounded(strategy: Strategy, experts: number): Strategy {
  return 'k' in strategy ? { ...strategy, k: Math.min(strategy.k, Math.max(1, experts)) } : strategy;
}

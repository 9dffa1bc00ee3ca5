import type { Intervention, Scope, Strategy } from '../trace/trace.js';
import { GanderError } from '../shared/errors.js';
import type { Plan, Router } from './compose.js';

/** Stands for −∞: the softmax of it beside any affinity is exactly 0, and of nothing but it still a number. */
const never = -1e30;

/**
 * A strategy and its interventions as the inputs of the routed graph: strategies and what-ifs are numbers here, never
 * other graphs.
 */
export class Steering {
  readonly k: number;
  readonly arrow: boolean;
  /** Which router vectors score the tokens; under fixed weights the gates, whose affinities are shown beside. */
  readonly router: Router;
  readonly #plan: Plan;
  readonly #interventions: readonly Intervention[];
  readonly #fixed: Float32Array | undefined;
  /** [rows, N] for every token that no intervention singles out. */
  readonly #bias: Float32Array;

  /**
   * @param strategy retrieval with `expert` filled in
   * @throws GanderError `request-invalid` for an expert or a k that the pool does not have.
   */
  constructor(plan: Plan, strategy: Strategy, interventions: readonly Intervention[]) {
    this.#plan = plan;
    this.#interventions = interventions;
    const n = plan.experts.length;
    for (const { expert } of interventions) this.#expert(expert);
    this.#fixed = this.#fixedWeights(strategy);
    // A tilt or a knock-out among fixed weights has no choice to act on; `inputs` handles both kinds.
    const k = 'k' in strategy ? strategy.k : 1;
    if (!Number.isInteger(k) || k < 1) throw new GanderError('request-invalid', `k is ${k}; it must be a whole number from 1.`, 'Choose another k.');
    this.k = Math.min(k, n);
    this.arrow = strategy.name === 'arrow';
    this.router = strategy.name === 'arrow' || strategy.name === 'average-activation' ? strategy.name : 'phatgoose';
    const takesPart = this.arrow ? plan.adapts : plan.takesPart;
    this.#bias = Float32Array.from(takesPart, (part) => (part ? 0 : never));
    const multitask = plan.experts.indexOf('multitask');
    if (multitask >= 0) for (let at = multitask; at < this.#bias.length; at += n) this.#bias[at] = never;
  }

  /** Width of a trace's chosen axis: k, or the most weights that are not 0 at one module. */
  get width(): number {
    if (!this.#fixed) return this.k;
    const n = this.#plan.experts.length;
    const counts = this.#plan.rows.map((_, row) => this.#fixed!.subarray(row * n, row * n + n).filter((w) => w !== 0).length);
    return Math.max(1, ...counts);
  }

  /** Inputs for tokens `done` to `done + t`. bias [1 or t, rows, N], fixed [t, rows, N], share [1 or t, rows, 1]. */
  inputs(done: number, t: number): { bias: Float32Array; fixed: Float32Array; share: Float32Array } {
    const rows = this.#plan.rows.length;
    const cells = rows * this.#plan.experts.length;
    const fixed = new Float32Array(t * cells);
    if (this.#fixed) for (let i = 0; i < t; i++) fixed.set(this.#fixed, i * cells);
    // One row of bias for all tokens, unless an intervention tells them apart.
    const apart = this.#interventions.some(({ scope }) => scope.token !== undefined);
    const height = apart ? t : 1;
    const bias = new Float32Array(height * cells);
    for (let i = 0; i < height; i++) bias.set(this.#bias, i * cells);
    const forced = this.#interventions.some(({ action }) => action === 'force');
    const share = new Float32Array((apart || forced ? t : 1) * rows).fill(this.#fixed ? 0 : 1);
    for (const intervention of this.#interventions) this.#apply(intervention, done, t, height, bias, fixed, share);
    if (!this.#fixed) this.#silence(height, share.length / rows, bias, share);
    return { bias, fixed, share };
  }

  #apply(intervention: Intervention, done: number, t: number, height: number, bias: Float32Array, fixed: Float32Array, share: Float32Array): void {
    const { experts, rows, modules, adapts } = this.#plan;
    const n = experts.length;
    const expert = this.#expert(intervention.expert);
    const { token } = intervention.scope;
    for (let row = 0; row < rows.length; row++) {
      if (!holds(intervention.scope, modules[rows[row]!]!)) continue;
      for (let i = 0; i < t; i++) {
        if (token !== undefined && token !== done + i) continue;
        const at = (i * rows.length + row) * n;
        const biasAt = (Math.min(i, height - 1) * rows.length + row) * n;
        const shareAt = share.length === rows.length ? row : i * rows.length + row;
        if (intervention.action === 'tilt') {
          // A shared row is tilted once, not once a token.
          if (i < height && bias[biasAt + expert]! > never / 2) bias[biasAt + expert]! += intervention.amount;
        } else if (intervention.action === 'knock-out') {
          bias[biasAt + expert] = never;
          fixed[at + expert] = 0;
          if (fixed.subarray(at, at + n).every((w) => w === 0) && !this.#fixed) share[shareAt] = 1;
        } else {
          fixed.fill(0, at, at + n);
          if (adapts[row * n + expert]) fixed[at + expert] = 1;
          share[shareAt] = 0;
        }
      }
    }
  }

  /** Where nobody may be chosen, softmax over "never" alone would still share out 1. */
  #silence(height: number, shareHeight: number, bias: Float32Array, share: Float32Array): void {
    const rows = this.#plan.rows.length;
    const n = this.#plan.experts.length;
    for (let i = 0; i < height; i++) {
      for (let row = 0; row < rows; row++) {
        const at = (i * rows + row) * n;
        let open = false;
        for (let e = 0; e < n && !open; e++) open = bias[at + e]! > never / 2;
        if (open) continue;
        if (height === 1) for (let s = 0; s < shareHeight; s++) share[s * rows + row] = 0;
        else share[i * rows + row] = 0;
      }
    }
  }

  /** [rows, N], or undefined where the router decides. */
  #fixedWeights(strategy: Strategy): Float32Array | undefined {
    const { experts, adapts, rows } = this.#plan;
    const n = experts.length;
    const one = (id: string) => {
      const expert = this.#expert(id);
      return Float32Array.from({ length: rows.length * n }, (_, at) => (at % n === expert && adapts[at] ? 1 : 0));
    };
    switch (strategy.name) {
      case 'base':
        return new Float32Array(rows.length * n);
      case 'single':
        return one(strategy.expert);
      case 'retrieval':
        return one(strategy.expert ?? '');
      case 'multitask':
        return one('multitask');
      case 'merged': {
        // The mean over the pool: an expert without a matrix here counts as one that changes nothing.
        const members = experts.filter((id) => id !== 'multitask').length;
        return Float32Array.from({ length: rows.length * n }, (_, at) => (adapts[at] && experts[at % n] !== 'multitask' ? 1 / members : 0));
      }
      default:
        return undefined;
    }
  }

  #expert(id: string): number {
    const index = this.#plan.experts.indexOf(id);
    if (index < 0) throw new GanderError('request-invalid', `There is no expert "${id}" in the pool.`, 'Choose one that the pool has.');
    return index;
  }
}

function holds(scope: Scope, module: { path: string; layer: number; kind: string }): boolean {
  return (
    (scope.layer === undefined || scope.layer === module.layer) &&
    (scope.kind === undefined || scope.kind === module.kind) &&
    (scope.module === undefined || scope.module === module.path)
  );
}

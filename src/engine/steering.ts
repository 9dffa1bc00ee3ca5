import type { Intervention, Scope, Strategy } from '../trace/trace.js';
import { GanderError } from '../shared/errors.js';
import { bounded } from '../trace/strategy.js';
import type { Plan, Router } from './compose.js';
import { multitaskId } from './placing.js';

/** Stands for −∞: the softmax of it beside any affinity is exactly 0, and of nothing but it still a number. */
export const never = -1e30;

/** What steers one run of the routed graph. */
export interface Steering {
  /** How many a token chooses at one module, or is given; 1 ≤ k ≤ N */
  readonly k: number;
  /** Which router vectors score the tokens; under fixed weights the gates, whose affinities are shown beside. */
  readonly router: Router;
  /**
   * Inputs for tokens `done` to `done + t`: bias and fixed [h, rows, N], share [h, rows, 1], where h is t, or 1 if all
   * tokens have the same; rows are modules in the graph's order.
   */
  inputs(done: number, t: number): SteeringInputs;
}

export interface SteeringInputs {
  readonly bias: Float32Array;
  readonly fixed: Float32Array;
  readonly share: Float32Array;
}

/**
 * A strategy and its interventions as inputs of the routed graph: what-ifs are numbers here, never other graphs.
 *
 * Later interventions win over earlier ones on the same expert, module and token. A forced expert stays forced until it
 * is named again or another is forced. What is knocked out has no weight under fixed weights either; the others keep
 * theirs.
 */
export class StrategySteering implements Steering {
  /** As asked, but for a k that the pool cannot give. */
  readonly strategy: Strategy;
  readonly k: number;
  readonly router: Router;
  readonly #plan: Plan;
  readonly #interventions: readonly Intervention[];
  readonly #multitask: boolean;
  /** [rows, N] where the strategy gives the weights. */
  readonly #given: Float32Array | undefined;

  /**
   * @param asked retrieval with `expert` filled in
   * @throws GanderError `request-invalid` for an expert that the pool does not have or a k that is none, `expert-invalid`
   *   for one that is to be applied and has no module in the base
   */
  constructor(plan: Plan, asked: Strategy, interventions: readonly Intervention[]) {
    const k = 'k' in asked ? asked.k : 1;
    if (!Number.isInteger(k) || k < 1)
      throw new GanderError('request-invalid', `k is ${k}; it must be a whole number from 1.`, 'Choose another k.');
    const members = plan.experts.filter((id) => id !== multitaskId).length;
    const strategy = bounded(asked, members);
    this.strategy = strategy;
    this.#plan = plan;
    this.#interventions = interventions;
    for (const { action, expert } of interventions) {
      if (action === 'force') this.#placed(expert);
      else this.#expert(expert);
    }
    this.#multitask = strategy.name === 'multitask';
    this.#given = this.#givenWeights(strategy);
    // A forced expert and the multitask adapter may stand beside each other.
    const most = this.#multitask ? 2 : this.#given ? this.width : k;
    this.k = Math.min(most, this.#multitask ? plan.experts.length : members);
    this.router = strategy.name === 'arrow' || strategy.name === 'average-activation' ? strategy.name : 'phatgoose';
  }

  /** Width of a trace's chosen axis: k, or the most weights that are not 0 at one module. */
  get width(): number {
    if (!this.#given) return this.k;
    const n = this.#plan.experts.length;
    const visible = n - (this.#plan.experts.includes(multitaskId) ? 1 : 0);
    const counts = this.#plan.rows.map(
      (_, row) => this.#given!.subarray(row * n, row * n + visible).filter((w) => w !== 0).length,
    );
    return Math.max(1, ...counts);
  }

  inputs(done: number, t: number): SteeringInputs {
    const rows = this.#plan.rows.length;
    const n = this.#plan.experts.length;
    // One row for all tokens, unless an intervention tells them apart.
    const height = this.#interventions.some(({ scope }) => scope.token !== undefined) ? t : 1;
    const bias = new Float32Array(height * rows * n);
    const forced = new Int16Array(height * rows).fill(-1);
    for (const intervention of this.#interventions) this.#apply(intervention, done, height, bias, forced);
    const fixed = new Float32Array(height * rows * n);
    const share = new Float32Array(height * rows);
    for (let cell = 0; cell < height * rows; cell++) {
      const open = this.#settle(
        cell % rows,
        bias.subarray(cell * n, cell * n + n),
        fixed.subarray(cell * n, cell * n + n),
        forced[cell]!,
      );
      share[cell] = open ? 1 : 0;
    }
    return { bias, fixed, share };
  }

  #apply(intervention: Intervention, done: number, height: number, bias: Float32Array, forced: Int16Array): void {
    const { experts, rows, modules } = this.#plan;
    const expert = this.#expert(intervention.expert);
    const { token } = intervention.scope;
    for (let i = 0; i < height; i++) {
      if (token !== undefined && token !== done + i) continue;
      for (let row = 0; row < rows.length; row++) {
        if (!holds(intervention.scope, modules[rows[row]!]!)) continue;
        const cell = i * rows.length + row;
        const at = cell * experts.length + expert;
        if (intervention.action === 'force') {
          forced[cell] = expert;
          bias[at] = 0;
          continue;
        }
        if (forced[cell] === expert) forced[cell] = -1;
        bias[at] = intervention.action === 'knock-out' ? never : intervention.amount;
      }
    }
  }

  /** Fills in one module's bias and given weights [N]. @returns whether the router decides there. */
  #settle(row: number, bias: Float32Array, weights: Float32Array, forced: number): boolean {
    const { experts, adapts, scored } = this.#plan;
    const n = experts.length;
    const given = this.#given?.subarray(row * n, row * n + n);
    let open = false;
    for (let e = 0; e < n; e++) {
      const out = bias[e]! <= never;
      const able = adapts[row * n + e]!;
      if (forced >= 0) weights[e] = e === forced && able ? 1 : 0;
      else if (given) weights[e] = out ? 0 : given[e]!;
      if (!able || !scored[this.router][row * n + e]! || experts[e] === multitaskId) bias[e] = never;
      open ||= bias[e]! > never;
      if (this.#multitask && experts[e] === multitaskId && able) weights[e] = 1;
    }
    // Where nobody may be chosen, softmax over "never" alone would still share out 1.
    return open && forced < 0 && !given;
  }

  /** [rows, N], or undefined where the router decides. */
  #givenWeights(strategy: Strategy): Float32Array | undefined {
    const { experts, adapts, rows } = this.#plan;
    const n = experts.length;
    const members = experts.filter((id) => id !== multitaskId).length;
    const weights = (of: (e: number) => number) =>
      Float32Array.from({ length: rows.length * n }, (_, at) => (adapts[at] ? of(at % n) : 0));
    const one = (id: string) => {
      const expert = this.#placed(id);
      return weights((e) => (e === expert ? 1 : 0));
    };
    switch (strategy.name) {
      case 'base':
      case 'multitask':
        return weights(() => 0);
      case 'single':
        return one(strategy.expert);
      case 'retrieval':
        return one(strategy.expert ?? '');
      case 'merged':
        // The mean over the pool: an expert without a matrix here counts as one that changes nothing.
        return weights((e) => (experts[e] === multitaskId ? 0 : 1 / members));
      default:
        return undefined;
    }
  }

  /** An expert that changes something: to apply one that has no module here would be to show the base in its name. */
  #placed(id: string): number {
    const expert = this.#expert(id);
    const { rows, experts, adapts } = this.#plan;
    if (rows.some((_, row) => adapts[row * experts.length + expert])) return expert;
    throw new GanderError(
      'expert-invalid',
      `Expert "${id}" has no module that was found in the base.`,
      'See the warnings of the pool (gander inspect), or choose another expert.',
    );
  }

  #expert(id: string): number {
    const index = id === multitaskId ? -1 : this.#plan.experts.indexOf(id);
    if (index < 0)
      throw new GanderError(
        'request-invalid',
        `There is no expert "${id}" in the pool.`,
        'Choose one that the pool has.',
      );
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

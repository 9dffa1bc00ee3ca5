import { likeliest } from '../../../graph/predictions.js';
import type { RouterVectors } from '../../../strategies/strategy.js';
import type { BlockColumns, Expert, Intervention, Router, Source } from '../../../trace/trace.js';
import type { Recording } from '../../runtime/recorder.js';
import { type Plan, sitesOfPlan } from './plan.js';
import type { RoutedStep } from './session.js';

export interface PoolRun {
  readonly plan: Plan;
  /** The pool's, in the order of the plan's; the multitask adapter, which a plan may have last, is none of them. */
  readonly experts: readonly Expert[];
  readonly router: Router;
  readonly interventions: readonly Intervention[];
  readonly source: Source;
  /** Which vectors gave the scores. */
  readonly vectors: RouterVectors;
  /** Width of the chosen axis. */
  readonly k: number;
}

/** Traces of a pool are of one block: from the graph's [T, rows, N] to the trace's [S, T, ·]. */
export class PoolRecording implements Recording<RoutedStep> {
  readonly frame: Recording<RoutedStep>['frame'];
  readonly columns = ['weight', 'contribution', 'score'] as const;
  readonly #scored: readonly boolean[];
  readonly #run: PoolRun;

  constructor(run: PoolRun) {
    const { plan, experts, router, interventions, source, k } = run;
    this.#run = run;
    this.#scored = plan.scored[run.vectors];
    const to = plan.modules.length;
    const block = { from: 0, to, sequence: 0, experts: experts.length, k, alwaysOn: 0 };
    this.frame = {
      source,
      router,
      interventions,
      expertSets: [{ scope: 'pool', experts }],
      sites: sitesOfPlan(plan),
      sequences: [{ role: 'text', predictions: likeliest }],
      blocks: to > 0 ? [block] : [],
    };
  }

  fill(step: RoutedStep, count: number, [block]: readonly BlockColumns[], done: number, capacity: number): void {
    if (!block) return;
    this.#run.plan.rows.forEach((site, row) => this.#row(step, row, count, block, site * capacity + done));
  }

  /** One site: scores as they are, and of each token's weights those that are not 0, largest first. */
  #row(step: RoutedStep, row: number, count: number, block: BlockColumns, first: number): void {
    const { plan, k, experts } = this.#run;
    const { chosen } = block;
    const [scores, weights, contributions] = [block.score!, block.weight!, block.contribution!];
    const [rows, n, all] = [plan.rows.length, experts.length, plan.experts.length];
    const scored = this.#scored.slice(row * all, row * all + n);
    const root = Math.sqrt(plan.widths[row]!);
    weights.fill(0, first * k, (first + count) * k);
    contributions.fill(0, first * k, (first + count) * k);
    // Of the experts with a weight, or of all.
    const slots = step.weight.length / (rows * count || 1);
    for (let i = 0; i < count; i++) {
      const from = (i * rows + row) * all;
      const cell = (i * rows + row) * slots;
      const to = (first + i) * k;
      let taken = 0;
      for (let e = 0; e < n; e++) scores[(first + i) * n + e] = scored[e] ? step.affinity[from + e]! : NaN;
      for (let s = 0; s < slots; s++) {
        const e = step.chosen ? step.chosen[cell + s]! : s;
        const w = step.weight[cell + s]!;
        if (w === 0 || e >= n) continue;
        // Insertion into at most k places; of two alike the one that came first, with the lower index, stays first.
        if (taken === k && weights[to + k - 1]! >= w) continue;
        let slot = taken < k ? taken++ : k - 1;
        for (; slot > 0 && weights[to + slot - 1]! < w; slot--) {
          chosen[to + slot] = chosen[to + slot - 1]!;
          weights[to + slot] = weights[to + slot - 1]!;
          contributions[to + slot] = contributions[to + slot - 1]!;
        }
        chosen[to + slot] = e;
        weights[to + slot] = w;
        contributions[to + slot] = (Math.abs(w) * step.moved[cell + s]!) / root;
      }
    }
  }
}

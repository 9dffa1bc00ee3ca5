import { likeliest } from '../../../graph/predictions.js';
import type { Scores } from '../../../strategies/strategy.js';
import type { BlockColumns, Expert, Intervention, Router, Sequence, Source } from '../../../trace/model/trace.js';
import type { BlockShape } from '../../../transport/pieces.js';
import type { Recording } from '../../runtime/recorder.js';
import type { RoutedPart } from './graph.js';
import { type Module, type Plan, modulesOfPlan } from './plan.js';
import type { RoutedStep } from './session.js';

export interface PoolRun {
  readonly plan: Plan;
  /** The pool's experts in the plan's order, without the adapters of the whole pool that a plan may have last. */
  readonly experts: readonly Expert[];
  readonly router: Router;
  readonly interventions: readonly Intervention[];
  readonly source: Source;
  /** What gave the scores. */
  readonly vectors: Scores;
  /** Width of the chosen axis. */
  readonly k: number;
}

type Sequences = readonly Pick<Sequence, 'role' | 'predictions'>[];

const text: Sequences = [{ role: 'text', predictions: likeliest }];

/** What the encoder reads, without predictions, and what the decoder reads. */
export const inputAndOutput: Sequences = [
  { role: 'input', predictions: 0 },
  { role: 'output', predictions: likeliest },
];

/** Turns the graphs' [T, rows, N] into the trace's [S, T, ·], with one block for neighbours that see the same sequence. */
export class PoolRecording implements Recording<RoutedStep> {
  readonly frame: Recording<RoutedStep>['frame'];
  readonly columns = ['weight', 'contribution', 'score'] as const;
  readonly #run: PoolRun;
  /** Each module's block, and its position there. */
  readonly #places: readonly { readonly block: number; readonly at: number }[];

  constructor(run: PoolRun, sequences: Sequences = text) {
    const { plan, experts, router, interventions, source, k } = run;
    this.#run = run;
    const blocks = blocksOf(plan.modules, experts.length, k);
    this.#places = blocks.flatMap(({ from, to }, block) =>
      Array.from({ length: to - from }, (_, at) => ({ block, at })),
    );
    this.frame = {
      source,
      router,
      interventions,
      expertSets: [{ scope: 'pool', experts }],
      modules: modulesOfPlan(plan),
      sequences,
      blocks,
    };
  }

  fill({ parts }: RoutedStep, count: number, blocks: readonly BlockColumns[], done: number, capacity: number): void {
    for (const part of parts) {
      const [from, to] = part.part.rows;
      for (let row = 0; row < to - from; row++) {
        const { block, at } = this.#places[this.#run.plan.rows[from + row]!]!;
        this.#row(part, row, count, blocks[block]!, at * capacity + done);
      }
    }
  }

  /** Fills in one module: all scores, and each token's non-zero weights, largest first. */
  #row(step: RoutedPart, row: number, count: number, block: BlockColumns, first: number): void {
    const { plan, k, experts, vectors } = this.#run;
    const { chosen } = block;
    const [scores, weights, contributions] = [block.score!, block.weight!, block.contribution!];
    const [from, to] = step.part.rows;
    const [rows, n, all] = [to - from, experts.length, plan.experts.length];
    const cells = (from + row) * all;
    const scored = plan.scored[vectors]!.slice(cells, cells + n);
    const root = Math.sqrt(plan.widths[from + row]!);
    weights.fill(0, first * k, (first + count) * k);
    contributions.fill(0, first * k, (first + count) * k);
    // One for each expert with a weight, or for each expert.
    const slots = step.weight.length / (rows * count || 1);
    for (let i = 0; i < count; i++) {
      const line = (i * rows + row) * all;
      const cell = (i * rows + row) * slots;
      const into = (first + i) * k;
      let taken = 0;
      for (let e = 0; e < n; e++) scores[(first + i) * n + e] = scored[e] ? step.affinity[line + e]! : NaN;
      for (let s = 0; s < slots; s++) {
        const e = step.chosen ? step.chosen[cell + s]! : s;
        const w = step.weight[cell + s]!;
        if (w === 0 || e >= n) continue;
        // Insertion into at most k slots; of two equal weights the one that came first, with the lower index, stays first.
        if (taken === k && weights[into + k - 1]! >= w) continue;
        let slot = taken < k ? taken++ : k - 1;
        for (; slot > 0 && weights[into + slot - 1]! < w; slot--) {
          chosen[into + slot] = chosen[into + slot - 1]!;
          weights[into + slot] = weights[into + slot - 1]!;
          contributions[into + slot] = contributions[into + slot - 1]!;
        }
        chosen[into + slot] = e;
        weights[into + slot] = w;
        contributions[into + slot] = (Math.abs(w) * step.moved[cell + s]!) / root;
      }
    }
  }
}

function blocksOf(modules: readonly Module[], experts: number, k: number): BlockShape[] {
  const blocks: { from: number; to: number; sequence: number; experts: number; k: number; sharedExperts: number }[] =
    [];
  modules.forEach(({ sequence }, module) => {
    const last = blocks.at(-1);
    if (last?.sequence === sequence) last.to = module + 1;
    else blocks.push({ from: module, to: module + 1, sequence, experts, k, sharedExperts: 0 });
  });
  return blocks;
}

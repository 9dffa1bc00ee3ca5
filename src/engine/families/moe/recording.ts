import { leftOut } from '../../../graph/moe/leftOut.js';
import { likeliest } from '../../../graph/predictions.js';
import { GanderError } from '../../../errors/errors.js';
import type { BlockColumnName } from '../../../trace/model/columns.js';
import type { BlockColumns, Intervention, Router, Source } from '../../../trace/model/trace.js';
import type { BlockShape } from '../../../transport/pieces.js';
import type { Recording } from '../../runtime/recorder.js';
import { type Plan, type TappedRouter, setsOf, modulesOf } from './plan.js';
import type { MoeStep, RouterStep } from './session.js';

/** Turns the routers' outputs into the trace's blocks of equal routers. */
export class MoeRecording implements Recording<MoeStep> {
  readonly frame: Recording<MoeStep>['frame'];
  readonly columns: readonly BlockColumnName[];
  readonly #plan: Plan;
  readonly #blocks: readonly BlockShape[];

  constructor(plan: Plan, router: Router, interventions: readonly Intervention[], source: Source) {
    this.#plan = plan;
    this.#blocks = blocksOf(plan);
    const all = (told: (router: Plan['routers'][number]) => boolean) => plan.routers.every(told);
    this.columns = [
      'score',
      ...(all(({ tap }) => tap.weight !== undefined) ? (['weight'] as const) : []),
      ...(all(({ tap }) => tap.selection !== undefined) ? (['selection'] as const) : []),
      ...(all(({ tap }) => tap.shared !== undefined) ? (['sharedWeight'] as const) : []),
    ];
    this.frame = {
      source,
      router,
      interventions,
      expertSets: setsOf(plan),
      modules: modulesOf(plan),
      sequences: [{ role: 'text', predictions: likeliest }],
      blocks: this.#blocks,
    };
  }

  fill(step: MoeStep, count: number, blocks: readonly BlockColumns[], done: number, capacity: number): void {
    const width = this.#plan.routers.reduce((sum, { experts }) => sum + experts, 0);
    let begin = 0;
    for (const [b, { from, to, experts, k }] of this.#blocks.entries()) {
      const block = blocks[b]!;
      for (let module = from; module < to; module++) {
        const router = step.routers[module]!;
        const first = (module - from) * capacity + done;
        block.score?.set(router.score, first * experts);
        block.selection?.set(router.selection!, first * experts);
        block.weight?.set(router.weight!, first * k);
        block.sharedWeight?.set(router.shared!, first);
        block.chosen.set(router.chosen, first * k);
        const row = (i: number) => (step.bias.length === width ? begin : i * width + begin);
        const isOut = (i: number, e: number) => step.bias[row(i) + e]! < leftOut;
        if (leaveOut(router, count * k, k, block.chosen.subarray(first * k), isOut))
          throw stillRun(this.#plan.routers[module]!);
        begin += experts;
      }
    }
  }
}

/**
 * A graph always chooses k experts; this removes those that were left out.
 *
 * @returns whether one of them has a weight all the same, or may have one as weights are not known
 */
function leaveOut(
  { chosen, weight }: RouterStep,
  count: number,
  k: number,
  told: Int16Array,
  isOut: (token: number, expert: number) => boolean,
): boolean {
  let weighs = false;
  for (let i = 0; i < count; i++) {
    if (!isOut(Math.floor(i / k), chosen[i]!)) continue;
    told[i] = -1;
    weighs ||= weight?.[i] !== 0;
  }
  return weighs;
}

function stillRun({ path, k }: TappedRouter): GanderError {
  return new GanderError(
    'request-invalid',
    `With so few experts left, the graph still runs some at ${path} that were left out.`,
    `Leave at least ${k} of its experts in.`,
  );
}

/** One block for neighbours that choose the same number among the same number of experts. */
function blocksOf({ routers }: Plan): BlockShape[] {
  const blocks: BlockShape[] = [];
  for (const [i, { experts, k, tap }] of routers.entries()) {
    const last = blocks.at(-1);
    const sharedExperts = tap.shared === undefined ? 0 : 1;
    if (last?.experts === experts && last.k === k && last.sharedExperts === sharedExperts)
      blocks[blocks.length - 1] = { ...last, to: i + 1 };
    else blocks.push({ from: i, to: i + 1, sequence: 0, experts, k, sharedExperts });
  }
  return blocks;
}

import { leftOut, never } from '../../../graph/moe/leftOut.js';
import { GanderError } from '../../../errors/errors.js';
import { ambiguousExpert, meantBy } from '../../../trace/model/layerExperts.js';
import type { Expert, Intervention } from '../../../trace/model/trace.js';
import { type ModuleWhatIf, whatIfAt } from '../../../trace/model/whatIf.js';
import { type Plan, setsOf, modulesOf } from './plan.js';

/**
 * Turns what-ifs into numbers that are added to the routers' scores. The rest is the model's own rule: a forced expert is the
 * only one left, and gets all the weight that the router gives.
 */
export class MoeSteering {
  readonly #plan: Plan;
  /** By router; undefined where no intervention applies. */
  readonly #whatIf: readonly (ModuleWhatIf | undefined)[];
  readonly #width: number;

  /** @throws GanderError `request-invalid` for an unknown expert */
  constructor(plan: Plan, interventions: readonly Intervention[]) {
    this.#plan = plan;
    const sets = setsOf(plan);
    const all = sets.flatMap(({ experts }) => experts);
    for (const { expert } of interventions) if (!all.some(({ id }) => id === expert)) throw noExpert(expert, all);
    const modules = modulesOf(plan);
    this.#whatIf = modules.map((module, i) => whatIfAt(interventions, sets[i]!.experts, module));
    this.#width = plan.routers.reduce((sum, { experts }) => sum + experts, 0);
  }

  /**
   * What is added to the scores of tokens `done` to `done + t`: [h, ΣE], all routers one after another; h is t, or 1 if all
   * tokens have the same.
   *
   * @throws GanderError `request-invalid` if no expert is left
   */
  bias(done: number, t: number): Float32Array {
    const height = this.#whatIf.some((whatIf) => whatIf?.byToken) ? t : 1;
    const bias = new Float32Array(height * this.#width);
    for (let row = 0; row < height; row++) {
      let at = row * this.#width;
      for (const [i, { experts, path }] of this.#plan.routers.entries()) {
        const whatIf = this.#whatIf[i]?.at(done + row);
        if (whatIf) settle(bias.subarray(at, at + experts), whatIf.bias, whatIf.forced, path);
        at += experts;
      }
    }
    return bias;
  }
}

function noExpert(said: string, all: readonly Expert[]): GanderError {
  const meant = meantBy(said, all);
  return meant.length > 0
    ? ambiguousExpert(said, meant)
    : new GanderError(
        'request-invalid',
        `The model has no expert "${said}".`,
        `Its experts have names such as "${all[0]!.id}".`,
      );
}

function settle(into: Float32Array, bias: Float32Array, forced: number, path: string): void {
  let left = 0;
  for (let e = 0; e < into.length; e++) {
    const isOut = bias[e]! < leftOut || (forced >= 0 && e !== forced);
    into[e] = isOut ? never : bias[e]!;
    if (!isOut) left++;
  }
  if (left === 0)
    throw new GanderError(
      'request-invalid',
      `No expert is left at ${path}: all are knocked out.`,
      'Leave one of its experts in.',
    );
}

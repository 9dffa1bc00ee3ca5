import { GanderError } from '../../../errors/errors.js';
import { bounded, descriptorOf, type Strategy } from '../../../strategies/index.js';
import type { FixedWeights, RouterVectors, Scores } from '../../../strategies/strategy.js';
import type { Intervention } from '../../../trace/model/trace.js';
import { type CellBias, type ModuleWhatIf, whatIfAt } from '../../../trace/model/whatIf.js';
import { isMember, wholeIds } from './placing.js';
import { type GraphPart, type Plan, modulesOfPlan, wholePlan } from './plan.js';
import { type ScalingPlan, passScaling, scaleCell } from './scaling.js';

/** Stands for −∞: beside any score its softmax is exactly 0, and a softmax over nothing else is still a number. */
export const never = -1e30;

/** Steers one run of the routed graph. */
export interface Steering {
  /** How many experts a token chooses, or is given, at one module; 1 ≤ k ≤ N */
  readonly k: number;
  /** Which router vectors score the tokens; with fixed weights `shownBeside`. */
  readonly router: RouterVectors;
  /**
   * Inputs for tokens `done` to `done + t`: bias and fixed [h, rows, N], routed [h, rows, 1], where h is t, or 1 if all
   * tokens have the same; rows are modules in the graph's order.
   *
   * @param rows those of one graph, [from, to); absent: all
   */
  inputs(done: number, t: number, rows?: GraphPart['rows']): SteeringInputs;
  /** For X-LoRA, which runs twice; `inputs` is then not asked. */
  readonly scaling?: Scaling;
}

export interface Scaling {
  /** Steers the pass whose last hidden states the classifier reads. */
  readonly first: Steering;
  /**
   * Steers the run itself.
   *
   * @param logits the classifier's, of tokens `done` to `done + t`
   * @returns also the logits of each module [t, rows, N], before any what-if
   */
  second(
    logits: Float32Array,
    done: number,
    t: number,
  ): { readonly steering: Steering; readonly affinity: Float32Array };
}

export interface SteeringInputs {
  readonly bias: Float32Array;
  readonly fixed: Float32Array;
  /** 1 where the router decides, 0 where the fixed weights do. */
  readonly routed: Float32Array;
}

/** The vectors whose scores are shown beside fixed weights: the gates, or Arrow's if no expert has one. */
export function shownBeside({ scored }: Plan): RouterVectors {
  return scored.phatgoose.includes(true) ? 'phatgoose' : 'arrow';
}

/**
 * Turns a strategy and its interventions into inputs of the routed graph: a what-if changes numbers, never the graph.
 *
 * A forced expert stays forced until it is named again or another is forced. With fixed weights, too, a knocked-out expert
 * has no weight; the others keep theirs.
 */
export class StrategySteering implements Steering {
  /** As requested, except for a k that the pool is too small for. */
  readonly strategy: Strategy;
  readonly k: number;
  readonly router: RouterVectors;
  /** What a trace's scores are. */
  readonly scores: Scores;
  readonly scaling?: Scaling;
  readonly #plan: Plan;
  /** By row; undefined where no intervention applies. */
  readonly #whatIf: readonly (ModuleWhatIf | undefined)[];
  /** Id of the adapter of the whole pool that is added with weight 1, if there is one. */
  readonly #whole: string | undefined;
  /** [rows, N] if the strategy fixes the weights. */
  readonly #given: Float32Array | undefined;

  /**
   * @param asked with its expert filled in, if the engine finds it
   * @throws GanderError `request-invalid` for an unknown strategy or expert or an invalid k, `expert-invalid` for an expert
   *   that is to be applied but has no module in the base
   */
  constructor(plan: Plan, asked: Strategy, interventions: readonly Intervention[]) {
    const descriptor = descriptorOf(asked.name);
    if (!descriptor)
      throw new GanderError('request-invalid', `There is no strategy "${asked.name}".`, 'Choose another strategy.');
    const k = asked.k ?? 1;
    if (!Number.isInteger(k) || k < 1)
      throw new GanderError('request-invalid', `k is ${k}; it must be a whole number from 1.`, 'Choose another k.');
    const members = plan.experts.filter(isMember).length;
    const strategy = bounded(asked, members);
    this.strategy = strategy;
    this.#plan = plan;
    for (const { action, expert } of interventions) {
      if (action === 'force') this.#placed(expert);
      else this.#expert(expert);
    }
    const experts = plan.experts.map((id) => ({ id }));
    const modules = modulesOfPlan(plan);
    this.#whatIf = plan.rows.map((module) => whatIfAt(interventions, experts, modules[module]!));
    const { weights } = descriptor;
    const isChosen = descriptor.takes === 'expert' || descriptor.finds === 'expert';
    const chosen = isChosen ? this.#placed(strategy.expert ?? '') : -1;
    this.#whole = weights.by === 'strategy' && weights.adapter ? wholeIds[weights.adapter] : undefined;
    this.#given = weights.by === 'strategy' ? this.#givenWeights(weights, chosen) : undefined;
    // A forced expert and the adapter of the whole pool may both have a weight.
    const isWhole = this.#whole !== undefined;
    const most = isWhole ? 2 : this.#given ? this.width : k;
    this.k = Math.min(most, isWhole ? plan.experts.length : members);
    this.router = weights.by === 'score' ? weights.vectors : shownBeside(plan);
    this.scores = weights.by === 'classifier' ? 'x-lora' : this.router;
    if (weights.by === 'classifier') this.scaling = this.#scalingBy(plan.scaling!);
  }

  /** Width of a trace's chosen axis: k, or the largest number of non-zero weights at one module. */
  get width(): number {
    const { scaling } = this.#plan;
    if (this.scaling && scaling) return Math.min(scaling.config.topK ?? scaling.classes, scaling.classes);
    if (!this.#given) return this.k;
    const n = this.#plan.experts.length;
    const visible = this.#plan.experts.filter(isMember).length;
    const counts = this.#plan.rows.map(
      (_, row) => this.#given!.subarray(row * n, row * n + visible).filter((w) => w !== 0).length,
    );
    return Math.max(1, ...counts);
  }

  inputs(done: number, t: number, [from, to] = wholePlan(this.#plan).rows): SteeringInputs {
    const rows = to - from;
    const n = this.#plan.experts.length;
    // One row for all tokens, unless an intervention applies to only some.
    const height = this.#whatIf.slice(from, to).some((whatIf) => whatIf?.byToken) ? t : 1;
    const bias = new Float32Array(height * rows * n);
    const fixed = new Float32Array(height * rows * n);
    const routed = new Float32Array(height * rows);
    for (let cell = 0; cell < height * rows; cell++) {
      const row = from + (cell % rows);
      const whatIf = this.#whatIf[row]?.at(done + Math.floor(cell / rows));
      const open = this.#settle(
        row,
        whatIf,
        bias.subarray(cell * n, cell * n + n),
        fixed.subarray(cell * n, cell * n + n),
      );
      routed[cell] = open ? 1 : 0;
    }
    return { bias, fixed, routed };
  }

  /** Fills in one module's bias and given weights [N]. @returns whether the router decides there. */
  #settle(row: number, whatIf: CellBias | undefined, bias: Float32Array, weights: Float32Array): boolean {
    const { experts, adapts, scored } = this.#plan;
    const n = experts.length;
    const given = this.#given?.subarray(row * n, row * n + n);
    const forced = whatIf?.forced ?? -1;
    let open = false;
    for (let e = 0; e < n; e++) {
      const added = whatIf?.bias[e] ?? 0;
      const out = added <= never;
      const able = adapts[row * n + e]!;
      if (forced >= 0) weights[e] = e === forced && able ? 1 : 0;
      else if (given) weights[e] = out ? 0 : given[e]!;
      const excluded = out || !able || !scored[this.router][row * n + e]! || !isMember(experts[e]!);
      bias[e] = excluded ? never : added;
      open ||= !excluded;
      if (experts[e] === this.#whole && able) weights[e] = 1;
    }
    // Where no expert may be chosen, a softmax over nothing but `never` would still add up to 1.
    return open && forced < 0 && !given;
  }

  #scalingBy(scaling: ScalingPlan): Scaling {
    const { rows, experts, adapts } = this.#plan;
    const [m, n] = [rows.length, experts.length];
    const of = (fixed: Float32Array): Steering => ({
      k: 1,
      router: this.router,
      inputs: () => ({ bias: new Float32Array(m * n), fixed, routed: new Float32Array(m) }),
    });
    const { first, classOf, config, classes } = scaling;
    const pass = passScaling(config, classes) * config.globalWeight;
    const isScaled = (at: number) => adapts[at]! && classOf[at % n]! >= 0 && first[Math.floor(at / n)]! >= 0;
    return {
      first: of(Float32Array.from({ length: m * n }, (_, at) => (isScaled(at) ? pass : 0))),
      second: (logits, done, t) => {
        const [weights, affinity] = [new Float32Array(t * m * n), new Float32Array(t * m * n)];
        const columns = logits.length / t;
        for (let cell = 0; cell < t * m; cell++) {
          const [token, row] = [Math.floor(cell / m), cell % m];
          const part = (of: Float32Array) => of.subarray(cell * n, cell * n + n);
          scaleCell(
            scaling,
            row,
            logits.subarray(token * columns, (token + 1) * columns),
            this.#whatIf[row]?.at(done + token),
            adapts.slice(row * n, row * n + n),
            { logit: part(affinity), weight: part(weights) },
          );
        }
        return { steering: of(weights), affinity };
      },
    };
  }

  /** [rows, N] */
  #givenWeights({ weight }: FixedWeights, chosen: number): Float32Array {
    const { experts, adapts, rows } = this.#plan;
    const n = experts.length;
    const members = experts.filter(isMember).length;
    return Float32Array.from({ length: rows.length * n }, (_, at) =>
      adapts[at] && isMember(experts[at % n]!) ? weight(at % n, chosen, members) : 0,
    );
  }

  /** Index of an expert that has an effect: applying one without a module here would show the plain base under its name. */
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
    const index = isMember(id) ? this.#plan.experts.indexOf(id) : -1;
    if (index < 0)
      throw new GanderError(
        'request-invalid',
        `There is no expert "${id}" in the pool.`,
        'Choose one that the pool has.',
      );
    return index;
  }
}

import type { Cache } from '../../runtime/cache.js';
import { CausalSession, type Chunk, type Step, checkPredictions } from '../../runtime/causal.js';
import { type LensPlace, LensSession } from '../../runtime/lens.js';
import type { Hardware } from '../../runtime/session.js';
import type { LensRun } from '../family.js';
import { type Composed, filesOf } from './compose.js';
import { RoutedGraph, type RoutedPart } from './graph.js';
import { type Plan, wholePlan } from './plan.js';
import { ScalingPass } from './scalingPass.js';
import type { Steering } from './steering.js';

/** One chunk's outputs, from every graph that saw its tokens. */
export interface RoutedStep extends Step {
  readonly parts: readonly RoutedPart[];
}

/** The composed graph of a causal base, ready to run. */
export class RoutedSession {
  private constructor(
    private readonly session: CausalSession,
    readonly plan: Plan,
    private readonly graph: RoutedGraph,
    private readonly scalingPass: ScalingPass | undefined,
  ) {}

  static async open(composed: Composed, on: Hardware): Promise<RoutedSession> {
    const session = await CausalSession.open(filesOf(composed.entry.folder).model, on);
    const graph = graphOf(composed);
    return new RoutedSession(session, composed.plan, graph, await ScalingPass.open(composed, graph, on));
  }

  /** @throws GanderError `base-invalid` if the model cannot be run, or gives a number that is not finite */
  async run(chunk: Chunk, steering: Steering): Promise<RoutedStep> {
    if (!steering.scaling) return this.#run(chunk, steering);
    const passed = await this.scalingPass!.run(chunk, steering.scaling, (...of) => this.session.run(...of));
    const { affinity } = passed;
    const { parts, ...step } = await this.#run(chunk, passed.steering);
    return {
      ...step,
      past: new Map([...step.past, ...passed.past]),
      parts: parts.map((part) => ({ ...part, affinity })),
    };
  }

  async #run(chunk: Chunk, steering: Steering): Promise<RoutedStep> {
    const t = chunk.ids.length;
    const feeds = this.graph.feeds(steering, chunk.done, t);
    const { step, outputs } = await this.session.run(chunk, feeds, this.graph.wanted);
    const part = this.graph.read(outputs, t);
    checkPredictions(step);
    return { ...step, parts: [part] };
  }

  async release(): Promise<void> {
    await this.session.release();
    await this.scalingPass?.release();
  }
}

function graphOf({ entry, plan }: Composed): RoutedGraph {
  return new RoutedGraph(plan, wholePlan(plan), filesOf(entry.folder).experts);
}

/** The same graph, with what each layer would predict. */
export class RoutedLens {
  private constructor(
    private readonly session: LensSession,
    readonly plan: Plan,
    private readonly graph: RoutedGraph,
    private readonly scalingPass: ScalingPass | undefined,
  ) {}

  /** @throws GanderError as LensSession */
  static async open(composed: Composed, on: Hardware, cache: Cache): Promise<RoutedLens> {
    const session = await LensSession.open(filesOf(composed.entry.folder).model, on, cache);
    const graph = graphOf(composed);
    return new RoutedLens(session, composed.plan, graph, await ScalingPass.open(composed, graph, on));
  }

  get layers(): readonly number[] {
    return this.session.layers;
  }

  at(place: LensPlace, steering: Steering): LensRun {
    const run = (chunk: Chunk, how: Steering) =>
      this.session.run(chunk, this.graph.feeds(how, chunk.done, chunk.ids.length), place);
    const { scaling } = steering;
    if (!scaling) return { run: (chunk) => run(chunk, steering) };
    return {
      run: async (chunk) => {
        const passed = await this.scalingPass!.run(chunk, scaling, (part, own, wanted) =>
          this.session.runFor(part, own, place, wanted),
        );
        const step = await run(chunk, passed.steering);
        return { ...step, past: new Map([...step.past, ...passed.past]) };
      },
    };
  }

  async release(): Promise<void> {
    await this.session.release();
    await this.scalingPass?.release();
  }
}

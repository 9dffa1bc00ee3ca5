import type { Cache } from '../../runtime/cache.js';
import { CausalSession, type Chunk, type Step, checkPredictions } from '../../runtime/causal.js';
import { type LensPlace, LensSession } from '../../runtime/lens.js';
import type { LensRun } from '../family.js';
import { type Composed, filesOf } from './compose.js';
import { RoutedGraph, type RoutedPart } from './graph.js';
import { type Plan, wholePlan } from './plan.js';
import type { Steering } from './steering.js';

/** One chunk's outputs, from every graph that saw its tokens. */
export interface RoutedStep extends Step {
  readonly parts: readonly RoutedPart[];
}

/** The composed graph of a causal base, ready to run. */
export class RoutedSession {
  readonly #session: CausalSession;
  readonly #graph: RoutedGraph;

  private constructor(
    session: CausalSession,
    readonly plan: Plan,
    folder: string,
  ) {
    this.#session = session;
    this.#graph = new RoutedGraph(plan, wholePlan(plan), filesOf(folder).experts);
  }

  static async open({ entry, plan }: Composed, threads: number): Promise<RoutedSession> {
    return new RoutedSession(await CausalSession.open(filesOf(entry.folder).model, threads), plan, entry.folder);
  }

  /** @throws GanderError `base-invalid` if the model cannot be run, or gives a number that is not finite */
  async run(chunk: Chunk, steering: Steering): Promise<RoutedStep> {
    const t = chunk.ids.length;
    const feeds = this.#graph.feeds(steering, chunk.done, t);
    const { step, outputs } = await this.#session.run(chunk, feeds, this.#graph.wanted);
    const part = this.#graph.read(outputs, t);
    checkPredictions(step);
    return { ...step, parts: [part] };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** The same graph, with what each layer would predict. */
export class RoutedLens {
  readonly #session: LensSession;
  readonly #graph: RoutedGraph;

  private constructor(
    session: LensSession,
    readonly plan: Plan,
    folder: string,
  ) {
    this.#session = session;
    this.#graph = new RoutedGraph(plan, wholePlan(plan), filesOf(folder).experts);
  }

  /** @throws GanderError as LensSession */
  static async open({ entry, plan }: Composed, threads: number, cache: Cache): Promise<RoutedLens> {
    const session = await LensSession.open(filesOf(entry.folder).model, threads, cache);
    return new RoutedLens(session, plan, entry.folder);
  }

  get layers(): readonly number[] {
    return this.#session.layers;
  }

  at(place: LensPlace, steering: Steering): LensRun {
    return {
      run: async (chunk) => {
        const feeds = this.#graph.feeds(steering, chunk.done, chunk.ids.length);
        return this.#session.run(chunk, feeds, place);
      },
    };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

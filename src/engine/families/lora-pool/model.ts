import { readJson } from '../../../pool/manifest.js';
import { poolHash } from '../../../pool/hash.js';
import { type Pool, leftOutText, poolSignature, readPool } from '../../../pool/pool.js';
import { GanderError } from '../../../shared/errors.js';
import { ganderVersion } from '../../../shared/version.js';
import { descriptorOf, routerOf, type Strategy } from '../../../strategies/index.js';
import type { Intervention, Source } from '../../../trace/trace.js';
import type { Candidate, PoolInfo, RouteRequest } from '../../api.js';
import type { Chunk } from '../../runtime/causal.js';
import { onnxruntimeVersion } from '../../runtime/session.js';
import { Tokenizer } from '../../runtime/tokenizer.js';
import type { Means, Model, Run } from '../family.js';
import { examine } from './candidate.js';
import { type Composed, compose } from './compose.js';
import { expertsOf, poolInfo, strategiesOf } from './info.js';
import { expertText, multitaskId } from './placing.js';
import type { Plan } from './plan.js';
import { PoolRecording } from './recording.js';
import { Retriever } from './retrieval.js';
import { RoutedSession, type RoutedStep } from './session.js';
import { StrategySteering } from './steering.js';

/** A pool as it is on disk now, and what is kept in memory of it. */
export class PoolModel implements Model {
  readonly tokenizer: Tokenizer;
  readonly endTokens: ReadonlySet<number>;
  readonly #pool: Pool;
  readonly #means: Means;
  readonly #hash: string;
  readonly #source: Source;
  #composed: (Composed & { readonly withMultitask: boolean }) | undefined;
  #session: RoutedSession | undefined;
  #retriever: Retriever | undefined;

  /** Nothing heavy happens here: the graph is composed by the first request that needs it. */
  constructor(folder: string, means: Means) {
    const { cache } = means;
    const pool = readPool(folder);
    this.#pool = pool;
    this.#means = means;
    this.#hash = poolHash(pool, cache);
    cache.save();
    this.tokenizer = new Tokenizer(pool.base.tokenizer);
    this.endTokens = endTokensOf(pool);
    this.#source = {
      kind: 'pool',
      id: pool.manifest.id,
      name: pool.manifest.name,
      hash: this.#hash,
      tokenizer: cache.hash(pool.base.tokenizer),
      versions: { gander: ganderVersion, onnxruntime: onnxruntimeVersion },
    };
  }

  get contextLength(): number {
    return this.#pool.contextLength;
  }

  isCurrent(): boolean {
    return poolSignature(this.#pool.folder) === this.#pool.signature;
  }

  async info(): Promise<PoolInfo> {
    return poolInfo(this.#pool, this.#hash, (await this.#compose(false)).plan);
  }

  async begin(request: RouteRequest): Promise<Run> {
    const available = strategiesOf(this.#pool);
    const { text, strategy: asked, interventions = [] } = request;
    if (!asked)
      throw new GanderError(
        'request-invalid',
        'A pool is asked with a strategy.',
        `Name one of: ${available.join(', ')}.`,
      );
    if (!available.includes(asked.name)) {
      throw new GanderError(
        'strategy-unavailable',
        `This pool does not offer the strategy "${asked.name}".`,
        `Choose one of: ${available.join(', ')}.`,
      );
    }
    const descriptor = descriptorOf(asked.name)!;
    const session = await this.#open(descriptor.needs.includes('multitask'));
    requireUsable(this.#pool, session.plan, asked, interventions);
    const strategy = descriptor.finds === 'expert' ? { ...asked, expert: await this.#retrieve(text) } : asked;
    return this.#run(session, strategy, interventions);
  }

  examine(folder: string): Candidate {
    return examine(this.#pool, folder);
  }

  async release(): Promise<void> {
    await this.#session?.release();
    await this.#retriever?.release();
  }

  #run(session: RoutedSession, asked: Strategy, interventions: readonly Intervention[]): Run<RoutedStep> {
    const { plan } = session;
    const steering = new StrategySteering(plan, asked, interventions);
    const recording = new PoolRecording({
      plan,
      experts: expertsOf(this.#pool, plan),
      router: routerOf(steering.strategy),
      interventions,
      source: this.#source,
      vectors: steering.router,
      k: steering.width,
    });
    return {
      recording,
      run: (chunk: Chunk) => session.run(chunk, steering),
      with: (intervention) => this.#run(session, asked, [...interventions, intervention]),
    };
  }

  /**
   * Composed anew when it went from the cache or was damaged there. The graph with the multitask adapter holds all that
   * the one without does, so it stays once it was asked for.
   */
  async #compose(withMultitask: boolean): Promise<Composed> {
    const { cache, loading } = this.#means;
    const composed = this.#composed;
    if (composed && (composed.withMultitask || !withMultitask) && cache.holds(composed.entry)) return composed;
    // Windows replaces no file that a session has open.
    await this.#session?.release();
    this.#session = undefined;
    await loading();
    const both = withMultitask || (composed?.withMultitask ?? false);
    this.#composed = { ...compose(this.#pool, this.#hash, cache, both), withMultitask: both };
    return this.#composed;
  }

  async #open(withMultitask: boolean): Promise<RoutedSession> {
    const composed = await this.#compose(withMultitask);
    if (this.#session) return this.#session;
    await this.#means.loading();
    this.#session = await RoutedSession.open(composed, this.#means.threads);
    return this.#session;
  }

  async #retrieve(text: string): Promise<string> {
    this.#retriever ??= await Retriever.open(this.#pool, this.#means.threads);
    return this.#retriever.expertFor(text);
  }
}

/** An expert that was left out is no expert that is not there: who asks for it is told why. */
function requireUsable(pool: Pool, plan: Plan, strategy: Strategy, interventions: readonly Intervention[]): void {
  const asked = interventions.map(({ expert }) => expert);
  if (descriptorOf(strategy.name)?.needs.includes('multitask')) asked.push(multitaskId);
  if (strategy.expert !== undefined) asked.push(strategy.expert);
  for (const id of asked) {
    const error = plan.leftOut[id] ?? pool.leftOut.get(id);
    if (error) throw new GanderError(error.code, leftOutText(expertText(id), error), error.remedy);
  }
}

function endTokensOf(pool: Pool): Set<number> {
  const config = readJson(pool.folder, pool.manifest.base.config) as { eos_token_id?: unknown };
  return new Set([config.eos_token_id].flat().filter((id): id is number => typeof id === 'number'));
}

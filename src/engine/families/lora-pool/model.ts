import path from 'node:path';
import { readJson } from '../../../pool/manifest.js';
import { baseHash, poolHash } from '../../../pool/hash.js';
import { type Pool, isAsRead, leftOutText, readPool, withTried } from '../../../pool/pool.js';
import { GanderError } from '../../../errors/errors.js';
import type { ScalingConfig } from '../../../pool/xlora.js';
import { ganderVersion } from '../../../product/version.js';
import { base } from '../../../strategies/base.js';
import { descriptorOf, routerOf, type Strategy } from '../../../strategies/index.js';
import type { Intervention, Router, Source } from '../../../trace/model/trace.js';
import type { PoolInfo, RouteRequest } from '../../../requests/api.js';
import type { RequestName } from '../../../requests/table.js';
import { type Hardware, onnxruntimeName, processor, threadsOf } from '../../runtime/session.js';
import { Tokenizer } from '../../runtime/tokenizer.js';
import type { LensPlace } from '../../runtime/lens.js';
import type { Answers, LensRun, LensRuns, Means, Model, Run } from '../family.js';
import type { Cache } from '../../runtime/cache.js';
import { examine } from './candidate.js';
import type { Scores, WholeAdapter } from '../../../strategies/strategy.js';
import type { Composed } from './compose.js';
import { expertsOf, poolInfo, strategiesOf } from './info.js';
import { expertText, multitaskId } from './placing.js';
import type { Plan } from './plan.js';
import { Retriever } from './retrieval.js';
import type { PoolRun } from './recording.js';
import type { RoutedStep } from './session.js';
import { similarityOf } from './similarity.js';
import { StrategySteering } from './steering.js';
import type { Found } from '../../../graph/find.js';

/** What differs between kinds of bases. */
export interface BaseKind<S extends OpenedBase> {
  find(pool: Pool, paths: Iterable<string>): Found;
  compose(pool: Pool, hash: string, cache: Cache, wholes: readonly WholeAdapter[]): Composed;
  open(composed: Composed, on: Hardware): Promise<S>;
  openLens(composed: Composed, on: Hardware, cache: Cache): Promise<OpenedLens>;
  run(session: S, steering: StrategySteering, told: PoolRun): Omit<Run<RoutedStep>, 'with'>;
  /** From the base's configuration. @throws GanderError `pool-invalid` */
  startToken?(pool: Pool): number;
}

export interface OpenedBase {
  readonly plan: Plan;
  release(): Promise<void>;
}

export interface OpenedLens extends OpenedBase {
  readonly layers: readonly number[];
  at(place: LensPlace, steering: StrategySteering): LensRun;
}

/** A pool as it was read from disk, and what is kept of it in memory. */
export class PoolModel<S extends OpenedBase> implements Model {
  readonly tokenizer: Tokenizer;
  readonly endTokens: ReadonlySet<number>;
  readonly startToken?: number;
  readonly tried?: string;
  readonly #kind: BaseKind<S>;
  readonly #pool: Pool;
  readonly #means: Means;
  readonly hash: string;
  readonly #baseHash: string;
  readonly #source: Source;
  #composed: (Composed & { readonly wholes: readonly WholeAdapter[] }) | undefined;
  #session: S | undefined;
  #lens: OpenedLens | undefined;
  #retriever: Retriever | undefined;

  /** Nothing heavy happens here: the graph is composed by the first request that needs it. */
  constructor(folder: string, means: Means, kind: BaseKind<S>, tried?: string) {
    const { cache } = means;
    const pool = poolWith(readPool(folder), kind, tried);
    this.#kind = kind;
    if (tried !== undefined) this.tried = tried;
    this.#pool = pool;
    this.#means = means;
    this.hash = poolHash(pool, cache);
    this.#baseHash = baseHash(pool, cache);
    cache.save();
    this.tokenizer = new Tokenizer(pool.base.tokenizer);
    this.endTokens = endTokensOf(pool);
    const start = kind.startToken?.(pool);
    if (start !== undefined) this.startToken = start;
    this.#source = {
      kind: 'pool',
      id: pool.manifest.id,
      name: nameOf(pool),
      hash: this.hash,
      tokenizer: cache.hash(pool.base.tokenizer),
      versions: { gander: ganderVersion, onnxruntime: onnxruntimeName(means.on) },
    };
  }

  readonly answers: Answers<RequestName> = {
    similarity: async (_, { check, onProgress }) => {
      const { plan } = await this.#compose();
      requireUsable(this.#pool, plan);
      const experts = this.#pool.experts.filter(({ id }) => plan.experts.includes(id));
      return similarityOf(experts, plan.modules, async (done, total) => {
        await check();
        onProgress?.(done, total);
      });
    },
    examine: (folder) => examine(this.#pool, folder, (paths) => this.#kind.find(this.#pool, paths)),
  };

  get contextLength(): number {
    return this.#pool.contextLength;
  }

  isCurrent(): boolean {
    return isAsRead(this.#pool);
  }

  async info(): Promise<PoolInfo> {
    return poolInfo(
      this.#pool,
      { hash: this.hash, baseHash: this.#baseHash },
      (await this.#compose()).plan,
      await processor(),
    );
  }

  async begin(request: RouteRequest): Promise<Run> {
    const { strategy, interventions = [] } = request;
    const session = await this.#open(wholeOf(this.#offered(strategy)));
    return this.#run(session, await this.#meant(session.plan, request), interventions);
  }

  async beginLens(request: RouteRequest, place: LensPlace): Promise<LensRuns> {
    const { interventions = [] } = request;
    const lens = await this.#openLens(wholeOf(this.#offered(request.strategy)));
    const strategy = await this.#meant(lens.plan, request);
    const run = (asked: Strategy, changes: readonly Intervention[]) =>
      lens.at(place, new StrategySteering(lens.plan, asked, changes));
    const isBase = strategy.name === base.name && interventions.length === 0;
    return {
      layers: lens.layers,
      routed: run(strategy, interventions),
      without: isBase ? { none: 'base' } : run({ name: base.name }, []),
    };
  }

  /** @throws GanderError if there is no strategy, or the pool does not offer it */
  #offered(asked: Strategy | undefined): Strategy {
    const available = strategiesOf(this.#pool);
    if (!asked)
      throw new GanderError(
        'request-invalid',
        'A pool needs a strategy to route by.',
        `Name one of: ${available.join(', ')}.`,
      );
    if (!available.includes(asked.name)) {
      throw new GanderError(
        'strategy-unavailable',
        `This pool does not offer the strategy "${asked.name}".`,
        `Choose one of: ${available.join(', ')}.`,
      );
    }
    return asked;
  }

  /** The strategy, with its expert filled in if the engine has to find it. @throws GanderError if a named expert was left out */
  async #meant(plan: Plan, { text, strategy, interventions = [] }: RouteRequest): Promise<Strategy> {
    requireUsable(this.#pool, plan, strategy, interventions);
    const { finds } = descriptorOf(strategy!.name)!;
    return finds === 'expert' ? { ...strategy!, expert: await this.#retrieve(text) } : strategy!;
  }

  async release(): Promise<void> {
    await this.#close();
    await this.#retriever?.release();
  }

  async #close(): Promise<void> {
    await this.#session?.release();
    await this.#lens?.release();
    this.#session = undefined;
    this.#lens = undefined;
  }

  #run(session: S, asked: Strategy, interventions: readonly Intervention[]): Run<RoutedStep> {
    const { plan } = session;
    const steering = new StrategySteering(plan, asked, interventions);
    const told = {
      plan,
      experts: expertsOf(this.#pool, plan),
      router: routerWith(routerOf(steering.strategy), steering.scores, this.#pool),
      interventions,
      source: this.#source,
      vectors: steering.scores,
      k: steering.width,
    };
    return {
      ...this.#kind.run(session, steering, told),
      with: (intervention) => this.#run(session, asked, [...interventions, intervention]),
    };
  }

  /**
   * Composes again if the cached graph is gone or damaged. A graph with an adapter of the whole pool contains all that the one
   * without does, so it is kept once it was needed.
   */
  async #compose(whole?: WholeAdapter): Promise<Composed> {
    const { cache, loading } = this.#means;
    const composed = this.#composed;
    const wholes = composed?.wholes ?? [];
    const all = whole === undefined || wholes.includes(whole) ? wholes : [...wholes, whole];
    if (composed && all === wholes && cache.holds(composed.entry)) return composed;
    // Windows does not replace a file that a session has open.
    await this.#close();
    await loading();
    this.#composed = { ...this.#kind.compose(this.#pool, this.hash, cache, all), wholes: all };
    return this.#composed;
  }

  async #open(whole: WholeAdapter | undefined): Promise<S> {
    const composed = await this.#compose(whole);
    if (this.#session) return this.#session;
    // Two open sessions would take the model's memory twice.
    await this.#close();
    await this.#means.loading();
    this.#session = await this.#kind.open(composed, this.#means.on);
    return this.#session;
  }

  async #openLens(whole: WholeAdapter | undefined): Promise<OpenedLens> {
    const composed = await this.#compose(whole);
    if (this.#lens) return this.#lens;
    await this.#close();
    const { loading, on, cache } = this.#means;
    await loading();
    this.#lens = await this.#kind.openLens(composed, on, cache);
    return this.#lens;
  }

  async #retrieve(text: string): Promise<string> {
    this.#retriever ??= await Retriever.open(this.#pool, threadsOf(this.#means.on));
    return this.#retriever.expertFor(text);
  }
}

/** The pool with the expert to try, if there is one. @throws GanderError as `examine`: only what could be added can be tried */
function poolWith<S extends OpenedBase>(pool: Pool, kind: BaseKind<S>, tried: string | undefined): Pool {
  if (tried === undefined) return pool;
  examine(pool, tried, (paths) => kind.find(pool, paths));
  return withTried(pool, tried);
}

/** The name in traces: a pool with an expert that is only tried is another pool. */
function nameOf({ manifest, experts, tried }: Pool): string {
  const expert = experts.find(({ folder }) => folder === tried);
  return expert ? `${manifest.name} + ${expert.name}` : manifest.name;
}

function wholeOf(strategy: Strategy): WholeAdapter | undefined {
  const { weights } = descriptorOf(strategy.name)!;
  return weights.by === 'strategy' ? weights.adapter : undefined;
}

/** A request for an expert that was left out says why it was, not that there is no such expert. */
function requireUsable(pool: Pool, plan: Plan, strategy?: Strategy, interventions: readonly Intervention[] = []): void {
  const asked = interventions.map(({ expert }) => expert);
  if (strategy && descriptorOf(strategy.name)?.needs.includes('multitask')) asked.push(multitaskId);
  if (strategy?.expert !== undefined) asked.push(strategy.expert);
  if (strategy && isScaled(strategy)) asked.push(...(pool.xlora?.experts ?? []));
  if (pool.tried !== undefined) asked.push(path.basename(pool.tried));
  for (const id of asked) {
    const error = plan.leftOut[id] ?? pool.leftOut.get(id);
    if (error) throw new GanderError(error.code, leftOutText(expertText(id), error), error.remedy);
  }
}

/** The router with epsilon, the other parameter of the weights' formula besides k; or with whose affinities are beside its weights. */
function routerWith(router: Router, scores: Scores, { manifest: { weightEpsilon }, xlora }: Pool): Router {
  const including = (params: Router['params']) => ({ ...router, params: { ...router.params, ...params } });
  if (scores === 'x-lora' && xlora) return scaledRouter(router, xlora.scaling);
  if (router.k === undefined) return scores === 'arrow' ? including({ affinities: scores }) : router;
  return weightEpsilon ? including({ epsilon: weightEpsilon }) : router;
}

/** With the configuration that scalings follow from; a distribution is shown only where it is that of the scalings. */
function scaledRouter({ name }: Router, config: ScalingConfig): Router {
  const { softmax, temperature, topK, softmaxOfTopK, globalWeight, passValue } = config;
  return {
    name,
    ...(softmax && temperature === 1 && { scoring: 'softmax' }),
    params: {
      affinities: 'x-lora',
      softmax,
      temperature,
      ...(topK && { topK }),
      softmaxOfTopK,
      globalWeight,
      passValue,
    },
  };
}

function isScaled({ name }: Strategy): boolean {
  return descriptorOf(name)?.weights.by === 'classifier';
}

function endTokensOf(pool: Pool): Set<number> {
  const config = readJson(pool.folder, pool.manifest.base.config) as { eos_token_id?: unknown };
  return new Set([config.eos_token_id].flat().filter((id): id is number => typeof id === 'number'));
}

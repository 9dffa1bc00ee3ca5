import type {
  AttributeRequest,
  Attribution,
  Engine,
  GenerateRequest,
  Lens,
  LensRequest,
  ModelInfo,
  MoeInfo,
  PoolInfo,
  RouteRequest,
  RunOptions,
  Score,
} from '../requests/api.js';
import { asPool } from '../requests/modelInfo.js';
import type { SourceDescription } from '../requests/description.js';
import { offersOf, ownOffer } from '../strategies/index.js';
import type { Trace } from '../trace/model/trace.js';
import type { Source } from './source.js';

/** A model that a child process runs, or has run by a server. */
export class ChildSource implements Source {
  #info: Promise<ModelInfo> | undefined;

  constructor(private readonly engine: Engine) {}

  async describe(): Promise<SourceDescription> {
    const info = await this.#ask();
    return describe(info);
  }

  async pool(): Promise<PoolInfo> {
    return asPool(await this.#ask());
  }

  async route(request: RouteRequest, options?: RunOptions): Promise<Trace> {
    return this.engine.route(await this.#meant(request), options);
  }

  async generate(request: GenerateRequest, options?: RunOptions): Promise<Trace> {
    return this.engine.generate(await this.#meant(request), options);
  }

  async attribute(request: AttributeRequest, options?: RunOptions): Promise<Attribution> {
    return this.engine.attribute(await this.#meant(request), options);
  }

  async score(request: RouteRequest, options?: RunOptions): Promise<Score> {
    return this.engine.score(await this.#meant(request), options);
  }

  async lens(request: LensRequest, options?: RunOptions): Promise<Lens> {
    return this.engine.lens(await this.#meant(request), options);
  }

  dispose(): void {
    this.engine.dispose();
  }

  /** Of a model that routes by its own router, who names a strategy that is not offered means nothing by it. */
  async #meant<R extends RouteRequest>(request: R): Promise<R> {
    const info = await this.#info?.catch(() => undefined);
    const offered = info && describe(info).can.strategies.map(({ name }) => name);
    if (!offered || offered.some((name) => name !== ownOffer.name || name === request.strategy?.name)) return request;
    const { strategy: _, ...rest } = request;
    return rest as R;
  }

  /** A failure is not remembered: the person may have mended the model. */
  #ask(): Promise<ModelInfo> {
    if (this.#info) return this.#info;
    const asked = this.engine.info();
    this.#info = asked;
    asked.catch(() => (this.#info = undefined));
    return asked;
  }
}

function describe(info: ModelInfo): SourceDescription {
  switch (info.kind) {
    case 'pool':
      return describePool(info);
    case 'moe':
      return describeMoe(info);
    case 'server':
      return info;
  }
}

/** What this engine does with any model. */
const everything = {
  route: true,
  stream: true,
  generate: true,
  whatIf: true,
  attribute: true,
  score: true,
  lens: true,
} as const;

/** It can do everything, with the strategies that it has files for. */
function describePool(pool: PoolInfo): SourceDescription {
  const { name, strategies, experts, expertSets, sites, contextLength, topK, warnings, hasTarget } = pool;
  return {
    name,
    can: {
      ...everything,
      strategies: offersOf(strategies),
      ...(hasTarget && { target: true }),
    },
    experts: experts.map(({ id, name: called, description, card }) => ({
      id,
      name: called,
      ...(description !== undefined && { description }),
      ...(card !== undefined && { card: true }),
    })),
    expertSets,
    sites,
    limits: { tokens: contextLength, k: topK },
    warnings,
  };
}

/** It routes by its own router, whose scores can be changed. */
function describeMoe({ name, router, mostK, expertSets, sites, contextLength, warnings }: MoeInfo): SourceDescription {
  return {
    name,
    can: {
      ...everything,
      k: mostK !== undefined || { reason: 'How many experts a token goes to is written into this model’s graph.' },
      strategies: mostK !== undefined ? [ownOffer] : [],
    },
    experts: expertSets.flatMap(({ experts }) => experts),
    expertSets,
    sites,
    limits: {
      tokens: contextLength,
      ...(router.k !== undefined && { k: router.k }),
      ...(mostK !== undefined && { mostK }),
    },
    warnings,
  };
}

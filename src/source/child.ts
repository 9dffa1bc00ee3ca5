import type { ModelInfo, MoeInfo, PoolInfo } from '../requests/api.js';
import { Askable, type Engine, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import { isObject } from '../checks/plain.js';
import { asPool } from '../requests/modelInfo.js';
import { abilities, type SourceDescription } from '../requests/description.js';
import type { RequestName } from '../requests/table.js';
import { offersOf, nativeOffer } from '../strategies/index.js';
import type { Source } from './source.js';

/** A model that a child process runs, or that a server runs for it. */
export class ChildSource extends Askable implements Source {
  #info: Promise<ModelInfo> | undefined;

  constructor(private readonly engine: Engine) {
    super();
  }

  async describe(): Promise<SourceDescription> {
    const info = await this.#ask();
    return describe(info);
  }

  async pool(): Promise<PoolInfo> {
    return asPool(await this.#ask());
  }

  async ask<N extends RequestName>(name: N, request: RequestOf<N>, options?: OptionsOf<N>): Promise<ResultOf<N>> {
    return this.engine.ask(name, await this.#meant(request), options);
  }

  dispose(): void {
    this.engine.dispose();
  }

  /** Drops a strategy that a model with its own routers does not offer: there it means nothing. */
  async #meant<R>(request: R): Promise<R> {
    if (!isObject(request) || !isObject(request['strategy'])) return request;
    const { strategy, ...rest } = request;
    const info = await this.#info?.catch(() => undefined);
    const offered = info && describe(info).can.strategies.map(({ name }) => name);
    if (!offered || offered.some((name) => name !== nativeOffer.name || name === strategy['name'])) return request;
    return rest as R;
  }

  /** A failure is not remembered: the person may have repaired the model. */
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

/** It can do everything, with the strategies that it has files for. */
function describePool(pool: PoolInfo): SourceDescription {
  const { name, hash, strategies, experts, expertSets, modules, contextLength, topK, warnings, hasTarget } = pool;
  return {
    name,
    hash,
    can: {
      ...abilities({}, true),
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
    modules,
    limits: { tokens: contextLength, k: topK },
    warnings,
  };
}

/** What only a pool can answer: */
const { similarity, examine } = abilities({});

/** It has its own routers, whose scores can be changed. */
function describeMoe({
  name,
  hash,
  router,
  mostK,
  expertSets,
  modules,
  contextLength,
  warnings,
}: MoeInfo): SourceDescription {
  return {
    name,
    hash,
    can: {
      ...abilities({ similarity, examine }, true),
      k: mostK !== undefined || { reason: 'The number of experts per token is fixed in this model’s graph.' },
      strategies: mostK !== undefined ? [nativeOffer] : [],
    },
    experts: expertSets.flatMap(({ experts }) => experts),
    expertSets,
    modules,
    limits: {
      tokens: contextLength,
      ...(router.k !== undefined && { k: router.k }),
      ...(mostK !== undefined && { mostK }),
    },
    warnings,
  };
}

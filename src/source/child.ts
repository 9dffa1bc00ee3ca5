import type { Attribution, Engine, GenerateRequest, PoolInfo, RouteRequest, RunOptions, Score } from '../engine/api.js';
import type { SourceDescription } from '../shared/source.js';
import { offersOf } from '../strategies/index.js';
import type { Trace } from '../trace/trace.js';
import type { Source } from './source.js';

/** A pool on this machine, run by an engine in a child process. */
export class ChildSource implements Source {
  #pool: Promise<PoolInfo> | undefined;

  constructor(private readonly engine: Engine) {}

  async describe(): Promise<SourceDescription> {
    return describePool(await this.pool());
  }

  /** A failure is not remembered: the person may have mended the pool. */
  pool(): Promise<PoolInfo> {
    if (this.#pool) return this.#pool;
    const asked = this.engine.pool();
    this.#pool = asked;
    asked.catch(() => (this.#pool = undefined));
    return asked;
  }

  route(request: RouteRequest, options?: RunOptions): Promise<Trace> {
    return this.engine.route(request, options);
  }

  generate(request: GenerateRequest, options?: RunOptions): Promise<Trace> {
    return this.engine.generate(request, options);
  }

  attribute(request: RouteRequest, options?: RunOptions): Promise<Attribution> {
    return this.engine.attribute(request, options);
  }

  score(request: RouteRequest, options?: RunOptions): Promise<Score> {
    return this.engine.score(request, options);
  }

  dispose(): void {
    this.engine.dispose();
  }
}

/** It can do everything, with the strategies that it has files for. */
function describePool({ name, strategies, experts, contextLength, topK, warnings }: PoolInfo): SourceDescription {
  return {
    name,
    can: {
      route: true,
      stream: true,
      generate: true,
      whatIf: true,
      attribute: true,
      score: true,
      lens: { reason: 'Pools give no predictions of the layers between.' },
      strategies: offersOf(strategies),
    },
    experts: experts.map(({ id, name: called, description, card }) => ({
      id,
      name: called,
      ...(description !== undefined && { description }),
      ...(card !== undefined && { card: true }),
    })),
    limits: { tokens: contextLength, k: topK },
    warnings,
  };
}

import { GanderError } from '../errors/errors.js';
import { checkedRequest } from '../requests/schemas.js';
import type { EngineOptions } from '../requests/api.js';
import { Askable, type Engine, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import { unable } from '../requests/description.js';
import type { RequestName } from '../requests/table.js';
import { answersOf } from './answers.js';
import { familyOf } from './families/index.js';
import type { Means, Model } from './families/family.js';
import { checkCancelled } from './prepared.js';
import { Cache } from './runtime/cache.js';
import { bytesIn, loadingTime } from './runtime/folder.js';
import type { Outlet } from './serve.js';
import { Stopped } from './stopped.js';

/**
 * The engine in this process, which the forked child serves. It knows nothing about kinds of models (families/family.ts).
 *
 * Nothing heavy happens here: the folder is read and the graph composed on the first request that needs them.
 */
export async function createEngine(options: EngineOptions, outlet?: Outlet): Promise<Engine> {
  return Promise.resolve(new LocalEngine(options, outlet));
}

class LocalEngine extends Askable implements Engine {
  readonly #options: EngineOptions;
  readonly #means: Means;
  #model: Model | undefined;
  readonly #stopped = new Stopped();
  #disposed = false;
  /** Requests run one after another: there is one session, and it blocks its thread. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(
    options: EngineOptions,
    private readonly outlet: Outlet | undefined,
  ) {
    super();
    this.#options = options;
    this.#means = {
      cache: new Cache(options.cache),
      threads: options.threads,
      loading: async () => {
        await outlet?.loading(loadingTime(bytesIn(options.pool)));
      },
    };
  }

  async ask<N extends RequestName>(name: N, asked: RequestOf<N>, options: OptionsOf<N> = {}): Promise<ResultOf<N>> {
    const check = () => checkCancelled(options.signal, this.#disposed);
    const turn = this.#queue.then(async () => {
      await check();
      await this.outlet?.emptied();
      const request = checkedRequest(name, asked);
      const model = await this.#load(triedIn(request));
      const answer = answersOf(model, this.#options.chunk, this.#stopped)[name];
      if (!answer) throw unable(name);
      // What another run loads may take the place of what a stopped one was loaded with.
      if (name !== 'info' && name !== 'route') this.#stopped.forget();
      return answer(request, { ...options, check });
    });
    this.#queue = turn.catch(() => undefined);
    try {
      return await turn;
    } catch (error) {
      throw GanderError.from(error);
    }
  }

  dispose(): void {
    this.#disposed = true;
    void this.#queue.then(() => this.#model?.release());
  }

  /** The model as it is in the folder now: read again when one of its files has changed. */
  async #load(tried?: string): Promise<Model> {
    const { pool: folder } = this.#options;
    if (this.#model?.tried === tried && this.#model?.isCurrent()) return this.#model;
    await this.#model?.release();
    this.#model = undefined;
    await this.#means.loading();
    this.#model = familyOf(folder).open(folder, this.#means, tried);
    return this.#model;
  }
}

/** The expert that a request tries as one of the model's. */
function triedIn(request: RequestOf<RequestName>): string | undefined {
  return typeof request === 'object' ? request.tried : undefined;
}

import { GanderError } from '../errors/errors.js';
import { checkedRequest } from '../requests/schemas.js';
import type { EngineOptions } from '../requests/api.js';
import type { DeviceUse, Provider } from '../requests/device.js';
import { Askable, type Engine, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import { unable } from '../requests/description.js';
import type { RequestName } from '../requests/table.js';
import { answersOf } from './answers.js';
import { reasonOf } from './device.js';
import { familyOf } from './families/index.js';
import type { Means, Model } from './families/family.js';
import { checkCancelled } from './prepared.js';
import { Cache } from './runtime/cache.js';
import { bytesIn, loadingTime } from './runtime/folder.js';
import type { Outlet } from './serve.js';
import { Stopped } from './stopped.js';
import { deviceFor, subjectFor } from './trial.js';

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
  readonly #means: Omit<Means, 'on'>;
  #device: DeviceUse | undefined;
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
      try {
        const answered = await answer(request, { ...options, check });
        return name === 'info' ? { ...answered, device: this.#device } : answered;
      } catch (error) {
        throw this.#blamed(error);
      }
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
    const { threads } = this.#options;
    const family = familyOf(folder);
    const open = (provider: Provider, expert?: string) =>
      family.open(folder, { ...this.#means, on: { threads, provider } }, expert);
    const { device: asked = 'auto' } = this.#options;
    // A card is tried on the model itself: an expert more would be another model.
    const plain = open('cpu', asked === 'auto' || asked === 'cpu' ? tried : undefined);
    this.#device = await this.#deviceFor(plain, open);
    const { provider } = this.#device;
    this.#model = provider === 'cpu' && plain.tried === tried ? plain : open(provider, tried);
    return this.#model;
  }

  async #deviceFor(model: Model, open: (on: Provider) => Model): Promise<DeviceUse> {
    const { device: asked = 'auto', tryAgain: again = false, lost, cache, chunk } = this.#options;
    const { outlet } = this;
    const use = await deviceFor(model, { asked, again, lost, cache, chunk, open, outlet });
    const on = use.provider === 'cpu' ? undefined : subjectFor(model.hash, use.provider);
    await outlet?.device({ use, on });
    return use;
  }

  /** What a card could not do, the processor can: the host asks again, with it. */
  #blamed(error: unknown): unknown {
    const provider = this.#device?.provider ?? 'cpu';
    if (provider === 'cpu' || GanderError.from(error).code !== 'base-invalid') return error;
    return new GanderError('device-failed', reasonOf(error), `Ask for another device than ${provider}.`, {
      cause: error,
    });
  }
}

/** The expert that a request tries as one of the model's. */
function triedIn(request: RequestOf<RequestName>): string | undefined {
  return typeof request === 'object' ? request.tried : undefined;
}

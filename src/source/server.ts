import type {
  AttributeRequest,
  Attribution,
  Engine,
  GenerateRequest,
  Lens,
  LensRequest,
  RouteRequest,
  RunOptions,
  Score,
} from '../requests/api.js';
import type { SourceDescription } from '../requests/description.js';
import type { Trace } from '../trace/model/trace.js';
import { ChildSource } from './child.js';
import type { Source } from './source.js';

/** A model that a server runs. It is opened when it is first asked: what that takes may have to be fetched, or be refused. */
export class ServerSource implements Source {
  #opened: Promise<ChildSource> | undefined;

  /** @param open rejects where the person has not agreed that text goes there */
  constructor(private readonly open: () => Promise<Engine>) {}

  async describe(): Promise<SourceDescription> {
    return (await this.#source()).describe();
  }

  async route(request: RouteRequest, options?: RunOptions): Promise<Trace> {
    return (await this.#source()).route(request, options);
  }

  async generate(request: GenerateRequest, options?: RunOptions): Promise<Trace> {
    return (await this.#source()).generate(request, options);
  }

  async attribute(request: AttributeRequest, options?: RunOptions): Promise<Attribution> {
    return (await this.#source()).attribute(request, options);
  }

  async score(request: RouteRequest, options?: RunOptions): Promise<Score> {
    return (await this.#source()).score(request, options);
  }

  async lens(request: LensRequest, options?: RunOptions): Promise<Lens> {
    return (await this.#source()).lens(request, options);
  }

  dispose(): void {
    this.#opened?.then(
      (source) => source.dispose(),
      () => undefined,
    );
  }

  /** A failure is not remembered: the person may agree, or give another token. */
  #source(): Promise<ChildSource> {
    if (this.#opened) return this.#opened;
    const opened = this.open().then((engine) => new ChildSource(engine));
    this.#opened = opened;
    opened.catch(() => (this.#opened = undefined));
    return opened;
  }
}

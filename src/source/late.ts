import { Askable, type Engine, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import type { SourceDescription } from '../requests/description.js';
import type { RequestName } from '../requests/table.js';
import { ChildSource } from './child.js';
import type { Source } from './source.js';

/** A source that is opened when it is first asked: a server’s token may have to be fetched, and the person may refuse. */
export class LateSource extends Askable implements Source {
  #opened: Promise<ChildSource> | undefined;

  /** @param open rejects if the model cannot be opened, or if the person has not agreed that text goes there */
  constructor(private readonly open: () => Promise<Engine>) {
    super();
  }

  async describe(): Promise<SourceDescription> {
    return (await this.#source()).describe();
  }

  async ask<N extends RequestName>(name: N, request: RequestOf<N>, options?: OptionsOf<N>): Promise<ResultOf<N>> {
    return (await this.#source()).ask(name, request, options);
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

import type { Screen } from './terminal.js';

/** One line on stderr that tells how far a run is; silent where stderr is not a terminal. */
export class Progress {
  private shown = false;
  private last = 0;

  constructor(
    private readonly stream: Screen & { write(text: string): unknown },
    private readonly quiet: boolean,
  ) {}

  say(text: string): void {
    if (!this.stream.isTTY || this.quiet) return;
    this.stream.write(`\r\u001b[K${text}`);
    this.shown = true;
    this.last = Date.now();
  }

  /** For `RunOptions.onProgress`; at most ten lines a second. */
  readonly count = (what: string) => (done: number, total: number) => {
    if (Date.now() - this.last >= 100) this.say(`${what}: ${done} of ${total} tokens`);
  };

  clear(): void {
    if (this.shown) this.stream.write('\r\u001b[K');
    this.shown = false;
  }
}

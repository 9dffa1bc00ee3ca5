/** How far a long run is, on stderr: one line that is drawn over on a terminal, a line every half minute elsewhere. */

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const lineEvery = 30_000;

export class Progress {
  readonly #to: Terminal;
  readonly #now: () => number;
  #started: number | undefined;
  #last = -Infinity;

  constructor(to: Terminal = process.stderr, now: () => number = Date.now) {
    this.#to = to;
    this.#now = now;
  }

  /** Something is about to be done after `done` of `of`. */
  at(done: number, of: number, what: string): void {
    const now = this.#now();
    this.#started ??= now;
    if (this.#to.isTTY !== true && now - this.#last < lineEvery) return;
    this.#last = now;
    const left = done > 0 ? `, ${duration(((now - this.#started) / done) * (of - done))} left` : '';
    const line = `${bar(done / of, 24)} ${done}/${of}${left}  ${what}`;
    if (this.#to.isTTY === true) this.#to.write(`\r\x1b[2K${line.slice(0, (this.#to.columns ?? 80) - 1)}`);
    else this.#to.write(`${line}\n`);
  }

  /** Leaves the line free for other words. */
  end(): void {
    if (this.#to.isTTY === true && this.#started !== undefined) this.#to.write('\r\x1b[2K');
  }
}

function bar(share: number, width: number): string {
  const full = Math.round(share * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

import { bar } from '../look/bar.js';
import { duration } from '../words/duration.js';
import { fit } from './columns.js';
import type { Screen } from './paint.js';

export interface Stream extends Screen {
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** If the stream is not a terminal: a line at most every so many milliseconds. Absent: no lines. */
  readonly everyMs?: number;
  readonly now?: () => number;
}

/** Least time between two drawings of a count. */
const redrawMs = 100;

const barWidth = 20;

/** The progress of a long run: in a terminal, one line that is overwritten; elsewhere an occasional line, or nothing. */
export class Progress {
  readonly #to: Stream;
  readonly #everyMs: number | undefined;
  readonly #now: () => number;
  #isShown = false;
  #last = -Infinity;

  constructor(to: Stream, { everyMs, now = Date.now }: ProgressOptions = {}) {
    this.#to = to;
    this.#everyMs = everyMs;
    this.#now = now;
  }

  say(text: string): void {
    const now = this.#now();
    if (this.#to.isTTY) {
      this.#to.write(`\r\u001b[K${fit(text, (this.#to.columns ?? 80) - 1)}`);
      this.#isShown = true;
    } else {
      if (this.#everyMs === undefined || now - this.#last < this.#everyMs) return;
      this.#to.write(`${text}\n`);
    }
    this.#last = now;
  }

  /** Shows how many are done and the time left; `what` may name the current one. */
  count(unit: string, what = ''): (done: number, of: number, what?: string) => void {
    const started = this.#now();
    return (done, of, at = what) => {
      const now = this.#now();
      if (now - this.#last < redrawMs) return;
      const left = done > 0 ? `, ${duration(((now - started) / done) * (of - done))} left` : '';
      this.say(`${bar(of > 0 ? done / of : 0, barWidth)} ${done} of ${of} ${unit}${left}  ${at}`);
    };
  }

  /** Clears the line for other output. */
  clear(): void {
    if (this.#isShown) this.#to.write('\r\u001b[K');
    this.#isShown = false;
  }
}

/** The child that reads and makes atlases, from outside. */
import { Caller } from '../channel/caller.js';
import { isAnswering } from '../channel/messages.js';
import { Child, type Ended } from '../engine/child.js';
import { GanderError } from '../errors/errors.js';
import type { OptionsOf } from '../channel/messages.js';
import type { MakingCalls, ReadingCalls } from './calls.js';

/** How long the largest table takes on a slow machine; and how long a child without work is kept. Milliseconds. */
const [longest, idle] = [120_000, 60_000];

export interface ReaderOptions {
  /** Absolute path of the child's script, `dist/atlas.cjs`. */
  readonly entry: string;
  /** How long an answer may take. Milliseconds. */
  readonly deadlineMs?: number;
}

/** Reads one atlas in a process of its own: a broken or hostile table can then neither hold up nor end the host. */
export class AtlasReader {
  readonly #caller: Caller<ReadingCalls> = new Caller<ReadingCalls>((message) => this.#child?.post(message));
  #child: Child | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly folder: string,
    private readonly options: ReaderOptions,
  ) {}

  /** Rejects with a GanderError. */
  async ask<N extends keyof ReadingCalls>(
    name: N,
    request: Omit<ReadingCalls[N]['request'], 'folder'>,
  ): Promise<ReadingCalls[N]['result']> {
    this.#child ??= this.#start();
    const asked = this.#caller.ask(name, { folder: this.folder, ...request });
    this.#watch();
    try {
      return await asked;
    } finally {
      this.#watch();
    }
  }

  dispose(): void {
    this.#end(new GanderError('cancelled', 'The atlas was closed.', 'Open it again.'));
  }

  #start(): Child {
    const child = new Child({
      entry: this.options.entry,
      said: (message) => {
        if (isAnswering(message)) this.#caller.take(message);
      },
      ended: (how) => {
        if (this.#child === child) this.#end(this.#broken(whyEnded(how)));
      },
    });
    return child;
  }

  /** A child that owes nothing is let go; one that owes an answer for too long is ended. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (!this.#child) return;
    const { deadlineMs = longest } = this.options;
    const late = () => this.#end(this.#broken(`took longer than ${deadlineMs / 1000} seconds`));
    const isOwing = this.#caller.pending > 0;
    this.#timer = setTimeout(late, isOwing ? deadlineMs : idle);
    // Nobody waits for the end of one without work.
    if (!isOwing) this.#timer.unref();
  }

  #end(error: GanderError): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    child?.kill();
    this.#caller.end(error);
  }

  #broken(why: string): GanderError {
    return new GanderError(
      'trace-invalid',
      `${this.folder} cannot be read: the process that read it ${why}.`,
      'Copy the atlas again, or make it again.',
    );
  }
}

function whyEnded({ how, lastWords }: Ended): string {
  return lastWords ? 'took too much memory and was ended' : `ended (${how})`;
}

/** How long a run that was stopped may take to keep what is done. Milliseconds. */
const keeping = 30_000;

export interface MakerOptions {
  /** Absolute path of the child's script, `dist/atlas.cjs`. */
  readonly entry: string;
  readonly log?: (line: string) => void;
}

/** Asks a child of its own, which ends with its answer. Rejects with a GanderError: `cancelled`, once what is done is kept. */
export async function askMaker<N extends keyof MakingCalls>(
  name: N,
  request: MakingCalls[N]['request'],
  { entry, log }: MakerOptions,
  options: OptionsOf<MakingCalls[N]> = {},
): Promise<MakingCalls[N]['result']> {
  let done = () => {};
  const answered = new Promise<void>((resolve) => (done = resolve));
  const child = new Child({
    entry,
    log,
    said: (message) => {
      if (isAnswering(message)) caller.take(message);
      if (caller.pending === 0) done();
    },
    ended: (how) => {
      caller.end(
        new GanderError(
          'engine-died',
          `The process that makes the atlas ${whyEnded(how)}.`,
          'Make it again to continue.',
        ),
      );
      done();
    },
  });
  const caller = new Caller<MakingCalls>((message) => child.post(message));
  try {
    return await caller.ask(name, request, options);
  } finally {
    const late = setTimeout(done, keeping);
    await answered;
    clearTimeout(late);
    child.kill();
  }
}

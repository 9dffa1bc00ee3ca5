/** Compares two runs and keeps the results. A long text's are computed in the worker, and undefined until then. */
import { signal, type Signal } from '@preact/signals-core';
import type { Partners } from '../../src/trace/alignment/align.js';
import type { Difference } from '../../src/trace/figures/difference.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { Caller } from '../../src/channel/caller.js';
import { isAnswering } from '../../src/channel/messages.js';
import { GanderError } from '../../src/errors/errors.js';
import { much, perform, sizeOf, type Results, type Task, type TaskCalls, type Within } from './tasks.js';

export type { Partners };

/** The part of Worker that is used here. */
export interface Helper {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
}

interface Kept<T> {
  /** How much of both runs was done, or which tokens were compared. */
  readonly done: string;
  readonly found: Signal<T | undefined>;
}

type Shelf<T> = WeakMap<object, WeakMap<object, Kept<T>>>;

export class Background {
  #caller: Caller<TaskCalls> | undefined;
  /** Keyed by arrays that all traces of a run share: an alignment is valid as long as the number of tokens is the same. */
  readonly #partners: Shelf<readonly Partners[]> = new WeakMap();
  readonly #differences: Shelf<readonly Difference[]> = new WeakMap();

  /**
   * @param hire starts the worker when it is first needed
   * @param failed called when the worker could not do its work
   * @param limit sizes from which the worker does a task
   */
  constructor(
    private readonly hire: () => Helper,
    private readonly failed: (message: string) => void,
    private readonly limit = much,
  ) {}

  partners(a: Trace, b: Trace): readonly Partners[] | undefined {
    const done = [a, b].flatMap((trace) => trace.sequences.map((sequence) => sequence.done)).join(' ');
    return this.#ask<'partners'>(this.#partners, a.blocks[0]?.chosen ?? a, b.blocks[0]?.chosen ?? b, done, () => ({
      task: 'partners',
      a: bare(a),
      b: bare(b),
    }));
  }

  differences(a: Trace, b: Trace, within?: Within): readonly Difference[] | undefined {
    const partners = this.partners(a, b);
    if (!partners) return undefined;
    return this.#ask<'differences'>(
      this.#differences,
      a,
      b,
      within ? `${within.sequence} ${within.ranges.join(' ')}` : '',
      () => ({
        task: 'differences',
        a,
        b,
        alignments: partners.map(({ alignment }) => alignment),
        ...(within && { within: { sequence: within.sequence, ranges: within.ranges } }),
      }),
    );
  }

  #ask<N extends Task['task']>(
    shelf: Shelf<Results[N]>,
    a: object,
    b: object,
    done: string,
    task: () => Task,
  ): Results[N] | undefined {
    let row = shelf.get(a);
    if (!row) shelf.set(a, (row = new WeakMap()));
    let kept = row.get(b);
    if (kept?.done !== done) row.set(b, (kept = { done, found: this.#begin(task()) }));
    return kept.found.value;
  }

  #begin<N extends Task['task']>(task: Task): Signal<Results[N] | undefined> {
    const request = task as TaskCalls[N]['request'];
    if (sizeOf(task) < this.limit[task.task]) return signal(perform<N>(request));
    const found = signal<Results[N] | undefined>(undefined);
    this.#start()
      .ask(task.task as N, request)
      .then(
        (result) => (found.value = result),
        (thrown: unknown) => {
          this.failed(GanderError.from(thrown).message);
        },
      );
    return found;
  }

  #start(): Caller<TaskCalls> {
    if (this.#caller) return this.#caller;
    const helper = this.hire();
    const caller = new Caller<TaskCalls>((message) => {
      helper.postMessage(message);
    });
    helper.addEventListener('message', ({ data }) => {
      if (isAnswering(data)) caller.take(data);
    });
    return (this.#caller = caller);
  }
}

/** Without what an alignment does not need, so that less is copied. */
function bare(trace: Trace): Trace {
  return { ...trace, blocks: [], modules: [] };
}

/** Asks for what compares two runs, and keeps it. A long text's is worked out beside the page, and is undefined until then. */
import { signal, type Signal } from '@preact/signals-core';
import type { Difference } from '../../src/trace/figures/difference.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { much, perform, sizeOf, type Partners, type Results, type Task, type Within } from './tasks.js';

export type { Partners };

/** The part of a Worker that is used. */
export interface Helper {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
}

interface Answer {
  readonly id: number;
  readonly result?: Results[Task['task']];
  readonly error?: string;
}

interface Kept<T> {
  /** How far both runs were, or which tokens it is about. */
  readonly done: string;
  readonly found: Signal<T | undefined>;
}

type Shelf<T> = WeakMap<object, WeakMap<object, Kept<T>>>;

export class Work {
  #helper: Helper | undefined;
  #ids = 0;
  readonly #waiting = new Map<number, (result: Results[Task['task']]) => void>();
  /** By arrays that all traces of a run share: an alignment holds while there are as many tokens. */
  readonly #partners: Shelf<readonly Partners[]> = new WeakMap();
  readonly #differences: Shelf<readonly Difference[]> = new WeakMap();

  /**
   * @param hire starts the worker, when first needed
   * @param failed told when it could not do its work
   * @param limit from how much on a task goes to the worker
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
    if (sizeOf(task) < this.limit[task.task]) return signal(perform(task) as Results[N]);
    const found = signal<Results[N] | undefined>(undefined);
    const id = this.#ids++;
    this.#waiting.set(id, (result) => (found.value = result as Results[N]));
    this.#start().postMessage({ id, task });
    return found;
  }

  #start(): Helper {
    if (this.#helper) return this.#helper;
    const helper = this.hire();
    helper.addEventListener('message', ({ data }) => {
      const { id, result, error } = data as Answer;
      if (result) this.#waiting.get(id)?.(result);
      else this.failed(error ?? 'The worker gave no answer.');
      this.#waiting.delete(id);
    });
    return (this.#helper = helper);
  }
}

/** Without what an alignment does not look at: less to copy. */
function bare(trace: Trace): Trace {
  return { ...trace, blocks: [], sites: [] };
}

/** Work that takes a second on long texts: done here for short ones, in the worker for long ones. Pure. */
import { alignTraces, type Alignment } from '../../src/trace/alignment/align.js';
import { difference, type Difference } from '../../src/trace/figures/difference.js';
import type { TokenRange, Trace } from '../../src/trace/model/trace.js';

/** Which tokens of one sequence stand for the same text in two runs. */
export interface Partners {
  readonly alignment: Alignment;
  /** [T] for each token of the first run, its partner in the second, or −1; `back` is the reverse. */
  readonly of: Int32Array;
  readonly back: Int32Array;
}

/** One per sequence of the first run. */
export function partners(a: Trace, b: Trace): Partners[] {
  return a.sequences.map(({ tokens }, sequence) => {
    const alignment = alignTraces(a, b, sequence);
    const of = new Int32Array(tokens.count).fill(-1);
    const back = new Int32Array(b.sequences[sequence]?.tokens.count ?? 0).fill(-1);
    for (let c = 0; c < alignment.a.length; c++) {
      const [i, j] = [alignment.a[c]!, alignment.b[c]!];
      if (i >= 0) of[i] = j;
      if (j >= 0) back[j] = i;
    }
    return { alignment, of, back };
  });
}

/** Some tokens of one sequence of the first run. */
export interface Within {
  readonly sequence: number;
  readonly ranges: readonly TokenRange[];
}

/**
 * One per sequence of the first run.
 * @param alignments from `partners`; computed here if absent
 * @param within limits the comparison of its sequence to these tokens
 */
export function differences(a: Trace, b: Trace, alignments?: readonly Alignment[], within?: Within): Difference[] {
  return a.sequences.map((_, sequence) =>
    difference(a, b, { sequence }, alignments?.[sequence], within?.sequence === sequence ? within.ranges : undefined),
  );
}

export type Task =
  | { readonly task: 'partners'; readonly a: Trace; readonly b: Trace }
  | {
      readonly task: 'differences';
      readonly a: Trace;
      readonly b: Trace;
      readonly alignments?: readonly Alignment[];
      readonly within?: Within;
    };

export interface Results {
  readonly partners: readonly Partners[];
  readonly differences: readonly Difference[];
}

/** The worker's requests, by name. */
export type TaskCalls = {
  [N in Task['task']]: { readonly request: Extract<Task, { task: N }>; readonly result: Results[N] };
};

export function perform<N extends Task['task']>(task: TaskCalls[N]['request']): Results[N];
export function perform(task: Task): Results[Task['task']] {
  return task.task === 'partners'
    ? partners(task.a, task.b)
    : differences(task.a, task.b, task.alignments, task.within);
}

export const tokensOf = (trace: Trace): number => trace.sequences.reduce((sum, { done }) => sum + done, 0);

/** How much work a task is, in tokens or cells. */
export function sizeOf({ task, a, b }: Task): number {
  return task === 'partners' ? tokensOf(a) + tokensOf(b) : tokensOf(a) * a.modules.length;
}

/** From this size on, a task would block the page for longer than a frame or a few, so the worker does it. */
export const much: Readonly<Record<Task['task'], number>> = { partners: 4000, differences: 300_000 };

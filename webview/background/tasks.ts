/** Work that takes a second on long texts: done here for short ones, in the worker for long ones. Pure. */
import { type Alignment, partners, type Partners } from '../../src/trace/alignment/align.js';
import { difference, type Difference } from '../../src/trace/figures/difference.js';
import type { TokenRange, Trace } from '../../src/trace/model/trace.js';

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

/** The order of the measurements, and the loop that runs them. */
import type { Engine } from '../src/requests/ask.js';
import { GanderError } from '../src/errors/errors.js';
import type { Document } from './documents.js';
import type { Explanations } from './earlier.js';
import { explain } from './explain.js';
import { regions } from '../src/trace/text/regions.js';
import type { Results } from './results.js';
import { type Chosen, reference, strategyOfKey } from './strategies.js';

export interface Task {
  readonly document: Document;
  readonly strategy: string;
  /** `explain`: a whole trace of the reference strategy, of which usage and entropy are kept. */
  readonly what: 'score' | 'explain';
}

/**
 * Held-out documents before the experts' own; main strategies before single experts; within each, the kinds take turns, one
 * document with all its strategies at a time. So the results can be compared wherever the run stops.
 * @param told what is explained already
 */
export function plan(
  documents: readonly Document[],
  { main, singles }: Chosen,
  told: Explanations = new Map(),
): Task[] {
  const tasks: Task[] = [];
  for (const part of ['heldout', 'own'] as const) {
    const inTurn = byTurns(documents.filter((d) => d.part === part));
    for (const document of inTurn) {
      for (const strategy of main) tasks.push({ document, strategy, what: 'score' });
      if (main.includes(reference) && !told.has(part)) tasks.push({ document, strategy: reference, what: 'explain' });
    }
    for (const document of inTurn) {
      for (const strategy of singles) tasks.push({ document, strategy, what: 'score' });
    }
  }
  return tasks;
}

/** The first document of each kind, then the second of each, and so on. */
export function byTurns<T extends { readonly kind: string }>(documents: readonly T[]): T[] {
  const kinds = [...new Set(documents.map((d) => d.kind))];
  const groups = kinds.map((kind) => documents.filter((d) => d.kind === kind));
  const most = Math.max(0, ...groups.map((g) => g.length));
  return Array.from({ length: most }, (_, i) => groups.flatMap((g) => g[i] ?? [])).flat();
}

export function isDone({ document, strategy, what }: Task, results: Results): boolean {
  return (
    (what === 'score' ? results.score(document.hash, strategy) : results.explained(document.hash, strategy)) !==
    undefined
  );
}

export interface Failure {
  readonly strategy: string;
  readonly kind: string;
  readonly path: string;
  readonly message: string;
}

export interface RunOutcome {
  readonly cancelled: boolean;
  /** Documents that the engine refused with a strategy; they are left out of that strategy's row. */
  readonly failures: readonly Failure[];
}

/** This many refusals in a row are not about single documents. */
const patience = 3;

/**
 * Runs the tasks that have no result yet, and stores each result immediately.
 * @param onTask called before each task, with how many of the open tasks are done
 * @throws GanderError the engine's, after three failures in a row
 */
export async function measure(
  engine: Engine,
  tasks: readonly Task[],
  results: Results,
  signal: AbortSignal,
  onTask: (task: Task, done: number, of: number) => void = () => {},
): Promise<RunOutcome> {
  const open = tasks.filter((task) => !isDone(task, results));
  const failures: Failure[] = [];
  let inARow = 0;
  for (const [i, task] of open.entries()) {
    if (signal.aborted) return { cancelled: true, failures };
    onTask(task, i, open.length);
    const { document, strategy } = task;
    try {
      const request = { text: document.text, strategy: strategyOfKey(strategy) };
      if (task.what === 'score') {
        const score = await engine.score(request, { signal });
        if (!Number.isFinite(score.bits) || !(score.bytes > 0)) {
          throw new GanderError('internal', 'The score is not a number.', 'Please report this.');
        }
        results.addScore(document.hash, strategy, score);
      } else {
        const trace = await engine.route(request, { signal });
        results.addExplained(document.hash, strategy, explain(trace, regions(document.text, document.path)));
      }
      inARow = 0;
    } catch (thrown) {
      const error = GanderError.from(thrown);
      if (error.code === 'cancelled') return { cancelled: true, failures };
      failures.push({ strategy, kind: document.kind, path: document.path, message: error.message });
      if (++inARow >= patience) throw error;
    }
  }
  return { cancelled: false, failures };
}

/** All results of one evaluation on tasks as data: the content of tasks.json, from which TASKS.md is made. */
import type { PoolInfo } from '../../src/requests/api.js';
import type { Estimate } from '../../src/statistics/stratified.js';
import type { About } from '../evaluation.js';
import type { Results } from '../results.js';
import { type Chosen, reference } from '../strategies.js';
import { type Cell, type Row, tabulate } from '../table.js';
import type { Example } from './examples.js';

export interface Accuracy {
  readonly examples: number;
  /** Share of right answers; overall, the mean over tasks. */
  readonly accuracy: number;
  /** Accuracy minus the reference's on the same examples; above 0 is better. */
  readonly difference?: Estimate;
}

export interface TaskRow {
  readonly key: string;
  readonly label: string;
  /** The picked experts by task, or one for all. */
  readonly picked?: Row['picked'];
  readonly tasks: Readonly<Record<string, Accuracy>>;
  /** Absent if a task is missing. */
  readonly overall?: Accuracy;
}

export interface TaskEvaluation extends Pick<About, 'command' | 'created' | 'versions' | 'machine' | 'seed'> {
  readonly format: 'gander-tasks';
  readonly version: 1;
  readonly pool: Pick<PoolInfo, 'id' | 'name' | 'hash' | 'baseName'> & { readonly experts: readonly string[] };
  readonly reference: string;
  /** Most tokens of an answer in free text. */
  readonly maxTokens: number;
  /** Answers done, of those requested; fewer in a partial run. */
  readonly work: { readonly done: number; readonly total: number };
  /** Strategies that the pool does not offer. */
  readonly missing: readonly string[];
  readonly tasks: readonly {
    readonly name: string;
    readonly examples: number;
    /** Accuracy of drawing among the choices; 0 if the answer is in free text. */
    readonly chance: number;
  }[];
  readonly rows: readonly TaskRow[];
}

export interface Asked extends Pick<TaskEvaluation, 'command' | 'created' | 'versions' | 'machine' | 'seed'> {
  readonly maxTokens: number;
}

export function evaluateTasks(
  asked: Asked,
  pool: Pick<PoolInfo, 'id' | 'name' | 'hash' | 'baseName' | 'experts'>,
  examples: readonly Example[],
  { main, singles, missing }: Chosen,
  results: Results,
): TaskEvaluation {
  const { id, name, hash, baseName } = pool;
  // A wrong answer counts as 1 bit over one byte, so everything computed for bits per byte applies to the error rate.
  const { rows } = tabulate(examples, main, singles, pool.experts.length, results, asked.seed);
  const keys = [...main, ...singles];
  const done = examples.reduce((sum, one) => sum + keys.filter((key) => results.score(one.hash, key)).length, 0);
  return {
    format: 'gander-tasks',
    version: 1,
    ...asked,
    pool: { id, name, hash, baseName, experts: pool.experts.map((e) => e.id) },
    reference,
    work: { done, total: examples.length * keys.length },
    missing,
    tasks: [...new Set(examples.map(({ kind }) => kind))].map((task) => {
      const own = examples.filter(({ kind }) => kind === task);
      const chances = own.map(({ choices }) => (choices ? 1 / choices.length : 0));
      return { name: task, examples: own.length, chance: chances.reduce((a, b) => a + b, 0) / own.length };
    }),
    rows: rows.map(({ key, label, picked, kinds, overall }) => ({
      key,
      label,
      ...(picked !== undefined && { picked }),
      tasks: Object.fromEntries(Object.entries(kinds).map(([task, cell]) => [task, accuracyOf(cell)])),
      ...(overall && { overall: accuracyOf(overall) }),
    })),
  };
}

function accuracyOf({ documents, bitsPerByte, difference }: Cell): Accuracy {
  return {
    examples: documents,
    accuracy: 1 - bitsPerByte,
    ...(difference && {
      difference: { value: -difference.value, low: -difference.high, high: -difference.low },
    }),
  };
}

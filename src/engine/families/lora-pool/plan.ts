import type { EightBits } from '../../../graph/rounded.js';
import type { Warning } from '../../../requests/description.js';
import type { ErrorData } from '../../../errors/errors.js';
import type { RouterVectors, Scores } from '../../../strategies/strategy.js';
import type { RoutedModule } from '../../../trace/model/trace.js';
import type { ScalingPlan } from './scaling.js';

/** How the experts are computed: all at once, or only the chosen ones (src/graph). */
export type FormName = 'dense' | 'gathered';

/** One adapted linear layer. */
export type Module = Pick<RoutedModule, 'path' | 'stack' | 'layer' | 'kind' | 'sequence'>;

/** What must be known of a composed graph besides the graph itself. */
export interface Plan {
  /** The module axis of a trace. */
  readonly modules: readonly Module[];
  /** For each row of the graph's module axis, the index in `modules`. */
  readonly rows: readonly number[];
  /** Width of each row's module's output. */
  readonly widths: readonly number[];
  /** Ids on the graph's expert axis; adapters of the whole pool (placing.ts) come last. */
  readonly experts: readonly string[];
  /** [rows · experts] whether the expert has an adapter at the module. */
  readonly adapts: readonly boolean[];
  /** [rows · experts] whether the expert has a router vector, or a logit, at the module. */
  readonly scored: Readonly<Record<RouterVectors, readonly boolean[]> & Partial<Record<Scores, readonly boolean[]>>>;
  /** If the pool has an X-LoRA classifier. */
  readonly scaling?: ScalingPlan;
  /** Each group's router matrix [dIn, columns], in order. */
  readonly routers: readonly RouterPlace[];
  /** Why experts of the pool are not in the graph, by id. */
  readonly leftOut: Readonly<Record<string, ErrorData>>;
  readonly warnings: readonly Warning[];
  readonly eightBits: readonly EightBits[];
  readonly bytes: number;
  /** The graph's form; dense if absent. */
  readonly form?: 'gathered';
  /** If the base is several graphs: how many rows and groups (`routers`) each of them has, in order. */
  readonly graphs?: readonly { readonly rows: number; readonly groups: number }[];
}

/** A group's router vectors, one per column, and where to find the matrices A' that Arrow's vectors are computed from. */
export interface RouterPlace {
  readonly dIn: number;
  readonly columns: number;
  /** Rank of each A' [rank, dIn]. */
  readonly rank: number;
  /** Where each matrix begins in the experts' file: one matrix with all columns, or in the gathered form one per module. */
  readonly down: readonly number[];
}

/** A graph's place in a plan. */
export interface GraphPart {
  /** Rows and groups [from, to). */
  readonly rows: readonly [from: number, to: number];
  readonly groups: readonly [from: number, to: number];
}

export function wholePlan({ rows, routers }: Plan): GraphPart {
  return { rows: [0, rows.length], groups: [0, routers.length] };
}

/** The parts of a plan with several graphs. */
export function graphParts({ graphs = [] }: Plan): GraphPart[] {
  let [row, group] = [0, 0];
  return graphs.map(({ rows, groups }) => ({
    rows: [row, (row += rows)],
    groups: [group, (group += groups)],
  }));
}

/** The adapted modules as a trace has them; all share the pool's experts. */
export function modulesOfPlan({ modules }: Plan): RoutedModule[] {
  return modules.map((module) => ({ ...module, expertSet: 0 }));
}

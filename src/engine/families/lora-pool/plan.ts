import type { Warning } from '../../../shared/source.js';
import type { ErrorData } from '../../../shared/errors.js';
import type { RouterVectors } from '../../../strategies/strategy.js';
import type { Site } from '../../../trace/trace.js';

/** One adapted linear layer. */
export type Module = Pick<Site, 'path' | 'layer' | 'kind'>;

/** What the composed graph is, beside the graph itself. */
export interface Plan {
  /** The module axis of a trace. */
  readonly modules: readonly Module[];
  /** For each row of the graph's module axis, the index in `modules`. */
  readonly rows: readonly number[];
  /** Width of each row's module's output. */
  readonly widths: readonly number[];
  /** Ids on the graph's expert axis; in a graph with the multitask adapter, `multitaskId` is the last. */
  readonly experts: readonly string[];
  /** [rows · experts] whether the expert has an adapter at the module. */
  readonly adapts: readonly boolean[];
  /** [rows · experts] whether the expert has a router vector at the module. */
  readonly scored: Readonly<Record<RouterVectors, readonly boolean[]>>;
  /** Each group's router matrix [dIn, columns], in order. */
  readonly routers: readonly { readonly dIn: number; readonly columns: number }[];
  /** Experts of the pool that the graph is without, and why, by id. */
  readonly leftOut: Readonly<Record<string, ErrorData>>;
  readonly warnings: readonly Warning[];
  readonly bytes: number;
  /** The graph's form; dense if not told. */
  readonly form?: 'gathered';
}

/** The adapted modules as sites over one text, all with the pool's experts. */
export function sitesOfPlan({ modules }: Plan): Site[] {
  return modules.map((module) => ({ ...module, sequence: 0, expertSet: 0 }));
}

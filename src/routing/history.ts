import type { Trace } from '../trace/model/trace.js';
import type { Span } from './positions.js';
import { isSameResult, type Runs } from './runs.js';
import { weigh } from './service.js';
import type { Routed, RoutingStore, SideResult } from './store.js';

/** The result of a run of a range's text, made for its main side or to be compared with that. */
export interface FinishedRun {
  /** The range that was run. */
  readonly range: number;
  /** Its document's, as a string. */
  readonly uri: string;
  /** As it was when the run ended, with its whole trace; called as the range's main side is. */
  readonly result: SideResult & { readonly trace: Trace };
  readonly ended: Date;
}

export interface HistoryLimits {
  /** Runs per document. */
  readonly runs: number;
  /** Of all traces together. The newest run is kept whatever its size, because its range shows it. */
  readonly bytes: number;
}

/**
 * The last finished runs. The store retains their ranges and moves them along with their texts, so a run can be shown again where
 * its text is now.
 */
export class History {
  /** The newest first. */
  #runs: readonly FinishedRun[] = [];
  readonly #held = new Map<number, () => void>();

  constructor(
    private readonly store: RoutingStore,
    runs: Pick<Runs, 'onDidFinish'>,
    private readonly limits: HistoryLimits = { runs: 20, bytes: 256 * 1024 * 1024 },
    private readonly now = () => new Date(),
  ) {
    runs.onDidFinish((routed, finished) => this.#add(routed, finished));
    store.onChange(({ routed, kind }) => {
      if (kind === 'removed') this.#keep(this.#runs.filter(({ range }) => range !== routed.id));
    });
  }

  /** Of a document, the newest first. */
  of(uri: string): readonly FinishedRun[] {
    return this.#runs.filter((run) => run.uri === uri);
  }

  /** Like the store's: drops runs whose text is not there, because they belong to an earlier document with the same address. */
  reopened(uri: string, read: (span: Span) => string): void {
    const isThere = ({ range, result }: FinishedRun) => {
      const routed = this.store.get(range);
      return routed !== undefined && read(routed.span) === result.text;
    };
    this.#keep(this.#runs.filter((run) => run.uri !== uri || isThere(run)));
  }

  #add({ id, uri, span, main }: Routed, finished: SideResult): void {
    const { trace } = finished;
    if (!trace?.sequences.every(({ tokens, done }) => done === tokens.count)) return;
    // Another text that it was compared with is not in this range.
    if (finished.text !== main.text) return;
    // What it is called while it is compared says how it was routed.
    const result = { ...finished, trace, title: main.title, running: undefined, error: undefined };
    /** Whether the same was run at the same place before, perhaps as an older range: then one row stands for both. */
    const isAgain = (run: FinishedRun) =>
      run.uri === uri && this.store.get(run.range)?.span.start === span.start && isSameResult(run.result, result);
    const others = this.#runs.filter((run) => !isAgain(run));
    this.#keep(this.#within([{ range: id, uri, result, ended: this.now() }, ...others]));
  }

  /** The oldest go first. */
  #within(runs: readonly FinishedRun[]): readonly FinishedRun[] {
    const { uri } = runs[0]!;
    const over = new Set(runs.filter((run) => run.uri === uri).slice(this.limits.runs));
    const kept = runs.filter((run) => !over.has(run));
    while (kept.length > 1 && this.#weight(kept) > this.limits.bytes) kept.pop();
    return kept;
  }

  /** Includes what their ranges are compared with, which is kept as long as they are. Traces that runs share count once. */
  #weight(runs: readonly FinishedRun[]): number {
    const sides = runs.flatMap(({ range, result }) => [result, this.store.get(range)?.other]);
    const traces = new Set(sides.flatMap((side) => [side?.trace, side?.before, side?.generated?.trace]));
    let bytes = 0;
    for (const trace of traces) if (trace) bytes += weigh(trace);
    return bytes;
  }

  #keep(runs: readonly FinishedRun[]): void {
    this.#runs = runs;
    const ranges = new Set(runs.map(({ range }) => range));
    for (const id of ranges) if (!this.#held.has(id)) this.#held.set(id, this.store.retain(id));
    for (const [id, release] of [...this.#held]) {
      if (ranges.has(id)) continue;
      this.#held.delete(id);
      // This may remove the range, and the listener above hears of it: by then it must be gone from here.
      release();
    }
  }
}

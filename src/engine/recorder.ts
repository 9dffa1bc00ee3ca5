import { sitesOfPlan } from './info.js';
import { blank, blockColumns, cut, sequenceColumns } from '../trace/columns.js';
import type { Block, Expert, ExpertSet, Intervention, Router, Site, Source, Tokens, Trace } from '../trace/trace.js';
import type { RouterVectors } from '../strategies/strategy.js';
import type { ChunkResult } from './session.js';
import type { Plan } from './compose.js';
import { predictions as P } from './compose.js';

export interface RecorderContext {
  readonly plan: Plan;
  /** The pool's, in the order of the plan's; the multitask adapter, which a plan may have last, is none of them. */
  readonly experts: readonly Expert[];
  readonly router: Router;
  readonly interventions: readonly Intervention[];
  readonly source: Source;
  readonly readable: (id: number) => string;
  /** Which vectors gave the scores. */
  readonly vectors: RouterVectors;
  /** Width of the chosen axis. */
  readonly k: number;
}

/** Gathers the chunks of one run into a trace of one block: from the graph's [T, rows, N] to the trace's [S, T, ·]. */
export class Recorder {
  readonly #n: number;
  readonly #t: number;
  readonly #score: Float32Array;
  readonly #chosen: Int16Array;
  readonly #weight: Float32Array;
  readonly #contribution: Float32Array;
  readonly #logProb: Float32Array;
  readonly #topIds: Int32Array;
  readonly #topLogProb: Float32Array;
  readonly #topTokens: string[];
  readonly #scored: readonly boolean[];
  /** What the run's partial traces share. */
  readonly #frame: Omit<Trace, 'sequences' | 'blocks'>;
  #done = 0;

  /** @param capacity tokens at most */
  constructor(
    readonly context: RecorderContext,
    capacity: number,
  ) {
    const { plan, experts, router, interventions, source, k } = context;
    this.#scored = plan.scored[context.vectors];
    this.#n = experts.length;
    this.#t = capacity;
    const cells = plan.modules.length * capacity;
    this.#score = blank(blockColumns.score, cells * this.#n);
    this.#chosen = blank(blockColumns.chosen, cells * k);
    this.#weight = blank(blockColumns.weight, cells * k);
    this.#contribution = blank(blockColumns.contribution, cells * k);
    this.#logProb = blank(sequenceColumns.logProb, capacity);
    this.#topIds = blank(sequenceColumns.topIds, capacity * P);
    this.#topLogProb = blank(sequenceColumns.topLogProb, capacity * P);
    this.#topTokens = new Array<string>(capacity * P).fill('');
    const expertSets: readonly ExpertSet[] = [{ scope: 'pool', experts }];
    const sites: readonly Site[] = sitesOfPlan(plan);
    const created = new Date().toISOString();
    this.#frame = { source: { ...source }, router, interventions, expertSets, sites, created };
  }

  get done(): number {
    return this.#done;
  }

  /** Takes in one chunk of `count` tokens. */
  add(chunk: ChunkResult, count: number): void {
    const { rows } = this.context.plan;
    for (let row = 0; row < rows.length; row++) this.#row(chunk, row, count);
    for (let i = 0; i < count; i++) {
      const t = this.#done + i;
      // What the graph says of the next token belongs to the next token; `setLogProb` may say better later.
      if (t + 1 < this.#t) this.#logProb[t + 1] = chunk.logProb[i]!;
      for (let p = 0; p < P; p++) {
        const id = Number(chunk.topIds[i * P + p]);
        this.#topIds[t * P + p] = id;
        this.#topLogProb[t * P + p] = chunk.topLogProb[i * P + p]!;
        this.#topTokens[t * P + p] = id < 0 ? '' : this.context.readable(id);
      }
    }
    this.#done += count;
  }

  /** Of a token whose log-probability no chunk gives. */
  setLogProb(token: number, logProb: number): void {
    this.#logProb[token] = logProb;
  }

  /** One site: scores as they are, and of each token's weights those that are not 0, largest first. */
  #row(chunk: ChunkResult, row: number, count: number): void {
    const { plan, k } = this.context;
    const [scores, chosen, weights, contributions] = [this.#score, this.#chosen, this.#weight, this.#contribution];
    const [rows, n, all] = [plan.rows.length, this.#n, plan.experts.length];
    const scored = this.#scored.slice(row * all, row * all + n);
    const root = Math.sqrt(plan.widths[row]!);
    const first = plan.rows[row]! * this.#t + this.#done;
    weights.fill(0, first * k, (first + count) * k);
    contributions.fill(0, first * k, (first + count) * k);
    // Of the experts with a weight, or of all.
    const slots = chunk.weight.length / (rows * count || 1);
    for (let i = 0; i < count; i++) {
      const from = (i * rows + row) * all;
      const cell = (i * rows + row) * slots;
      const to = (first + i) * k;
      let taken = 0;
      for (let e = 0; e < n; e++) scores[(first + i) * n + e] = scored[e] ? chunk.affinity[from + e]! : NaN;
      for (let s = 0; s < slots; s++) {
        const e = chunk.chosen ? chunk.chosen[cell + s]! : s;
        const w = chunk.weight[cell + s]!;
        if (w === 0 || e >= n) continue;
        // Insertion into at most k places; of two alike the one that came first, with the lower index, stays first.
        if (taken === k && weights[to + k - 1]! >= w) continue;
        let slot = taken < k ? taken++ : k - 1;
        for (; slot > 0 && weights[to + slot - 1]! < w; slot--) {
          chosen[to + slot] = chosen[to + slot - 1]!;
          weights[to + slot] = weights[to + slot - 1]!;
          contributions[to + slot] = contributions[to + slot - 1]!;
        }
        chosen[to + slot] = e;
        weights[to + slot] = w;
        contributions[to + slot] = (Math.abs(w) * chunk.moved[cell + s]!) / root;
      }
    }
  }

  /** All that is known so far, in arrays that later tokens go on to fill; or cut, where `tokens` are fewer than the capacity. */
  trace(text: string, tokens: Tokens): Trace {
    const { plan, k } = this.context;
    const S = plan.modules.length;
    const T = tokens.count;
    const first = <A extends Float32Array | Int32Array | Int16Array>(array: A, rows: number): A =>
      T === this.#t ? array : cut(array, rows, this.#t, 0, T);
    const block: Block = {
      from: 0,
      to: S,
      sequence: 0,
      experts: this.#n,
      k,
      alwaysOn: 0,
      chosen: first(this.#chosen, S),
      weight: first(this.#weight, S),
      contribution: first(this.#contribution, S),
      score: first(this.#score, S),
    };
    return {
      ...this.#frame,
      sequences: [
        {
          role: 'text',
          text,
          tokens,
          done: this.#done,
          predictions: P,
          logProb: first(this.#logProb, 1),
          topIds: first(this.#topIds, 1),
          topLogProb: first(this.#topLogProb, 1),
          topTokens: T === this.#t ? this.#topTokens : this.#topTokens.slice(0, T * P),
        },
      ],
      blocks: S > 0 ? [block] : [],
    };
  }
}

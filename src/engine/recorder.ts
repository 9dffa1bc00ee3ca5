import type { Expert, Intervention, Strategy, Trace } from '../trace/trace.js';
import type { ChunkResult } from './session.js';
import type { Plan, Router } from './compose.js';
import { predictions as P } from './compose.js';

export interface RecorderContext {
  readonly plan: Plan;
  /** The pool's, in the order of the plan's; the multitask adapter, which a plan may have last, is none of them. */
  readonly experts: readonly Expert[];
  readonly strategy: Strategy;
  readonly interventions: readonly Intervention[];
  readonly pool: Trace['pool'];
  readonly tokenizer: Trace['tokenizer'];
  readonly versions: Trace['versions'];
  readonly readable: (id: number) => string;
  readonly router: Router;
  /** Width of the chosen axis. */
  readonly k: number;
}

/** Gathers the chunks of one run into a trace: from the graph's [T, rows, N] to the trace's [M, T, ·]. */
export class Recorder {
  readonly #m: number;
  readonly #n: number;
  readonly #t: number;
  readonly #affinity: Float32Array;
  readonly #chosen: Int16Array;
  readonly #weight: Float32Array;
  readonly #contribution: Float32Array;
  readonly #logProb: Float32Array;
  readonly #topIds: Int32Array;
  readonly #topLogProb: Float32Array;
  readonly #scored: readonly boolean[];
  readonly #created = new Date().toISOString();
  #done = 0;

  /** @param capacity tokens at most */
  constructor(
    readonly context: RecorderContext,
    capacity: number,
  ) {
    const { plan, k } = context;
    this.#scored = plan.scored[context.router];
    this.#m = plan.modules.length;
    this.#n = context.experts.length;
    this.#t = capacity;
    this.#affinity = new Float32Array(this.#m * capacity * this.#n).fill(NaN);
    this.#chosen = new Int16Array(this.#m * capacity * k).fill(-1);
    this.#weight = new Float32Array(this.#m * capacity * k).fill(NaN);
    this.#contribution = new Float32Array(this.#m * capacity * k).fill(NaN);
    this.#logProb = new Float32Array(capacity).fill(NaN);
    this.#topIds = new Int32Array(capacity * P).fill(-1);
    this.#topLogProb = new Float32Array(capacity * P).fill(NaN);
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
        this.#topIds[t * P + p] = Number(chunk.topIds[i * P + p]);
        this.#topLogProb[t * P + p] = chunk.topLogProb[i * P + p]!;
      }
    }
    this.#done += count;
  }

  /** Of a token whose log-probability no chunk gives. */
  setLogProb(token: number, logProb: number): void {
    this.#logProb[token] = logProb;
  }

  /** One module: affinities as they are, and of each token's weights those that are not 0, largest first. */
  #row(chunk: ChunkResult, row: number, count: number): void {
    const { plan, k } = this.context;
    const [affinities, chosen, weights, contributions] = [
      this.#affinity,
      this.#chosen,
      this.#weight,
      this.#contribution,
    ];
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
      for (let e = 0; e < n; e++) affinities[(first + i) * n + e] = scored[e] ? chunk.affinity[from + e]! : NaN;
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
  trace(text: string, tokens: Trace['tokens']): Trace {
    const { plan, experts, strategy, interventions, pool, tokenizer, versions, k } = this.context;
    const t = tokens.ids.length;
    const cut = <A extends Float32Array | Int16Array>(array: A, width: number): A => {
      if (t === this.#t) return array;
      const out = new (array.constructor as new (length: number) => A)(this.#m * t * width);
      for (let module = 0; module < this.#m; module++) {
        out.set(array.subarray(module * this.#t * width, (module * this.#t + t) * width), module * t * width);
      }
      return out;
    };
    const topIds = this.#topIds.slice(0, t * P);
    return {
      text,
      tokens,
      done: this.#done,
      modules: plan.modules,
      experts,
      k,
      predictions: P,
      affinity: cut(this.#affinity, this.#n),
      chosen: cut(this.#chosen, k),
      weight: cut(this.#weight, k),
      contribution: cut(this.#contribution, k),
      logProb: this.#logProb.slice(0, t),
      topIds,
      topLogProb: this.#topLogProb.slice(0, t * P),
      topTokens: Array.from(topIds, (id) => (id < 0 ? '' : this.context.readable(id))),
      strategy,
      interventions,
      pool,
      tokenizer,
      versions,
      created: this.#created,
    };
  }
}

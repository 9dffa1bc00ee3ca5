/** Which experts a cell could choose: those that have a gate at the module and are not knocked out at the token. */
import type { Rows } from '../model/access.js';
import { askedExpert } from '../model/fixed.js';
import { takingPart } from '../model/selection.js';
import type { Router } from '../model/trace.js';
import { sum } from '../../statistics/mean.js';

/** The same object for the same experts, so that cells can be counted by it. */
export interface OpenSet {
  /** [N] 1 for an expert of the set. */
  readonly has: Uint8Array;
  readonly count: number;
}

/** Walks through a trace's cells, module by module. */
export class Open {
  readonly #known = new Map<string, OpenSet>();
  #rows: Rows | undefined;
  /** The only expert that was asked for; −1: none was. */
  #asked = -1;
  #part: Uint8Array = new Uint8Array();
  #set: OpenSet | undefined;
  #without: { readonly of: OpenSet; readonly sure: number; readonly sets: readonly [OpenSet, OpenSet] } | undefined;
  #madeFor: Float32Array | undefined;

  enter(rows: Rows, router: Router): void {
    this.#rows = rows;
    const asked = askedExpert(router);
    this.#asked = asked === undefined ? -1 : rows.set.experts.findIndex(({ id }) => id === asked);
    this.#madeFor = undefined;
    this.#part = takingPart(rows);
    this.#set = this.#named(this.#part);
  }

  /** Those that could be chosen for a token at the module that was entered last. */
  at(t: number): OpenSet {
    const bias = this.#rows!.whatIf?.at(t).bias;
    if (bias && bias !== this.#madeFor) {
      this.#set = this.#named(this.#part.map((has, e) => (has && bias[e] !== -Infinity ? 1 : 0)));
      this.#madeFor = bias;
    }
    return this.#set!;
  }

  /**
   * Even draws at a cell: `draw` is told from whom, and how many. An expert that is forced, or asked for everywhere, is there
   * whatever the others do, so it is drawn from itself.
   * @param choices how many were made at the cell
   */
  draws(t: number, choices: number, draw: (from: OpenSet, choices: number) => void): void {
    if (choices === 0) return;
    const set = this.at(t);
    const forced = this.#rows!.whatIf?.at(t).forced ?? -1;
    const sure = forced < 0 ? this.#asked : forced;
    if (sure < 0) {
      draw(set, choices);
      return;
    }
    const [itself, others] = this.#split(set, sure);
    draw(itself, 1);
    if (choices > 1) draw(others, choices - 1);
  }

  #split(of: OpenSet, sure: number): readonly [OpenSet, OpenSet] {
    if (this.#without?.of !== of || this.#without.sure !== sure) {
      const sets = [(e: number) => e === sure, (e: number) => e !== sure].map((isIn, i) =>
        this.#named(of.has.map((has, e) => (isIn(e) && (has || i === 0) ? 1 : 0))),
      ) as [OpenSet, OpenSet];
      this.#without = { of, sure, sets };
    }
    return this.#without.sets;
  }

  #named(has: Uint8Array): OpenSet {
    const key = has.join('');
    let set = this.#known.get(key);
    if (!set) this.#known.set(key, (set = { has, count: sum(has) }));
    return set;
  }
}

/** How likely so many even draws of different experts reach one of the set. */
export const oddsOf = ({ count }: OpenSet, choices: number): number => Math.min(1, choices / count);

/** The runs that later calls refer to by number. */
import { GanderError } from '../errors/errors.js';
import type { RouteRequest } from '../requests/api.js';
import { Lru } from '../routing/lru.js';
import { weigh } from '../routing/service.js';
import { interventionText, plain, routerText } from '../trace/text/label.js';
import type { Trace } from '../trace/model/trace.js';
import type { OfferedModel } from './model.js';

/** A part of a file that was routed; lines from 1, both included. */
export interface FilePart {
  readonly path: string;
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface Run {
  readonly model: OfferedModel;
  readonly request: RouteRequest;
  readonly trace: Trace;
  /** Absent if the text itself was given. */
  readonly file?: FilePart;
}

export interface KeptRun extends Run {
  /** From 1. */
  readonly id: number;
}

/** Bytes of the traces that are kept; the runs that were used least recently go first. */
const mostBytes = 256 * 2 ** 20;

export class KeptRuns {
  readonly #kept: Lru<KeptRun>;
  #last = 0;

  constructor(limit = mostBytes) {
    this.#kept = new Lru(limit, ({ trace }) => weigh(trace));
  }

  keep(run: Run): KeptRun {
    const kept = { ...run, id: ++this.#last };
    this.#kept.set(String(kept.id), kept);
    return kept;
  }

  /** @throws GanderError `request-invalid` */
  get(id: number): KeptRun {
    const run = this.#kept.get(String(id));
    if (run) return run;
    if (id <= this.#last)
      throw new GanderError(
        'request-invalid',
        `Run ${id} is no longer kept: newer runs took its place.`,
        'Route its text again with route_text, and use the new number.',
      );
    throw new GanderError(
      'request-invalid',
      `There is no run ${id}.`,
      this.#last === 0
        ? 'Call route_text first: it gives a run its number.'
        : `Runs have the numbers 1 to ${this.#last}.`,
    );
  }

  /** Whether it is still kept, without counting as a use of it. */
  has(id: number): boolean {
    return this.#kept.has(String(id));
  }
}

/** `run 3: main.py, lines 1 to 20, with phatgoose:2 on smollm2-135m`. */
export function titleOf({ id, model, file, trace }: KeptRun): string {
  const text = trace.sequences[0]?.text ?? '';
  const what = file ? `${file.path}, lines ${file.firstLine} to ${file.lastLine}` : JSON.stringify(text.slice(0, 40));
  const cut = !file && text.length > 40 ? ' …' : '';
  return plain(`run ${id}: ${what}${cut}, with ${routeOf(trace)} on ${model.id}`);
}

/** The way of routing with its what-ifs: `phatgoose:2, knock-out sql`. */
export function routeOf({ router, interventions }: Trace): string {
  return plain([routerText(router), ...interventions.map(interventionText)].join(', '));
}

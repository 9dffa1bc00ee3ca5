/** Both ends of the way that a side of the panel takes to the page: its traces' arrays first, in pieces, and each piece once. */
import { TraceBuilder, affinityPieces, choicePieces, headOf } from './pieces.js';
import type { Trace } from './trace.js';
import type { HostMessage, SentSide, SentTrace, Side, SideState } from '../shared/panelProtocol.js';

export const sides: readonly Side[] = ['main', 'other'];

/**
 * How long a partial result is shown at least before the next: every one is drawn anew as a whole, which takes the longer
 * the more tokens it has, and takes the engine its cores. Milliseconds.
 */
const leastShown = 150;
const leastShownPerToken = 6;

/** What the page has of a trace. */
interface Known {
  readonly key: number;
  /** Tokens of which these have been sent; −1: not even that there are none. */
  choices: number;
  affinities: number;
  /** Tokens that a side told of. */
  shown: number;
}

/** The host's end, for one page. */
export class SideSender {
  /** What the page shows, and until when it is left alone with it. */
  readonly #told = new Map<Side, { readonly state: SideState; readonly until: number }>();
  /** By an array that a trace shares with the partial traces it grew from. */
  readonly #known = new Map<object, Known>();
  #keys = 0;

  /**
   * What is to be sent for the page to show a side as it is now; all of it, in this order, with no other side's in between.
   *
   * A side is shown without affinities first, which are most of a trace; they follow, and the side once more. While tokens
   * are still to come they wait for the run's end. Who stops in the middle of affinities has them go on with the next call.
   */
  *messages(side: Side, state: SideState | undefined): Generator<HostMessage> {
    const told = this.#told.get(side);
    if (!state) {
      this.#told.delete(side);
      this.#forget();
      if (told) yield { type: 'side', side, state };
      return;
    }
    if (told) {
      const { running, stale, error } = state;
      const before = told.state;
      if (running !== before.running || stale !== before.stale || error !== before.error)
        yield { type: 'status', side, running, stale, ...(error && { error }) };
      if (running && isMore(before, state) && performance.now() < told.until) {
        // What is known goes ahead, with nothing to draw.
        this.#told.set(side, { state: { ...state, trace: before.trace }, until: told.until });
        for (const trace of tracesOf(state)) if (this.#known.has(trace.chosen)) yield* this.#choices(trace);
        return;
      }
      if (sameResult(before, state) && (isGrowing(state) || this.#lacking(state).length === 0)) {
        this.#told.set(side, { state, until: told.until });
        return;
      }
    }
    const until = performance.now() + Math.max(leastShown, leastShownPerToken * (state.trace?.done ?? 0));
    this.#told.set(side, { state, until });
    this.#forget();
    yield* this.#whole(side, state);
  }

  *#whole(side: Side, state: SideState): Generator<HostMessage> {
    const traces = tracesOf(state);
    for (const trace of traces) yield* this.#choices(trace);
    const lacking = this.#lacking(state);
    if (lacking.length > 0) {
      const isNew = traces.some((trace) => this.#knownOf(trace).shown < trace.done);
      if (isNew) yield this.#side(side, { ...state, affinitiesFollow: true });
      if (isGrowing(state)) return;
    }
    for (const trace of lacking) yield* this.#affinities(trace);
    yield this.#side(side, state);
  }

  #lacking(state: SideState): Trace[] {
    return tracesOf(state).filter((trace) => trace.affinity && this.#knownOf(trace).affinities < trace.done);
  }

  *#choices(trace: Trace): Generator<HostMessage> {
    const known = this.#knownOf(trace);
    if (known.choices >= trace.done) return;
    for (const piece of choicePieces(trace, Math.max(0, known.choices))) {
      known.choices = piece.from + piece.count;
      yield { type: 'piece', key: known.key, piece };
    }
  }

  *#affinities(trace: Trace): Generator<HostMessage> {
    const known = this.#knownOf(trace);
    for (const piece of affinityPieces(trace, Math.max(0, known.affinities))) {
      known.affinities = piece.from + piece.count;
      yield { type: 'piece', key: known.key, piece };
    }
  }

  #knownOf(trace: Trace): Known {
    let known = this.#known.get(trace.chosen);
    if (!known) this.#known.set(trace.chosen, (known = { key: this.#keys++, choices: -1, affinities: -1, shown: -1 }));
    return known;
  }

  #side(side: Side, { trace, before, ...rest }: SideState): HostMessage {
    const sent = (one: Trace): SentTrace => {
      const known = this.#knownOf(one);
      known.shown = one.done;
      return { key: known.key, head: headOf(one) };
    };
    return {
      type: 'side',
      side,
      state: { ...rest, ...(trace && { trace: sent(trace) }), ...(before && { before: sent(before) }) },
    };
  }

  /** What no side shows any more the page has let go, too. */
  #forget(): void {
    const shown = [...this.#told.values()].flatMap(({ state }) => tracesOf(state));
    const used = new Set<object>(shown.map(({ chosen }) => chosen));
    for (const array of this.#known.keys()) if (!used.has(array)) this.#known.delete(array);
  }
}

const tracesOf = ({ trace, before }: SideState) => [trace, before].filter((t) => t !== undefined);

const isGrowing = ({ running }: SideState) => running !== undefined && running.what !== 'attribute';

/** More tokens of the same run. */
function isMore(before: SideState, now: SideState): before is SideState & { readonly trace: Trace } {
  return before.trace !== undefined && before.trace !== now.trace && before.trace.created === now.trace?.created;
}

function sameResult(a: SideState, b: SideState): boolean {
  return (
    a.trace === b.trace &&
    a.before === b.before &&
    a.attribution === b.attribution &&
    a.strategy === b.strategy &&
    a.interventions === b.interventions &&
    a.title === b.title
  );
}

/** The page's end. */
export class SideReceiver {
  readonly #builders = new Map<number, TraceBuilder>();
  readonly #used = new Map<Side, readonly number[]>();

  piece({ key, piece }: Extract<HostMessage, { type: 'piece' }>): void {
    let builder = this.#builders.get(key);
    if (!builder) this.#builders.set(key, (builder = new TraceBuilder()));
    builder.add(piece);
  }

  side({ side, state }: Extract<HostMessage, { type: 'side' }>): SideState | undefined {
    const { trace, before, ...rest } = state ?? {};
    const build = ({ key, head }: SentTrace) => this.#builders.get(key)!.build(head);
    const whole = state && {
      ...(rest as Omit<SentSide, 'trace' | 'before'>),
      ...(trace && { trace: build(trace) }),
      ...(before && { before: build(before) }),
    };
    this.#used.set(
      side,
      [trace, before].flatMap((t) => (t ? [t.key] : [])),
    );
    const used = new Set(sides.flatMap((s) => this.#used.get(s) ?? []));
    for (const key of this.#builders.keys()) if (!used.has(key)) this.#builders.delete(key);
    return whole;
  }
}

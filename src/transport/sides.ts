/** Both ends of sending a side of the panel to the page: its traces' arrays first, in pieces, and each piece once. */
import { doneOf, headOf, type Received, TraceBuilder, TraceSender } from './pieces.js';
import type { Source, Trace } from '../trace/model/trace.js';
import type { HostMessage, SentSide, SentTrace, Side, SideState } from '../protocol/panel.js';

export const sides: readonly Side[] = ['main', 'other'];

/**
 * How long a partial result is shown at least before the next: each is drawn anew as a whole, which takes longer the more
 * tokens it has, and takes cores from the engine. Milliseconds.
 */
const leastShown = 150;
const leastShownPerToken = 6;

/** What the page has of a run. */
interface Known {
  readonly key: number;
  readonly sender: TraceSender;
  /** How many tokens a side has shown; −1: none yet. */
  shown: number;
}

/** The host's end, for one page. */
export class SideSender {
  /** What the page shows, and until when it gets no further partial result. */
  readonly #told = new Map<Side, { readonly state: SideState; readonly until: number }>();
  /** Sides whose last message is still to be sent: that all has arrived. */
  readonly #due = new Set<Side>();
  /** A new page may remember a comparison that is no more. */
  #isNew = true;
  /** By the source, an object that only the partial traces of one run share. */
  readonly #known = new Map<Source, Known>();
  #keys = 0;

  /** @param received pieces that are sent on as they came */
  constructor(private readonly received?: Received) {}

  /**
   * The messages by which the page shows a side as it is now; all must be sent, in this order, without another side's in between.
   *
   * A side is first shown without its large columns, the scores, which are most of a trace. They follow, and the side once
   * more; while tokens are still to come they wait for the run's end. If the caller stops early, the next call goes on from
   * there.
   */
  *messages(side: Side, state: SideState | undefined): Generator<HostMessage> {
    const told = this.#told.get(side);
    if (!state) {
      this.#told.delete(side);
      this.#due.delete(side);
      this.#forget();
      const isLacking = side === 'other' && this.#isNew;
      if (isLacking) this.#isNew = false;
      if (told || isLacking) yield { type: 'side', side, state };
      return;
    }
    if (side === 'other') this.#isNew = false;
    if (told) {
      const { running, stale, fresh, error } = state;
      const before = told.state;
      if (running !== before.running || stale !== before.stale || fresh !== before.fresh || error !== before.error)
        yield {
          type: 'status',
          side,
          running,
          stale,
          ...(fresh !== undefined && { fresh }),
          ...(error && { error }),
        };
      if (running && isMore(before, state) && performance.now() < told.until) {
        // What is known is sent ahead, with nothing to draw yet.
        this.#told.set(side, { state: { ...state, trace: before.trace }, until: told.until });
        for (const trace of tracesOf(state)) if (this.#known.has(trace.source)) yield* this.#first(trace);
        return;
      }
      if (sameResult(before, state) && (isGrowing(state) || !this.#due.has(side))) {
        this.#told.set(side, { state, until: told.until });
        return;
      }
    }
    const until = performance.now() + Math.max(leastShown, leastShownPerToken * tokensIn(state.trace));
    this.#told.set(side, { state, until });
    this.#forget();
    yield* this.#whole(side, state);
  }

  *#whole(side: Side, state: SideState): Generator<HostMessage> {
    this.#due.add(side);
    const traces = tracesOf(state);
    for (const trace of traces) yield* this.#first(trace);
    const lacking = this.#lacking(state);
    if (lacking.length > 0) {
      const isNew = traces.some((trace) => this.#knownOf(trace).shown < tokensIn(trace));
      if (isNew) yield this.#side(side, { ...state, scoresFollow: true });
      if (isGrowing(state)) return;
    }
    for (const trace of lacking) {
      const { key, sender } = this.#knownOf(trace);
      for (const piece of sender.deferred(trace)) yield { type: 'piece', key, piece };
    }
    this.#due.delete(side);
    yield this.#side(side, state);
  }

  #lacking(state: SideState): Trace[] {
    return tracesOf(state).filter((trace) => this.#knownOf(trace).sender.lacksDeferred(trace));
  }

  *#first(trace: Trace): Generator<HostMessage> {
    const { key, sender } = this.#knownOf(trace);
    for (const piece of sender.first(trace)) yield { type: 'piece', key, piece };
  }

  #knownOf({ source }: Trace): Known {
    let known = this.#known.get(source);
    if (!known) {
      known = { key: this.#keys++, sender: new TraceSender(this.received), shown: -1 };
      this.#known.set(source, known);
    }
    return known;
  }

  #side(side: Side, { trace, before, ...rest }: SideState): HostMessage {
    const sent = (one: Trace): SentTrace => {
      const known = this.#knownOf(one);
      known.shown = tokensIn(one);
      return { key: known.key, head: headOf(one) };
    };
    return {
      type: 'side',
      side,
      state: { ...rest, ...(trace && { trace: sent(trace) }), ...(before && { before: sent(before) }) },
    };
  }

  /** Forgets what no side shows any more: the page has dropped it, too. */
  #forget(): void {
    const shown = [...this.#told.values()].flatMap(({ state }) => tracesOf(state));
    const used = new Set(shown.map(({ source }) => source));
    for (const source of this.#known.keys()) if (!used.has(source)) this.#known.delete(source);
  }
}

const tracesOf = ({ trace, before }: SideState) => [trace, before].filter((t) => t !== undefined);

const tokensIn = (trace: Trace | undefined) => (trace ? doneOf(headOf(trace)) : 0);

const isGrowing = ({ running }: SideState) => running?.what === 'route' || running?.what === 'generate';

/** More tokens of the same run. */
function isMore(before: SideState, now: SideState): before is SideState & { readonly trace: Trace } {
  return before.trace !== undefined && before.trace !== now.trace && before.trace.source === now.trace?.source;
}

function sameResult(a: SideState, b: SideState): boolean {
  return (
    a.trace === b.trace &&
    a.before === b.before &&
    a.attribution === b.attribution &&
    a.lenses === b.lenses &&
    a.strategy === b.strategy &&
    a.interventions === b.interventions &&
    a.title === b.title &&
    a.model === b.model
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

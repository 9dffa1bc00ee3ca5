/** Both ends of the way that a side of the panel takes to the page: its traces' arrays first, in pieces, and each piece once. */
import { TraceBuilder, headOf, piecesOf } from './pieces.js';
import type { Trace } from './trace.js';
import type { HostMessage, SentSide, SentTrace, Side, SideState } from '../shared/panelProtocol.js';

export const sides: readonly Side[] = ['main', 'other'];

/** The host's end, for one page. */
export class SideSender {
  /** What the page has, by an array that a trace shares with the partial traces it grew from. */
  readonly #known = new Map<object, { readonly key: number; done: number }>();
  readonly #used = new Map<Side, readonly object[]>();
  #keys = 0;

  /** All of them are to be sent, in this order and with no other side's in between. */
  *messages(side: Side, state: SideState | undefined): Generator<HostMessage> {
    if (!state) {
      yield { type: 'side', side, state };
      this.#use(side, []);
      return;
    }
    const { trace, before, ...rest } = state;
    const traces = [trace, before].filter((t) => t !== undefined);
    for (const one of traces) yield* this.#pieces(one);
    const sent: SentSide = {
      ...rest,
      ...(trace && { trace: this.#sent(trace) }),
      ...(before && { before: this.#sent(before) }),
    };
    yield { type: 'side', side, state: sent };
    this.#use(
      side,
      traces.map(({ chosen }) => chosen),
    );
  }

  *#pieces(trace: Trace): Generator<HostMessage> {
    let known = this.#known.get(trace.chosen);
    if (!known) this.#known.set(trace.chosen, (known = { key: this.#keys++, done: -1 }));
    if (known.done >= trace.done) return;
    for (const piece of piecesOf(trace, Math.max(0, known.done))) yield { type: 'piece', key: known.key, piece };
    known.done = trace.done;
  }

  #sent(trace: Trace): SentTrace {
    return { key: this.#known.get(trace.chosen)!.key, head: headOf(trace) };
  }

  /** What no side shows any more the page has let go, too. */
  #use(side: Side, arrays: readonly object[]): void {
    this.#used.set(side, arrays);
    const used = new Set(sides.flatMap((s) => this.#used.get(s) ?? []));
    for (const array of this.#known.keys()) if (!used.has(array)) this.#known.delete(array);
  }
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

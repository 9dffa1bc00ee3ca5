import type { Attribution, Lens, RouteRequest } from '../requests/api.js';
import type { ErrorData } from '../errors/errors.js';
import type { Side, SideState } from '../protocol/panel.js';
import type { Strategy } from '../strategies/strategy.js';
import type { Intervention, Trace } from '../trace/model/trace.js';
import { type Change, type Span, moved, touches, unchanged } from './positions.js';

export type Output = Pick<RouteRequest, 'target' | 'maxTokens'>;

/** The run in which the model wrote, or was stopped while it wrote. */
export interface Generated extends Pick<SideResult, 'strategy' | 'interventions' | 'model'> {
  readonly trace: Trace;
  /** How many tokens it was asked for, if it came to its end: fewer were written where the model ended the text. */
  readonly asked?: number;
  /** Fewer were written because the model can read no more. */
  readonly isFull?: true;
}

/** One side of a routed range: what was asked, and the result so far. */
export interface SideResult {
  /** The text that the engine was given. */
  readonly text: string;
  /** Of an encoder-decoder: the given output, or the most that it may write. */
  readonly output?: Output | undefined;
  readonly title: string;
  /** Name of the model that the trace is from, once it is complete. */
  readonly model?: string | undefined;
  readonly strategy: Strategy;
  /** The source is still being asked what it can do; until it answers, `strategy` is only what the settings name. */
  readonly isOpening?: true | undefined;
  readonly interventions: readonly Intervention[];
  /** Some that another model ran with were left out, because this one has no such experts. */
  readonly lacksExperts?: true | undefined;
  readonly trace?: Trace | undefined;
  readonly before?: Trace | undefined;
  /** What is run from now on has what the model wrote in it, and returns to this when nothing else is asked than was then. */
  readonly generated?: Generated | undefined;
  readonly attribution?: Attribution | undefined;
  readonly lenses?: readonly Lens[] | undefined;
  readonly running?: SideState['running'] | undefined;
  readonly error?: ErrorData | undefined;
}

/** A routed range of a document. Immutable: every change makes a new object. */
export interface Routed {
  readonly id: number;
  /** The document's, as a string. */
  readonly uri: string;
  /** The document's when it was routed. */
  readonly version: number;
  /** Where the range is now. */
  readonly span: Span;
  /** The text in the range is no longer the text that was routed. */
  readonly stale: boolean;
  /** How many characters from the start of the routed text are still valid: in a causal model, a change affects only what follows. */
  readonly fresh: number;
  /** A newer range covers it: it is no longer shown on the text, and is kept only for those that retain it. */
  readonly replaced: boolean;
  readonly main: SideResult;
  readonly other?: SideResult | undefined;
}

export interface StoreEvent {
  readonly routed: Routed;
  /** `running`: only what runs, its progress or its error has changed, and no result. */
  readonly kind: 'result' | 'running' | 'moved' | 'removed';
}

/** Where the first sequence's tokens are in the document now; −1: the token has no text, was edited, or was written by the model. */
export interface TokenSpans {
  readonly start: Int32Array;
  readonly end: Int32Array;
}

interface Entry {
  routed: Routed;
  /** Where the range began when its text was last the routed text, and all edits since then. */
  origin: number;
  edits: Change[];
  /** Made when first asked for, then moved with the edits. */
  spans?: { readonly trace: Trace; readonly tokens: TokenSpans } | undefined;
  holders: number;
}

/** How much of the text that the model continues was given: the text, or the target of an encoder-decoder. UTF-16 code units. */
export function givenOf({ text, output }: Pick<SideResult, 'text' | 'output'>): number {
  return output ? (output.target ?? '').length : text.length;
}

/** What the model wrote; empty if it wrote nothing. */
export function writtenIn(result: Pick<SideResult, 'text' | 'output' | 'trace'>): string {
  return result.trace?.sequences.at(-1)?.text?.slice(givenOf(result)) ?? '';
}

/** How many of the ranges are kept that nobody retains: a trace may take 100 MB. */
const keptRanges = 24;

/** Results by document and range. Ranges of one document never overlap: the newer one replaces what it covers. */
export class RoutingStore {
  readonly #entries = new Map<number, Entry>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  #lastId = 0;
  #latest: number | undefined;

  /** Returns a function that stops listening. */
  onChange(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(routed: Pick<Routed, 'uri' | 'version' | 'span' | 'main'>): Routed {
    const covered = this.of(routed.uri).filter((old) => overlap(old.span, routed.span));
    const made: Routed = {
      ...routed,
      id: ++this.#lastId,
      stale: false,
      fresh: routed.main.text.length,
      replaced: false,
    };
    this.#entries.set(made.id, { routed: made, origin: made.span.start, edits: [], holders: 0 });
    for (const old of covered) this.#replace(this.#entries.get(old.id)!);
    const free = [...this.#entries.values()].filter((entry) => entry.holders === 0);
    for (const { routed: oldest } of free.slice(0, -keptRanges)) this.remove(oldest.id);
    this.#latest = made.id;
    this.#emit(made, 'result');
    return made;
  }

  get(id: number): Routed | undefined {
    return this.#entries.get(id)?.routed;
  }

  /** Keeps the range even if a newer one covers it. Returns a function that releases it. */
  retain(id: number): () => void {
    const entry = this.#entries.get(id);
    if (!entry) return () => {};
    entry.holders++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      entry.holders--;
      if (entry.routed.replaced && entry.holders === 0) this.remove(id);
    };
  }

  /** Shows a covered range on its text again, instead of the ranges that cover it. */
  restore(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const { uri, span } = entry.routed;
    const covering = this.of(uri).filter((one) => one.id !== id && overlap(one.span, span));
    // The newest is last.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    for (const one of covering) this.#replace(this.#entries.get(one.id)!);
    this.#latest = id;
    this.#put(entry, { ...entry.routed, replaced: false }, 'moved');
  }

  /** All ranges that are shown on a document, the newest first. */
  of(uri: string): Routed[] {
    const all = [...this.#entries.values()].map((e) => e.routed);
    return all.filter((r) => r.uri === uri && !r.replaced).reverse();
  }

  /** The range that was routed or run last, in any document. */
  get latest(): Routed | undefined {
    return this.#latest === undefined ? undefined : this.get(this.#latest);
  }

  /** The range of a document that contains an offset. */
  at(uri: string, offset: number): Routed | undefined {
    return this.of(uri).find(({ span }) => span.start <= offset && offset <= span.end);
  }

  /** Does nothing if the range is gone, so that a late result does no harm. `undefined` removes the side. */
  setSide(id: number, side: Side, result: SideResult | undefined): void {
    this.#setSide(id, side, result, 'result');
  }

  patchSide(id: number, side: Side, patch: Partial<SideResult>): void {
    const before = this.get(id)?.[side];
    const isRunning = Object.keys(patch).every((key) => key === 'running' || key === 'error');
    if (before) this.#setSide(id, side, { ...before, ...patch }, isRunning ? 'running' : 'result');
  }

  /**
   * Moves ranges and tokens along with an edit of the document. `read` gives the text of a span of the edited document; a range
   * that has its routed text again, after an undo, is no longer stale.
   */
  edit(uri: string, changes: readonly Change[], read: (span: Span) => string): void {
    for (const entry of this.#entries.values()) {
      if (entry.routed.uri !== uri) continue;
      const span = changes.reduce(moved, entry.routed.span);
      const { text, trace } = entry.routed.main;
      const now = read(span);
      const stale = now !== text;
      const fresh = stale ? (isCausal(trace) ? unchanged(text, now) : 0) : text.length;
      const { routed } = entry;
      if (stale) {
        entry.edits.push(...changes);
        const { spans } = entry;
        if (spans) changes.forEach((change) => moveTokens(spans.tokens, change));
      } else {
        if (!routed.stale && span.start === routed.span.start) continue;
        entry.origin = span.start;
        entry.edits = [];
        entry.spans = undefined;
      }
      this.#put(entry, { ...routed, span, stale, fresh }, 'moved');
    }
  }

  /**
   * A document was opened. It may not be the one that was routed under that address (but a new untitled one, or a file that has
   * changed on disk), so a range whose text is not there is no longer shown on it.
   */
  reopened(uri: string, read: (span: Span) => string): void {
    for (const { span, main, id } of this.of(uri)) {
      if (read(span) !== main.text) this.#replace(this.#entries.get(id)!);
    }
  }

  tokenSpans(id: number): TokenSpans | undefined {
    const entry = this.#entries.get(id);
    const trace = entry?.routed.main.trace;
    if (!entry || !trace) return undefined;
    if (entry.spans?.trace !== trace) entry.spans = { trace, tokens: place(trace, entry) };
    return entry.spans.tokens;
  }

  /** The token at an offset of the document now. */
  tokenAt(id: number, offset: number): number | undefined {
    const spans = this.tokenSpans(id);
    if (!spans) return undefined;
    const token = spans.start.findIndex((start, i) => start >= 0 && start <= offset && offset < spans.end[i]!);
    return token < 0 ? undefined : token;
  }

  remove(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#emit(entry.routed, 'removed');
  }

  clear(): void {
    for (const id of [...this.#entries.keys()]) this.remove(id);
  }

  #setSide(id: number, side: Side, result: SideResult | undefined, kind: StoreEvent['kind']): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#latest = id;
    this.#put(entry, { ...entry.routed, [side]: result }, kind);
  }

  #replace(entry: Entry): void {
    if (entry.holders === 0) this.remove(entry.routed.id);
    else this.#put(entry, { ...entry.routed, replaced: true }, 'moved');
  }

  #put(entry: Entry, routed: Routed, kind: StoreEvent['kind']): void {
    entry.routed = routed;
    this.#emit(routed, kind);
  }

  #emit(routed: Routed, kind: StoreEvent['kind']): void {
    for (const listener of this.#listeners) listener({ routed, kind });
  }
}

function place(trace: Trace, { routed, origin, edits }: Entry): TokenSpans {
  const { count, start: starts, end: ends } = trace.sequences[0]!.tokens;
  const tokens = { start: new Int32Array(count).fill(-1), end: new Int32Array(count).fill(-1) };
  for (let t = 0; t < count; t++) {
    const start = starts?.[t] ?? -1;
    const end = ends?.[t] ?? -1;
    // Tokens past the routed text were written by the model and are not in the document.
    if (start < 0 || end > routed.main.text.length) continue;
    tokens.start[t] = start + origin;
    tokens.end[t] = end + origin;
  }
  edits.forEach((change) => moveTokens(tokens, change));
  return tokens;
}

function moveTokens({ start, end }: TokenSpans, change: Change): void {
  for (let t = 0; t < start.length; t++) {
    if (start[t]! < 0) continue;
    const span = { start: start[t]!, end: end[t]! };
    const to = touches(span, change) ? { start: -1, end: -1 } : moved(span, change);
    start[t] = to.start;
    end[t] = to.end;
  }
}

/** A trace with two sequences has an encoder, in which every token depends on the whole text. */
const isCausal = (trace: Trace | undefined): boolean => trace?.sequences.length === 1;

/** An empty range overlaps only a range that it is inside. */
function overlap(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end;
}

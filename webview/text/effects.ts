/** What a text reacts to. Each effect touches only the tokens that it is about, and rebuilds none. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { firstWritten } from '../../src/trace/model/access.js';
import type { Sequence } from '../../src/trace/model/trace.js';
import { tokensWithin } from '../../src/trace/model/ranges.js';
import type { TextScope } from '../../src/trace/text/scopes.js';
import type { Drawn } from './drawn.js';
import { reveal } from './room.js';
import { buildTokens, dress } from './tokenSpans.js';

type Body = RefObject<HTMLDivElement | null>;
/** One element per token. */
type Spans = RefObject<readonly HTMLElement[]>;

interface Shown {
  readonly body: Body;
  readonly spans: Spans;
  readonly drawn: Drawn | undefined;
}

const paneOf = (body: Body): HTMLElement => body.current!.parentElement!;

export function useSpans(body: Body, drawn: Drawn | undefined): Spans {
  const spans = useRef<readonly HTMLElement[]>([]);
  const made = useRef<object>(undefined);
  useLayoutEffect(() => {
    // A run that continues has the same tokens, and shares its arrays with what was known of it before.
    const run = drawn?.trace.blocks[0]?.chosen ?? drawn?.sequence;
    if (drawn && run === made.current && spans.current.length === drawn.sequence.tokens.count)
      spans.current.forEach((span, i) => dress(span, drawn.styles[i]!));
    else {
      if (!drawn) body.current!.replaceChildren();
      made.current = run;
      spans.current = drawn ? buildTokens(body.current!, drawn.sequence, drawn.styles) : [];
    }
  }, [drawn]);
  return spans;
}

interface Selected {
  readonly from: number;
  /** Past the last token: all of a line's are marked, and what is read out is about the first. */
  readonly to: number;
  /** Id of the text. */
  readonly id: string;
  /** Another text beside this one makes it narrower. */
  readonly isCompared: boolean;
}

export function useSelected({ body, spans, drawn }: Shown, { from, to, id, isCompared }: Selected): void {
  const former = useRef<readonly HTMLElement[]>([]);
  const revealed = useRef('');
  useLayoutEffect(() => {
    for (const span of former.current) {
      span.classList.remove('selected');
      span.removeAttribute('aria-selected');
    }
    const chosen = from < 0 ? [] : spans.current.slice(from, to);
    for (const one of chosen) one.classList.add('selected');
    former.current = chosen;
    const [span] = chosen;
    if (!span || !drawn) {
      body.current!.removeAttribute('aria-activedescendant');
      return;
    }
    span.id = `${id}-token-${from}`;
    span.setAttribute('aria-label', drawn.say(from));
    span.setAttribute('aria-selected', 'true');
    body.current!.setAttribute('aria-activedescendant', span.id);
    // Neither other colours nor more of the same text are a reason to scroll back to it.
    const now = `${isCompared} ${placeOf(drawn.sequence, from)}`;
    if (revealed.current !== now) reveal(span, paneOf(body));
    revealed.current = now;
  }, [from, to, drawn, isCompared]);
  useKept(body, () => former.current[0]);
}

/** Of a token: the same in all runs whose texts begin alike. */
function placeOf({ text, tokens }: Sequence, token: number): string {
  const before = text?.slice(0, tokens.end?.[token]) ?? tokens.ids?.subarray(0, token + 1).join(' ') ?? '';
  return `${token} ${before}`;
}

/** Scrolls to what is being written. */
export function useWriting({ body, spans, drawn }: Shown, isWriting: boolean): void {
  useLayoutEffect(() => {
    const last = spans.current[(drawn?.sequence.done ?? 0) - 1];
    if (!isWriting || !last) return;
    const show = (): void => reveal(last, paneOf(body));
    show();
    // Once more: blocks have their real height only once they have been seen.
    const again = requestAnimationFrame(show);
    return () => cancelAnimationFrame(again);
  }, [isWriting, drawn]);
}

/** A text that the model went on with begins where it did, once that is done or the text is unfolded. @param given undefined: it did not */
export function useWritten({ body, spans, drawn }: Shown, given: number | undefined, isWriting: boolean): void {
  useLayoutEffect(() => {
    const first = drawn && given !== undefined && spans.current[firstWritten(drawn.sequence, given)];
    if (!first || isWriting) return;
    const show = (): void => {
      reveal(spans.current.at(-1)!, paneOf(body));
      reveal(first, paneOf(body));
    };
    show();
    // Once more: blocks have their real height only once they have been seen.
    const again = requestAnimationFrame(show);
    return () => cancelAnimationFrame(again);
  }, [isWriting]);
  useKept(body, () => (drawn && given !== undefined ? spans.current[firstWritten(drawn.sequence, given)] : undefined));
}

/** What a result took the room of stays in view, if it was. */
function useKept(body: Body, find: () => HTMLElement | undefined): void {
  const found = useRef(find);
  found.current = find;
  useLayoutEffect(() => {
    const pane = paneOf(body);
    let height = pane.clientHeight;
    const resized = new ResizeObserver(() => {
      const before = height;
      height = pane.clientHeight;
      const span = found.current();
      const at = span && span.getBoundingClientRect().top - pane.getBoundingClientRect().top;
      if (at !== undefined && height < before && at >= 0 && at < before) reveal(span!, pane);
    });
    resized.observe(pane);
    return () => resized.disconnect();
  }, []);
}

export function useFilter({ body, spans, drawn }: Shown, experts: readonly string[]): void {
  useLayoutEffect(() => {
    const isFiltered = experts.length > 0;
    body.current!.classList.toggle('filtered', isFiltered);
    if (isFiltered && drawn)
      spans.current.forEach((span, i) => span.classList.toggle('kept', drawn.isLedBy(i, experts)));
  }, [experts, drawn]);
}

/** What is outside the scope can still be read. */
export function useScope({ body, spans, drawn }: Shown, scope: TextScope | undefined, sequence: number): void {
  useLayoutEffect(() => {
    body.current!.classList.toggle('scoped', scope !== undefined);
    if (!scope) return;
    const within = tokensWithin(scope.sequence === sequence ? scope.ranges : [], spans.current.length);
    spans.current.forEach((span, i) => span.classList.toggle('beyond', !within[i]));
  }, [scope, drawn]);
  useLayoutEffect(() => {
    const first = scope?.sequence === sequence && spans.current[scope.ranges[0]![0]];
    if (first) reveal(first, paneOf(body));
  }, [scope?.key]);
}

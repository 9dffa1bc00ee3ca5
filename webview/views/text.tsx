/** The texts, token by token, over the leading expert's band, or coloured by a number. */
import { useComputed } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Side } from '../../src/shared/panelProtocol.js';
import { quiet } from '../../src/shared/palette.js';
import { isMeasure, type TextMeasure } from '../../src/trace/colouring.js';
import type { Sequence, Trace } from '../../src/trace/trace.js';
import { layerOf } from '../../src/trace/sight.js';
import type { SideSignals } from '../app/side.js';
import type { Store } from '../app/store.js';
import { Button, classes } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Splitter } from '../components/splitter.js';
import { classOf, signOf, type Looks } from '../look/looks.js';
import { expertName, plainName } from '../look/names.js';
import { fixed, percent, t } from '../look/strings.js';
import { spoken } from '../look/tokens.js';
import { isRankOnly } from '../../src/trace/leaders.js';
import type { Layer } from '../../src/trace/access.js';
import type { Sight } from '../../src/trace/sight.js';
import { sideName } from './sides.js';
import { leadersOf, measuredOf } from './sums.js';
import { buildTokens, dress, kindsOfToken, target, textOf, type TokenStyle } from './tokenSpans.js';

export function Texts() {
  const store = useStore();
  if (store.isTextFolded.value)
    return (
      <>
        <Folded />
        <Written />
      </>
    );
  return (
    <>
      <div class="texts">
        <SideTexts side="main" />
        {store.other.isThere.value && <SideTexts side="other" />}
      </div>
      <Written />
      <Splitter field="textShare" label={t('splitText')} />
    </>
  );
}

/** What the model wrote, to be taken away. */
function Written() {
  const store = useStore();
  const { choices, given, isRunning } = store.main;
  const [sequence, at] = [choices.value?.sequences.at(-1), given.value];
  const text = at === undefined ? undefined : sequence?.text?.slice(at);
  if (!sequence || at === undefined || !text) return null;
  const reason = isRunning.value ? t('busy') : undefined;
  return (
    <div class="folded written" role="group" aria-label={t('generate')}>
      <span>{t('written', sequence.tokens.count - firstWritten(sequence, at))}</span>
      <Button
        press={() => {
          store.send({ type: 'copy', text });
        }}
        class="link"
        data-focus="written-copy"
      >
        {t('writtenCopy')}
      </Button>
      <Button
        press={() => {
          store.send({ type: 'insert' });
        }}
        title={t('writtenInsertHint')}
        reason={reason}
        class="link"
        data-focus="written-insert"
      >
        {t('writtenInsert')}
      </Button>
    </div>
  );
}

/** The first token behind the text that was given; all there are where none is. */
function firstWritten({ tokens }: Sequence, given: number | undefined): number {
  const found = given === undefined ? -1 : (tokens.start?.findIndex((start) => start >= given) ?? -1);
  return found < 0 ? tokens.count : found;
}

/** In the text's place, while it can be read elsewhere or nobody wants it. */
function Folded() {
  const store = useStore();
  return (
    <div class="folded" role="group" aria-label={t('text')}>
      <span class="faint">{store.isTextInSight.value ? t('textShown', store.main.title.value) : t('textFolded')}</span>
      <span aria-hidden="true">·</span>
      <Button
        press={() => {
          store.set({ textPane: 'shown' });
        }}
        class="link"
        data-focus="text-show"
      >
        {t('textShow')}
      </Button>
    </div>
  );
}

function SideTexts({ side }: { readonly side: Side }) {
  const count = useStore().side(side).choices.value?.sequences.length ?? 1;
  return Array.from({ length: count }, (_, sequence) => <Text key={sequence} side={side} sequence={sequence} />);
}

/** How each token of a sequence looks, and what is said of it. */
interface Drawn {
  readonly trace: Trace;
  readonly sequence: Sequence;
  readonly styles: readonly TokenStyle[];
  readonly say: (token: number) => string;
  /** Whether the token's leader is one of the experts. */
  readonly isLedBy: (token: number, experts: readonly string[]) => boolean;
}

function drawnOf(store: Store, side: SideSignals, index: number): Drawn | undefined {
  const [trace, sight] = [side.choices.value, side.sight.value];
  const sequence = trace?.sequences[index];
  if (!trace || !sequence) return undefined;
  const by = sight?.layer ? store.view.colouring.value : 'experts';
  const looks = sight && side.looks.value(sight.set);
  // Numbers rest on scores, which come last.
  const late = side.trace.value ?? trace;
  const layer = layerOf(trace, store.view.measureLayer.value);
  const drawn =
    by === 'experts'
      ? byExperts(trace, index, sight, looks)
      : byNumber(late, index, isMeasure(by) ? by : undefined, layer);
  const now = outdated(drawn, side.fresh.value);
  return index === trace.sequences.length - 1 ? divided(now, side.given.value) : now;
}

/** What stands behind an edit is no longer what the model would say. */
function outdated(drawn: Drawn, fresh: number): Drawn {
  if (fresh >= drawn.styles.length) return drawn;
  const styles = drawn.styles.map((style, i) =>
    i < fresh ? style : { ...style, names: classes(style.names, 'outdated') },
  );
  return { ...drawn, styles };
}

/** What the model wrote is told from what it was given. */
function divided(drawn: Drawn, given: number | undefined): Drawn {
  const first = firstWritten(drawn.sequence, given);
  if (first === drawn.sequence.tokens.count) return drawn;
  const styles = drawn.styles.map((style, i) =>
    i < first ? style : { ...style, names: classes(style.names, 'written', i === first && 'begins') },
  );
  return { ...drawn, styles };
}

function byExperts(trace: Trace, index: number, sight: Sight | undefined, looks: Looks | undefined): Drawn {
  const sequence = trace.sequences[index]!;
  const part = sight?.parts[index];
  const leaders = part && leadersOf(trace, part);
  const most = leaders ? strongest(leaders.share) : 1;
  const leader = (i: number) => leaders?.expert[i] ?? -1;
  const styles = Array.from({ length: sequence.tokens.count }, (_, i): TokenStyle => {
    const e = leader(i);
    const own = ['t'];
    if (e >= 0)
      own.push(classOf(looks?.slots[e] ?? quiet), `s${Math.min(4, Math.floor((leaders!.share[i]! / most) * 5))}`);
    else own.push(i >= sequence.done ? 'pending' : 'plain');
    const begins = e >= 0 && e !== leader(i - 1);
    if (begins) own.push('lead');
    const letter = begins && part ? signOf(part.set, e) : '';
    return {
      names: classes(...own, ...kindsOfToken(sequence, i)),
      // A number of three digits under a token of one would stand on the next one's.
      letter: letter.length <= textOf(sequence, i).length ? letter : '',
    };
  });
  return {
    trace,
    sequence,
    styles,
    say: (i) => {
      const text = spoken(sequence, i);
      const e = leader(i);
      if (i >= sequence.done) return t('tokenPending', text, i + 1);
      if (!part) return t('tokenElsewhere', text, i + 1);
      if (e < 0) return t('tokenPlain', text, i + 1);
      const name = sight.layer ? expertName(part.set, e, sight.layer) : plainName(part.set, e);
      return isRankOnly(trace, part)
        ? t('tokenFirst', text, i + 1, name)
        : t('tokenSpoken', text, i + 1, name, percent(leaders!.share[i]!));
    },
    isLedBy: (i, experts) => experts.includes(part?.experts[leader(i)]?.id ?? ''),
  };
}

function byNumber(trace: Trace, index: number, by: TextMeasure | undefined, layer: Layer | undefined): Drawn {
  const sequence = trace.sequences[index]!;
  const found = by && measuredOf(trace, index, by, layer);
  return {
    trace,
    sequence,
    styles: Array.from({ length: sequence.tokens.count }, (_, i) => {
      const share = found?.strength[i] ?? NaN;
      const own = Number.isNaN(share)
        ? [i >= sequence.done ? 'pending' : 'plain']
        : ['measured', `s${Math.min(4, Math.floor(share * 5))}`];
      return { names: classes('t', ...own, ...kindsOfToken(sequence, i)), letter: '' };
    }),
    say: (i) => {
      const text = spoken(sequence, i);
      if (i >= sequence.done) return t('tokenPending', text, i + 1);
      const value = found?.value[i] ?? NaN;
      return Number.isNaN(value)
        ? t('tokenAlone', text, i + 1)
        : t('tokenMeasured', text, i + 1, t(`colour_${by!}`), fixed(value));
    },
    isLedBy: () => true,
  };
}

/** Within the pane alone: the page stays where one has scrolled it. */
function reveal(span: HTMLElement, pane: HTMLElement): void {
  const [at, room] = [span.getBoundingClientRect(), pane.getBoundingClientRect()];
  if (at.top < room.top) pane.scrollTop -= room.top - at.top;
  else if (at.bottom > room.bottom) pane.scrollTop += at.bottom - room.bottom;
}

/** Strength is relative to the most decided token but one in twenty: a single outlier must not pale all others. */
function strongest(share: Float32Array): number {
  const sorted = share.filter((x) => x > 0).sort();
  return sorted[Math.floor((sorted.length - 1) * 0.95)] ?? 1;
}

function Text({ side: name, sequence: index }: { readonly side: Side; readonly sequence: number }) {
  const store = useStore();
  const side = store.side(name);
  const drawn = useComputed(() => drawnOf(store, side, index)).value;
  const at = store.placeIn[name].value;
  const selected = at.sequence === index ? at.token : -1;
  const { experts } = store.view.filter.value;
  const isCompared = store.other.isThere.value;
  const body = useRef<HTMLDivElement>(null);
  const made = useRef<{ run: object; spans: HTMLElement[] }>({ run: {}, spans: [] });
  const current = useRef<HTMLElement | undefined>(undefined);

  useLayoutEffect(() => {
    // A run that goes on has the same tokens, and shares its arrays with what is known of it so far.
    const run = drawn?.trace.blocks[0]?.chosen ?? drawn?.sequence;
    const { spans } = made.current;
    if (drawn && run === made.current.run && spans.length === drawn.sequence.tokens.count)
      spans.forEach((span, i) => dress(span, drawn.styles[i]!));
    else {
      if (!drawn) body.current!.replaceChildren();
      made.current = { run: run ?? {}, spans: drawn ? buildTokens(body.current!, drawn.sequence, drawn.styles) : [] };
      current.current = undefined;
    }
  }, [drawn]);

  useLayoutEffect(() => {
    current.current?.classList.remove('selected');
    current.current?.removeAttribute('aria-selected');
    const span = made.current.spans[selected];
    current.current = span;
    if (!span || !drawn) {
      body.current!.removeAttribute('aria-activedescendant');
      return;
    }
    span.id = index === 0 ? `${name}-token-${selected}` : `${name}-${index}-token-${selected}`;
    span.setAttribute('aria-label', drawn.say(selected));
    span.setAttribute('aria-selected', 'true');
    span.classList.add('selected');
    body.current!.setAttribute('aria-activedescendant', span.id);
    reveal(span, body.current!.parentElement!);
    // A text beside this one makes it narrower.
  }, [selected, drawn, isCompared]);

  const isWriting = name === 'main' && side.running.value?.what === 'generate';
  useLayoutEffect(() => {
    // What is being written comes into view.
    const last = made.current.spans[(drawn?.sequence.done ?? 0) - 1];
    if (!isWriting || !last) return;
    const show = (): void => {
      reveal(last, body.current!.parentElement!);
    };
    show();
    // Once more: blocks are as high as they are only when they have been seen.
    const again = requestAnimationFrame(show);
    return () => {
      cancelAnimationFrame(again);
    };
  }, [isWriting, drawn]);

  useLayoutEffect(() => {
    const isFiltered = experts.length > 0;
    body.current!.classList.toggle('filtered', isFiltered);
    if (isFiltered && drawn)
      made.current.spans.forEach((span, i) => span.classList.toggle('kept', drawn.isLedBy(i, experts)));
  }, [experts, drawn]);

  const select = (token: number): void => {
    if (token >= 0 && token < made.current.spans.length) store.selectIn(name, { sequence: index, token });
  };
  // Keys may come faster than frames.
  const tokenHere = (): number => {
    const now = store.placeIn[name].peek();
    return now.sequence === index ? now.token : -1;
  };
  const tokenUnder = (event: Event): HTMLElement | null => (event.target as Element).closest<HTMLElement>('[data-i]');

  const count = side.choices.value?.sequences.length ?? 1;
  const caption = [
    // First: there is not always room for all of it.
    count > 1 && drawn && t(drawn.sequence.role),
    isCompared && `${t(name === 'main' ? 'compareThis' : 'compareOther')}: ${sideName(store, name)}`,
  ].filter((part) => typeof part === 'string');
  return (
    <section
      class={classes('text', name === 'other' && 'other', index > 0 && 'next')}
      aria-label={name === 'main' && count === 1 ? t('text') : caption.join(' · ')}
    >
      {caption.length > 0 && <p class="caption">{caption.join(' · ')}</p>}
      <div
        ref={body}
        class="tokens"
        role="listbox"
        tabindex={0}
        aria-label={t('text')}
        aria-orientation="horizontal"
        title=""
        onClick={(event) => {
          const hit = tokenUnder(event);
          if (hit) select(Number(hit.dataset['i']));
        }}
        onPointerOver={(event) => {
          const hit = tokenUnder(event);
          if (hit && drawn) hit.title = drawn.say(Number(hit.dataset['i']));
        }}
        onKeyDown={(event) => {
          const { spans } = made.current;
          const to = target(event.key, tokenHere(), spans);
          if (to === undefined) return;
          event.preventDefault();
          select(Math.min(spans.length - 1, Math.max(0, to)));
        }}
        onFocus={() => {
          if (tokenHere() < 0) select(0);
        }}
      />
    </section>
  );
}

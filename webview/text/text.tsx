/** The texts, token by token, in their colours (drawn.ts). */
import { useComputed } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { tokensWithin } from '../../src/trace/model/ranges.js';
import type { Side } from '../../src/protocol/panel.js';
import { Button, classes } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Splitter } from '../components/splitter.js';
import { t } from '../look/strings.js';
import { drawnOf, firstWritten } from './drawn.js';
import { sideName } from '../store/sides.js';
import { buildTokens, dress, target } from './tokenSpans.js';

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

/** Within the pane alone: the page stays where one has scrolled it. */
function reveal(span: HTMLElement, pane: HTMLElement): void {
  const [at, room] = [span.getBoundingClientRect(), pane.getBoundingClientRect()];
  if (at.top < room.top) pane.scrollTop -= room.top - at.top;
  else if (at.bottom > room.bottom) pane.scrollTop += at.bottom - room.bottom;
}

function Text({ side: name, sequence: index }: { readonly side: Side; readonly sequence: number }) {
  const store = useStore();
  const side = store.side(name);
  const drawn = useComputed(() => drawnOf(store, name, index)).value;
  const at = store.placeIn[name].value;
  const selected = at.sequence === index ? at.token : -1;
  const past = at.end ?? selected + 1;
  const { experts } = store.view.filter.value;
  const isCompared = store.other.isThere.value;
  const body = useRef<HTMLDivElement>(null);
  const made = useRef<{ run: object; spans: HTMLElement[] }>({ run: {}, spans: [] });
  const current = useRef<readonly HTMLElement[]>([]);

  useLayoutEffect(() => {
    // A run that goes on has the same tokens, and shares its arrays with what is known of it so far.
    const run = drawn?.trace.blocks[0]?.chosen ?? drawn?.sequence;
    const { spans } = made.current;
    if (drawn && run === made.current.run && spans.length === drawn.sequence.tokens.count)
      spans.forEach((span, i) => dress(span, drawn.styles[i]!));
    else {
      if (!drawn) body.current!.replaceChildren();
      made.current = { run: run ?? {}, spans: drawn ? buildTokens(body.current!, drawn.sequence, drawn.styles) : [] };
      current.current = [];
    }
  }, [drawn]);

  useLayoutEffect(() => {
    for (const former of current.current) {
      former.classList.remove('selected');
      former.removeAttribute('aria-selected');
    }
    // All of a line's, and what is said is of the first.
    const chosen = selected < 0 ? [] : made.current.spans.slice(selected, past);
    for (const one of chosen) one.classList.add('selected');
    const [span] = chosen;
    current.current = chosen;
    if (!span || !drawn) {
      body.current!.removeAttribute('aria-activedescendant');
      return;
    }
    span.id = index === 0 ? `${name}-token-${selected}` : `${name}-${index}-token-${selected}`;
    span.setAttribute('aria-label', drawn.say(selected));
    span.setAttribute('aria-selected', 'true');
    body.current!.setAttribute('aria-activedescendant', span.id);
    reveal(span, body.current!.parentElement!);
    // A text beside this one makes it narrower.
  }, [selected, past, drawn, isCompared]);

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

  // What is not looked at is still there to read.
  const scope = name === 'main' ? store.scope.value : undefined;
  useLayoutEffect(() => {
    body.current!.classList.toggle('scoped', scope !== undefined);
    if (!scope) return;
    const inside = scope.sequence === index ? scope.ranges : [];
    const { spans } = made.current;
    const within = tokensWithin(inside, spans.length);
    spans.forEach((span, i) => span.classList.toggle('beyond', !within[i]));
  }, [scope, drawn]);
  useLayoutEffect(() => {
    const first = scope?.sequence === index && made.current.spans[scope.ranges[0]![0]];
    if (first) reveal(first, body.current!.parentElement!);
  }, [scope?.key]);

  const select = (token: number): void => {
    if (token >= 0 && token < made.current.spans.length) store.selectIn(name, { sequence: index, token });
  };
  // Keys may come faster than frames.
  const tokenHere = (): number => {
    const now = store.placeIn[name].peek();
    return now.sequence === index ? now.token : -1;
  };
  const endHere = (): number => store.placeIn[name].peek().end ?? tokenHere() + 1;
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
          if (!hit) return;
          const token = Number(hit.dataset['i']);
          if (event.shiftKey) store.extend(name, { sequence: index, token });
          else select(token);
        }}
        onPointerOver={(event) => {
          const hit = tokenUnder(event);
          if (hit && drawn) hit.title = drawn.say(Number(hit.dataset['i']));
        }}
        onKeyDown={(event) => {
          const { spans } = made.current;
          // With Shift the end moves, and the first token stays.
          const to = target(event.key, event.shiftKey ? endHere() - 1 : tokenHere(), spans);
          if (to === undefined) return;
          event.preventDefault();
          if (event.shiftKey) {
            const first = tokenHere();
            const token = Math.min(spans.length - 1, Math.max(first, to));
            if (first >= 0) store.extend(name, { sequence: index, token });
          } else select(Math.min(spans.length - 1, Math.max(0, to)));
        }}
        onFocus={() => {
          if (tokenHere() < 0) select(0);
        }}
      />
    </section>
  );
}

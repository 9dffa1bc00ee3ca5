/** The texts, token by token, in their colours (drawn.ts). */
import { useComputed } from '@preact/signals';
import { range } from 'd3-array';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Side, Written as Facts } from '../../src/protocol/panel.js';
import { firstWritten } from '../../src/trace/model/access.js';
import { shown as plainText, visible } from '../../src/trace/text/label.js';
import { useArrival } from '../components/arrival.js';
import { Button, classes, Tool } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Splitter } from '../components/splitter.js';
import { t } from '../look/strings.js';
import { drawnOf } from './drawn.js';
import { inability } from '../store/reasons.js';
import { sideName } from '../store/sides.js';
import { allLayers } from '../store/state.js';
import type { Store } from '../store/store.js';
import { fullTitle } from '../store/strategies.js';
import { expertNames, say } from '../store/whatIfWords.js';
import { useFilter, useScope, useSelected, useSpans, useWriting, useWritten } from './effects.js';
import { useTogether } from './together.js';
import { target } from './tokenSpans.js';

export function Texts() {
  const store = useStore();
  if (store.isTextFolded.value) return <Written />;
  return (
    <>
      <Columns />
      <Written />
      <Splitter field="textShare" label={t('splitText')} />
    </>
  );
}

function Columns() {
  const isCompared = useStore().other.isThere.value;
  const box = useRef<HTMLDivElement>(null);
  useTogether(box);
  return (
    <div ref={box} class="texts">
      <SideTexts side="main" />
      {isCompared && <SideTexts side="other" />}
    </div>
  );
}

/** What the model wrote, to copy, insert or, where the text is folded, to read. */
function Written() {
  const store = useStore();
  const { choices, given, written, isRunning } = store.main;
  const [sequence, at] = [choices.value?.sequences.at(-1), given.value];
  const text = at === undefined ? undefined : sequence?.text?.slice(at);
  const row = useRef<HTMLDivElement>(null);
  useArrival('written', text && !isRunning.value ? text : undefined, row);
  if (!sequence || at === undefined || !text) return null;
  const isOpen = store.view.generateOpen.value;
  if (store.writtenClosed.value === text && !isOpen && !isRunning.value) return null;
  const reason = isRunning.value ? t('busy') : undefined;
  return (
    <div ref={row} class="writtenBar" role="group" aria-label={t('generate')} tabindex={-1}>
      <span class="said">
        {writtenWords(
          store,
          written.value ?? { count: sequence.tokens.count - firstWritten(sequence, at), otherwise: {} },
        )}
      </span>
      <span class="acts">
        <Button press={() => store.send({ type: 'copy', text })} class="link" data-focus="written-copy">
          {t('writtenCopy')}
        </Button>
        <Button
          press={() => store.send({ type: 'insert' })}
          title={t('writtenInsertHint')}
          reason={reason}
          class="link"
          data-focus="written-insert"
        >
          {t('writtenInsert')}
        </Button>
        {inability(store, 'generate') === undefined && (
          <Button
            press={() => again(store, written.value?.asked)}
            title={t('writtenAgainHint')}
            reason={reason}
            class="link"
            data-focus="written-again"
          >
            {t('writtenAgain')}
          </Button>
        )}
        <Tool
          label={t('writtenClose')}
          icon="close"
          press={() => {
            store.writtenClosed.value = text;
            store.set({ generateOpen: false });
          }}
          reason={reason}
          data-focus="written-close"
        />
      </span>
      {store.isTextFolded.value && <WrittenText text={text} isWriting={isRunning.value} />}
    </div>
  );
}

/** Opens the form with as many tokens as were asked for, if that is known. */
function again(store: Store, asked: number | undefined): void {
  const form = store.view.generate.peek();
  store.set({ generateOpen: true, ...(asked !== undefined && { generate: { ...form, tokens: asked } }) });
}

/** How much was written, why no more, and how, where that is not how the run that is shown was routed. */
function writtenWords(store: Store, { count, asked = count, isFull, otherwise }: Facts): string {
  const { model, strategy, interventions } = otherwise;
  const name = expertNames(store);
  const whatIfs = interventions?.map((one) => say(one, store, name));
  const others = [model, strategy && fullTitle(store, strategy, name)].filter((part) => part !== undefined);
  const parts = [...others, ...(whatIfs?.length === 0 ? [t('noWhatIfs')] : (whatIfs ?? []))];
  const isOnlyWithout = others.length === 0 && whatIfs?.length === 0;
  const how = isOnlyWithout
    ? t('generatedWithout')
    : parts.length > 0
      ? t('generatedWith', parts.join(', '))
      : t('generated');
  return count >= asked ? t('written', count, how) : t(isFull ? 'writtenFull' : 'writtenEnded', count, asked, how);
}

/** Two lines have room; while more is written, the last ones. */
function WrittenText({ text, isWriting }: { readonly text: string; readonly isWriting: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    box.current!.scrollTop = isWriting ? box.current!.scrollHeight : 0;
  }, [text, isWriting]);
  // Empty lines at its beginning would be all that one sees.
  const words = plainText(text.replace(/^\s*\n/, '').trimEnd()) || visible(text);
  return (
    <div
      ref={box}
      class="writtenText"
      role="region"
      aria-label={t('writtenText')}
      tabindex={0}
      dir="auto"
      title={plainText(text)}
      data-focus="written-text"
    >
      {words}
    </div>
  );
}

function SideTexts({ side }: { readonly side: Side }) {
  const count = useStore().side(side).choices.value?.sequences.length ?? 1;
  return range(count).map((sequence) => <Text key={sequence} side={side} sequence={sequence} />);
}

function Text({ side: name, sequence: index }: { readonly side: Side; readonly sequence: number }) {
  const store = useStore();
  const side = store.side(name);
  const drawn = useComputed(() => drawnOf(store, name, index)).value;
  const at = store.placeIn[name].value;
  const selected = at.sequence === index ? at.token : -1;
  const past = at.end ?? selected + 1;
  const isCompared = store.other.isThere.value;
  const body = useRef<HTMLDivElement>(null);
  const spans = useSpans(body, drawn);
  const shown = { body, spans, drawn };
  useSelected(shown, { from: selected, to: past, id: index === 0 ? name : `${name}-${index}`, isCompared });
  useWriting(shown, name === 'main' && side.running.value?.what === 'generate');
  useWritten(shown, name === 'main' ? side.given.value : undefined, side.running.value?.what === 'generate');
  useFilter(shown, store.view.filter.value.experts);
  useScope(shown, name === 'main' ? store.scope.value : undefined, index);

  const select = (token: number): void => {
    if (token >= 0 && token < spans.current.length) store.selectIn(name, { sequence: index, token });
  };
  // Keys may come faster than frames.
  const tokenHere = (): number => {
    const now = store.placeIn[name].peek();
    return now.sequence === index ? now.token : -1;
  };
  const endHere = (): number => store.placeIn[name].peek().end ?? tokenHere() + 1;
  const tokenUnder = (event: Event): HTMLElement | null => (event.target as Element).closest<HTMLElement>('[data-i]');

  const count = side.choices.value?.sequences.length ?? 1;
  const parts = [
    // First, because there is not always room for everything.
    count > 1 && drawn && t(drawn.sequence.role),
    isCompared && `${t(name === 'main' ? 'compareThis' : 'compareOther')}: ${sideName(store, name)}`,
  ].filter((part) => typeof part === 'string');
  const caption = parts.join(' · ');
  return (
    <section
      class={classes('text', name === 'other' && 'other', index > 0 && 'next')}
      aria-label={caption || t('text')}
    >
      {caption && (
        <p class="caption" title={caption}>
          {caption}
        </p>
      )}
      <div
        ref={body}
        class="tokens"
        role="listbox"
        tabindex={0}
        aria-label={t('text')}
        aria-orientation="horizontal"
        title=""
        onMouseDown={(event) => {
          // Or the browser would select letters, too, from where it was last clicked.
          if (event.shiftKey) event.preventDefault();
        }}
        onClick={(event) => {
          const hit = tokenUnder(event);
          if (!hit) return;
          const token = Number(hit.dataset['i']);
          if (event.shiftKey) store.extend(name, { sequence: index, token });
          // The text has the colours of all layers; with the keys, one goes along a layer that is open.
          else store.selectIn(name, { sequence: index, token }, allLayers);
        }}
        onPointerOver={(event) => {
          const hit = tokenUnder(event);
          if (hit && drawn) hit.title = drawn.say(Number(hit.dataset['i']));
        }}
        onKeyDown={(event) => {
          // With Shift the end moves, and the first token stays.
          const to = target(event.key, event.shiftKey ? endHere() - 1 : tokenHere(), spans.current);
          if (to === undefined) return;
          event.preventDefault();
          if (event.shiftKey) {
            const first = tokenHere();
            const token = Math.min(spans.current.length - 1, Math.max(first, to));
            if (first >= 0) store.extend(name, { sequence: index, token });
          } else select(Math.min(spans.current.length - 1, Math.max(0, to)));
        }}
        onFocus={() => {
          if (tokenHere() < 0) select(0);
        }}
      />
    </section>
  );
}

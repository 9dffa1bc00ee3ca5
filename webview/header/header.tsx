/** What was routed and how, what can be done with it, and what is running. */
import { sum } from 'd3-array';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { isSameError, type ErrorData } from '../../src/errors/errors.js';
import type { SideState } from '../../src/protocol/panel.js';
import type { Intervention } from '../../src/trace/model/trace.js';
import { inability, reasonAgainst, traceReason } from '../store/reasons.js';
import { expectResult } from '../components/arrival.js';
import { Chip, Chips } from '../components/chips.js';
import { Button, classes, Field, Icon, NumberField, Tool } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Menu, underHeading, type Item } from '../components/menu.js';
import { RouteAgain } from '../components/routeAgain.js';
import { Toolbar } from '../components/toolbar.js';
import type { GridScene } from '../map/scene.js';
import { MapMenu } from '../map/toolbar.js';
import type { SideSignals } from '../store/side.js';
import { sideName } from '../store/sides.js';
import type { Lost, Store } from '../store/store.js';
import { chosenSince } from '../store/strategies.js';
import { isCompact, isShort } from '../look/room.js';
import { percent, t, type Word } from '../look/strings.js';
import { ScopeChip } from '../scope/menu.js';
import { Pace } from './pace.js';
import type { Saver } from './save.js';
import { StrategySwitch } from './strategy.js';
import { Warnings } from './warnings.js';
import { expertNames, say } from '../store/whatIfWords.js';

interface Props {
  readonly saver: Saver;
  readonly scene: GridScene;
}

/** The part that stays in view. */
export function Header(props: Props) {
  return (
    <header class="head">
      <Bar {...props} />
      <div class="nowRow">
        <WhatIfChips />
        <ComparedChip />
        <ScopeChip />
      </div>
      <Progress />
    </header>
  );
}

/** The part that comes and goes, and scrolls away with the page. */
export function News() {
  return (
    <div class="news">
      <Generate />
      <Notices />
    </div>
  );
}

function Bar({ saver, scene }: Props) {
  const store = useStore();
  const description = store.description.value;
  const title = store.main.title.value || t('page');
  const count = sum(store.main.choices.value?.sequences ?? [], ({ tokens }) => tokens.count);
  const since = chosenSince(store);
  const model = since?.ran ?? description?.name;
  return (
    <div class="headBar">
      <div class="title">
        <h1 title={title}>{title}</h1>
        {description && description.can.route !== true && description.name !== title && (
          <span class="tag">{description.name}</span>
        )}
        {count > 0 && <span class="faint">{t('tokens', count)}</span>}
        {description?.can.route === true && (
          <span
            class="faint pool"
            title={[model, ...(since ? [] : description.warnings.map(({ text }) => text))].join('\n')}
          >
            {model}
          </span>
        )}
      </div>
      <Toolbar class="actions" label={t('actions')}>
        <StrategySwitch />
        <MapMenu scene={scene} />
        <Actions saver={saver} />
      </Toolbar>
    </div>
  );
}

/** As buttons where there is room; otherwise in one menu. */
function Actions({ saver }: { readonly saver: Saver }) {
  const store = useStore();
  const compare = comparing(store);
  const generate = generating(store);
  const save = saving(store, saver);
  const more = others(store);
  const buttons = isCompact.value ? [] : [compare, generate];
  return (
    <>
      {buttons.map(({ name, label, press, reason, ...rest }) => (
        <Button key={name} press={press} reason={reason} {...rest} data-focus={name}>
          {label}
        </Button>
      ))}
      {isCompact.value ? (
        <Menu
          label={t('more')}
          face={<Icon name="more" />}
          items={[compare, generate, ...underHeading(t('save'), save), ...underHeading(t('more'), more)]}
          name="head-more"
        />
      ) : (
        <>
          <Menu label={t('save')} items={save} name="head-save" />
          <Pin />
          <Menu label={t('more')} face={<Icon name="more" />} items={more} name="head-more" />
        </>
      )}
    </>
  );
}

interface Act extends Item {
  readonly name: string;
  readonly title?: string;
  readonly 'aria-expanded'?: boolean;
}

function comparing(store: Store): Act {
  return store.other.isThere.value
    ? {
        name: 'head-compare',
        label: t('compareStop'),
        press: () => store.send({ type: 'closeCompare' }),
      }
    : {
        name: 'head-compare',
        label: t('compare'),
        title: t('compareHint'),
        reason: reasonAgainst(store, 'route'),
        press: () => store.open('compare'),
      };
}

function generating(store: Store): Act {
  return {
    name: 'head-generate',
    label: t('generate'),
    title: t('generateHint'),
    reason: reasonAgainst(store, 'generate'),
    'aria-expanded': store.view.generateOpen.value,
    press: () => store.set({ generateOpen: !store.view.generateOpen.peek() }),
  };
}

function saving(store: Store, saver: Saver): Item[] {
  const reason = traceReason(store);
  const items: [Word, () => void][] = [
    ['saveTrace', saver.trace],
    ['saveFigure', saver.figure],
    ['saveHtml', saver.html],
    ['saveTokens', saver.tokens],
    ['saveCells', saver.cells],
    ['copyMarkdown', saver.markdown],
  ];
  return items.map(([word, press]) => ({ label: t(word), press, reason }));
}

/** The same button in the title of VS Code's tab cannot say what the panel is pinned to. */
function Pin() {
  const store = useStore();
  const { isPinned, main } = store;
  if (isPinned.value === undefined || !main.isThere.value) return null;
  return (
    <Tool
      label={t('pin')}
      icon="pin"
      title={t(isPinned.value ? 'pinned' : 'pinHint', main.title.value)}
      press={() => store.send({ type: 'pin', is: !isPinned.peek() })}
      aria-pressed={isPinned.value}
      data-focus="head-pin"
    />
  );
}

function others(store: Store): Item[] {
  const isPinned = store.isPinned.value;
  return [
    ...(isPinned !== undefined && isCompact.value
      ? [
          {
            label: t('pin'),
            detail: t(isPinned ? 'pinned' : 'pinHint', store.main.title.value),
            isChecked: isPinned,
            press: () => store.send({ type: 'pin', is: !isPinned }),
            name: 'head-pin',
          },
        ]
      : []),
    {
      label: t('history'),
      press: () => store.send({ type: 'history' }),
      reason: inability(store, 'route'),
      name: 'head-history',
    },
    {
      label: t('takeTour'),
      press: () => {
        store.tour.value = true;
      },
      reason: store.main.choices.value ? undefined : t('needsTrace'),
      name: 'head-tour',
    },
  ];
}

function Generate() {
  const store = useStore();
  useFolded(store);
  if (!store.view.generateOpen.value || !store.main.isThere.value) return null;
  const form = store.view.generate.value;
  const set = (part: Partial<typeof form>): void => store.set({ generate: { ...store.view.generate.peek(), ...part } });
  const reason = reasonAgainst(store, 'generate');
  const sequences = store.main.choices.value?.sequences ?? [];
  // An output is always written from its beginning.
  const read = sequences.length > 1 ? 1 : (sequences[0]?.tokens.count ?? 0);
  const room = Math.max(1, (store.description.value?.limits.tokens ?? 2048) - read);
  return (
    <div class="generate" role="group" aria-labelledby="generate-title">
      <strong id="generate-title">{t('generate')}</strong>
      <Field label={t('generateTokens')}>
        <NumberField
          label={t('generateTokens')}
          value={form.tokens}
          range={{ min: 1, max: room, step: 1 }}
          change={(n) => set({ tokens: Math.round(n) })}
          data-focus="generate-n"
        />
      </Field>
      <Field label={t('generateTemperature')}>
        <NumberField
          label={t('generateTemperature')}
          value={form.temperature}
          range={{ min: 0, max: 5, step: 0.1 }}
          change={(temperature) => set({ temperature })}
          title={t('generateTemperatureHint')}
          data-focus="generate-t"
        />
      </Field>
      {/* Without chance, it would change nothing. */}
      {form.temperature > 0 && (
        <Field label={t('generateSeed')}>
          <NumberField
            label={t('generateSeed')}
            value={form.seed}
            range={{ min: 0, max: 2 ** 31 - 1, step: 1 }}
            change={(seed) => set({ seed: Math.round(seed) })}
            data-focus="generate-s"
          />
        </Field>
      )}
      <Button
        press={() => {
          const { tokens, temperature, seed } = store.view.generate.peek();
          expectResult(store, 'written');
          store.send({ type: 'generate', maxTokens: Math.min(tokens, room), temperature, seed });
        }}
        primary
        reason={reason}
        data-focus="generate-start"
      >
        {t('generateStart')}
      </Button>
      {reason !== undefined && <span class="faint">{reason}</span>}
      <Tool
        label={t('generateClose')}
        icon="close"
        press={() => store.set({ generateOpen: false })}
        class="away"
        data-focus="generate-close"
      />
    </div>
  );
}

/** Once it has written, the line of what it wrote has all that is still needed; and another result has its room. */
function useFolded(store: Store): void {
  const { running, error, given } = store.main;
  const isWriting = running.value?.what === 'generate';
  const was = useRef(false);
  useLayoutEffect(() => {
    if (was.current && !isWriting && !error.peek() && given.peek() !== undefined) store.set({ generateOpen: false });
    was.current = isWriting;
  }, [isWriting]);
  const isOther = running.value !== undefined && !isWriting;
  useLayoutEffect(() => {
    if (isOther) store.set({ generateOpen: false });
  }, [isOther]);
}

function WhatIfChips() {
  const { whatIfs } = useStore().main;
  return whatIfs.value.length > 0 ? <PresentWhatIfs list={whatIfs.value} /> : null;
}

function PresentWhatIfs({ list }: { readonly list: readonly Intervention[] }) {
  const store = useStore();
  const { interventions } = store.main;
  // Who takes the last one back by keyboard goes on in the tab, instead of at the page's beginning.
  useLayoutEffect(
    () => () => {
      const chips = document.querySelector('[data-focus=undo]')!.closest('.chips')!;
      if (chips.contains(document.activeElement)) document.getElementById('tab-body')?.focus({ preventScroll: true });
    },
    [],
  );
  const reason = reasonAgainst(store, 'whatIf');
  const name = expertNames(store);
  return (
    <Chips label={t('whatIfNow')}>
      {list.map((intervention, i) => {
        const words = say(intervention, store, name);
        return (
          <Chip
            key={i}
            words={words}
            label={t('removeThis', words)}
            press={() => store.route(list.filter((_, j) => j !== i))}
            reason={reason}
            data-focus={`chip-${i}`}
          />
        );
      })}
      <Button
        press={() => store.route(interventions.peek().slice(0, -1))}
        reason={reason}
        title={t('undoLast')}
        class="link"
        data-focus="undo"
      >
        <span>
          <Icon name="undo" />
          {t('undo')}
        </span>
      </Button>
      {list.length > 1 && (
        <Button press={() => store.route([])} reason={reason} class="link" data-focus="clear">
          {t('clearAll')}
        </Button>
      )}
    </Chips>
  );
}

/** What this run is compared with, and the way out, wherever the tabs are scrolled to. */
function ComparedChip() {
  const store = useStore();
  if (!store.other.isThere.value) return null;
  const name = sideName(store, 'other');
  return (
    <Chips label={t('comparedNow')}>
      <span class="whatIfChip named" title={name}>
        {name}
      </span>
      <Button
        press={() => store.send({ type: 'closeCompare' })}
        aria-label={t('compareStop')}
        title={t('compareStop')}
        class="link"
        data-focus="compared-end"
      >
        {t('comparedEnd')}
      </Button>
    </Chips>
  );
}

const inTokens: Readonly<Record<string, 'routing' | 'generating'>> = { route: 'routing', generate: 'generating' };
const inParts: Readonly<Record<string, 'attributing' | 'lensing'>> = { attribute: 'attributing', lens: 'lensing' };

/** What is being done, and how far it is. */
function progressOf(store: Store, side: SideSignals, running: NonNullable<SideState['running']>): string {
  const { what, done, total } = running;
  if (total === 0) return doingOf(store, side, what);
  const tokens = inTokens[what];
  return tokens ? t(tokens, done, total) : t(inParts[what] ?? 'asking', partOf(store, what, done, total));
}

/** What is being done. */
function doingOf(
  store: Store,
  { runningWhatIfs }: SideSignals,
  what: NonNullable<SideState['running']>['what'],
): string {
  // Before the first token of a text, the model may have to be loaded; what has routed it is there already.
  const { main, description } = store;
  const chosen = description.value?.name;
  const isLoaded = main.choices.value !== undefined && (main.model.value ?? chosen) === chosen;
  if (!isLoaded) return t('loadingModel');
  if (what === 'generate') return t('generatingNow');
  if (what !== 'route') return t(`${inParts[what] ?? 'asking'}Now`);
  const name = expertNames(store);
  const changes = runningWhatIfs.value.map((one) => say(one, store, name));
  return changes.length > 0 ? t('routingWith', changes.join(', ')) : t('routingNow');
}

/** Attribution runs the text once as it is, and once for each expert. */
function partOf(store: Store, what: string, done: number, total: number): string {
  const each = sum(store.main.choices.value?.sequences ?? [], ({ tokens }) => tokens.count);
  const runs = total / each - 1;
  return what === 'attribute' && Number.isInteger(runs)
    ? t('of', Math.max(0, Math.floor(done / each) - 1), runs)
    : percent(done / total);
}

function Progress() {
  const store = useStore();
  const side = store.side(store.main.isRunning.value ? 'main' : 'other');
  const running = side.running.value;
  const words = running ? progressOf(store, side, running) : '';
  const pace = useRef(new Pace());
  const left = pace.current.left(running, performance.now());
  return (
    <>
      <div class="progress" hidden={!running}>
        {running && (
          <>
            <span class="faint">{left === undefined ? words : `${words} · ${timeLeft(left)}`}</span>
            <progress aria-label={t('page')} value={running.done} max={Math.max(1, running.total)} />
            <Button press={() => store.send({ type: 'stop' })} data-focus="stop">
              <span>
                <Icon name="stop" />
                {t('stop')}
              </span>
            </Button>
          </>
        )}
      </div>
      {/* What runs, but not how far it is: a running count would drown out everything else. */}
      <div class="unseen" role="status">
        {running && doingOf(store, side, running.what)}
      </div>
    </>
  );
}

function timeLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? t('secondsLeft', seconds) : t('minutesLeft', Math.round(seconds / 60));
}

/** Something to know about what is on show. */
interface Notice {
  readonly look: 'error' | 'stale' | 'plain';
  /** Without it one would misread what is on show, so it is brought into view. */
  readonly isPressing?: true;
  readonly words: string;
  readonly remedy?: string | undefined;
  /** What can be done about it. */
  readonly action?: ComponentChildren;
}

/** Where there is no room for several, one line stands for them and opens to show them. */
function Notices() {
  const store = useStore();
  const all = [
    ...errorsOf(store),
    ...otherModel(store),
    ...lacking(store),
    ...stale(store),
    ...partial(store),
    ...lost(store),
  ];
  const warnings = store.description.value?.warnings.length ?? 0;
  const [first] = all;
  const pressing = all
    .filter(({ isPressing }) => isPressing)
    .map(({ words }) => words)
    .join('\n');
  useLayoutEffect(() => {
    if (pressing) document.querySelector('.news')!.scrollIntoView({ block: 'nearest' });
  }, [pressing]);
  if (!isShort.value || !first || all.length + Math.min(1, warnings) < 2)
    return (
      <>
        <List all={all} />
        <Warnings />
      </>
    );
  return (
    <details class="folded">
      <summary data-focus="notices">
        <span class="tag">{t('notices', all.length + Math.min(1, warnings))}</span>
        <span class="cut" role={roleOf(first)}>
          {first.words}
        </span>
        <Icon name="down" />
      </summary>
      <List all={all} />
      <Warnings />
    </details>
  );
}

const roleOf = ({ look }: Notice) => (look === 'error' ? 'alert' : 'status');

function List({ all }: { readonly all: readonly Notice[] }) {
  return (
    <div class="notices">
      {all.map((notice) => (
        <div key={notice.words} class={classes('notice', 'with', notice.look)} role={roleOf(notice)}>
          <span>
            {notice.look === 'error' ? <strong>{notice.words}</strong> : notice.words} {notice.remedy}
          </span>
          {notice.action}
        </div>
      ))}
    </div>
  );
}

function errorsOf(store: Store): Notice[] {
  const errors = [store.poolError.value, store.main.error.value, store.other.error.value].flatMap((error) =>
    error && error.code !== 'cancelled' ? [error] : [],
  );
  // The same failure may reach several places; it is shown once.
  const distinct = errors.filter((error, i) => errors.findIndex((one) => isSameError(one, error)) === i);
  return distinct.map((error) => ({
    look: 'error',
    isPressing: true,
    words: error.message,
    remedy: error.remedy,
    action: error === store.main.error.value && <Mend error={error} />,
  }));
}

/** Another model than the chosen one made what is on show, with other experts in other colours. */
function otherModel(store: Store): Notice[] {
  const models = chosenSince(store);
  if (!models) return [];
  const words = t('otherModel', models.ran, models.chosen);
  return [{ look: 'stale', isPressing: true, words, action: <RouteAgain focus="again-other" /> }];
}

/** What-ifs that the run before had, on another model. */
function lacking(store: Store): Notice[] {
  const { state, model } = store.main;
  return state.value?.lacksExperts && model.value !== undefined
    ? [{ look: 'plain', isPressing: true, words: t('whatIfsLeftOut', model.value) }]
    : [];
}

function stale(store: Store): Notice[] {
  const { isStale, fresh } = store.main;
  if (!isStale.value) return [];
  const remedy = fresh.value > 0 ? t('staleFresh', fresh.value) : undefined;
  return [{ look: 'stale', words: t('stale'), remedy, action: <RouteAgain focus="again" /> }];
}

/** A run that ended early. An engine on this machine goes on where it was; a server begins again. */
function partial(store: Store): Notice[] {
  const { main } = store;
  if (main.error.value?.code === 'cancelled' && !main.choices.value)
    return [{ look: 'plain', words: t('stoppedEarly'), action: <RouteAgain focus="partial-again" /> }];
  const unfinished = main.choices.value?.sequences.find(({ done, tokens }) => done < tokens.count);
  if (!unfinished || main.isRunning.value) return [];
  const words = t('partial', unfinished.done, unfinished.tokens.count);
  return [
    {
      look: 'plain',
      words,
      action: inability(store, 'route') === undefined && <RouteAgain focus="partial-again" words={t('routeRest')} />,
    },
  ];
}

/** What was here before the window was reloaded, and is not any more. */
function lost(store: Store): Notice[] {
  // Another model has been chosen since: what to do comes first.
  if (chosenSince(store)) return [];
  const { attribution, comparison } = store.lost.value;
  const { title, choices, isRunning } = store.main;
  // While the run itself comes back, there is nothing that could be done.
  if (!choices.value || isRunning.value) return [];
  const notice = (what: keyof Lost, words: Word, action: Word, press: () => void): Notice => ({
    look: 'plain',
    words: t(words),
    action: (
      <span class="acts">
        {inability(store, 'route') === undefined && (
          <Button
            press={press}
            reason={reasonAgainst(store, what === 'attribution' ? 'attribute' : 'route')}
            class="link"
            data-focus={`lost-${what}`}
          >
            {t(action)}
          </Button>
        )}
        <Tool
          label={t('lostClose')}
          icon="close"
          press={() => store.forgetLost(what)}
          data-focus={`lost-${what}-close`}
        />
      </span>
    ),
  });
  return [
    ...(attribution === title.value
      ? [
          notice('attribution', 'lostAttribution', 'attribute', () => {
            store.open('whatIf');
            store.send({ type: 'attribute' });
          }),
        ]
      : []),
    ...(comparison === title.value
      ? [
          notice('comparison', 'lostComparison', 'compare', () => {
            store.forgetLost('comparison');
            store.open('compare');
          }),
        ]
      : []),
  ];
}

/** Errors that may not happen the next time. */
const passing: readonly ErrorData['code'][] = [
  'engine-died',
  'server-unreachable',
  'server-failed',
  'server-busy',
  'io',
];

/** The button that helps, beside the error. */
function Mend({ error: { code } }: { readonly error: ErrorData }) {
  const store = useStore();
  const action = code === 'text-too-long' ? 'firstPart' : passing.includes(code) ? 'again' : undefined;
  return (
    action && (
      <Button
        press={() => store.send({ type: action })}
        reason={inability(store, 'route')}
        data-focus={`mend-${action}`}
      >
        {t(action === 'again' ? 'routeAgain' : 'routeFirstPart')}
      </Button>
    )
  );
}

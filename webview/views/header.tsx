/** What was routed and how; what can be done with it; what is going on. */
import type { Intervention, Strategy, StrategyName } from '../src/trace/trace.js';
import { attribute, button, h, icon, number, replace, select } from './dom.js';
import { menu } from './menu.js';
import { runReason, traceReason } from './reasons.js';
import type { Saver } from './save.js';
import { strategyOf } from './compare.js';
import type { Store } from './store.js';
import { strategyHint, strategyName, t } from './strings.js';
import { expertNames, say } from './whatIf.js';

export function mountHeader(root: HTMLElement, store: Store, saver: Saver): void {
  const bar = h('div', { class: 'headBar' });
  const generate = h('div', { class: 'generate', role: 'group', 'aria-label': t('generate') });
  const chips = h('div', { class: 'chips', role: 'group', 'aria-label': t('whatIfNow') });
  const progress = h('div', { class: 'progress' });
  const notices = h('div', { class: 'notices' });
  const said = h('div', { class: 'unseen', role: 'status' });
  root.append(bar, generate, chips, progress, notices, said);

  store.on(['pool', 'main', 'other', 'status', 'generateOpen'], () => {
    drawBar(bar, store, saver);
  });
  store.on(['pool', 'main', 'other', 'status', 'generateOpen', 'generate'], () => {
    drawGenerate(generate, store);
  });
  store.on(['main', 'pool', 'status'], () => {
    drawChips(chips, store);
  });
  store.on(['main', 'other', 'status', 'progress'], () => {
    drawProgress(progress, store, said);
  });
  store.on(['pool', 'main', 'other', 'status'], () => {
    drawNotices(notices, store);
  });
}

function drawBar(root: HTMLElement, store: Store, saver: Saver): void {
  const main = store.sides.main;
  const reason = runReason(store);
  const noTrace = traceReason(store);
  const count = store.main?.tokens.ids.length ?? 0;
  replace(
    root,
    h(
      'div',
      { class: 'title' },
      h('h1', { title: main?.title ?? t('page') }, main?.title ?? t('page')),
      store.replay && h('span', { class: 'tag' }, t('replay')),
      count > 0 && h('span', { class: 'faint' }, t('tokens', count)),
      store.pool && h('span', { class: 'faint pool', title: store.pool.warnings.join('\n') }, store.pool.name),
    ),
    h(
      'div',
      { class: 'actions' },
      main && strategySwitch(store, main.strategy, main.interventions, reason),
      store.sides.other
        ? button(t('compareStop'), {
            press: () => {
              store.send({ type: 'closeCompare' });
            },
            'data-focus': 'head-compare',
          })
        : button(t('compare'), {
            press: () => {
              store.set({ tab: 'compare' });
            },
            reason,
            title: t('compareHint'),
            'data-focus': 'head-compare',
          }),
      button(t('generate'), {
        press: () => {
          store.set({ generateOpen: !store.view.generateOpen });
        },
        reason,
        title: t('generateHint'),
        'aria-expanded': store.view.generateOpen,
        'data-focus': 'head-generate',
      }),
      menu(
        t('save'),
        [
          { label: t('saveTrace'), press: saver.trace, reason: noTrace },
          { label: t('saveCsv'), press: saver.csv, reason: noTrace },
          { label: t('saveSvg'), press: saver.svg, reason: noTrace },
          { label: t('savePng'), press: saver.png, reason: noTrace },
          { label: t('saveHtml'), press: saver.html, reason: noTrace },
          { label: t('copyMarkdown'), press: saver.markdown, reason: noTrace },
        ],
        'head-save',
      ),
    ),
  );
}

function strategySwitch(
  store: Store,
  now: Strategy,
  interventions: readonly Intervention[],
  reason: string | undefined,
): HTMLElement {
  const offered = store.pool?.strategies ?? [];
  // A saved trace may come from a pool that is not here: its own strategy is shown all the same.
  const names = offered.includes(now.name) ? offered : [now.name, ...offered];
  const experts = store.main?.experts ?? store.pool?.experts ?? [];
  const disabled = reason === undefined ? {} : { disabled: true, title: reason };
  return h(
    'span',
    { class: 'strategy' },
    select(
      t('strategy'),
      now.name,
      names.map((name): [string, string] => [name, strategyName(name)]),
      (value) => {
        store.route(interventions, strategyOf(value as StrategyName, store, now));
      },
      { 'data-focus': 'strategy', title: strategyHint(now.name), ...disabled },
    ),
    now.name === 'single' &&
      select(
        t('expertOf'),
        now.expert,
        experts.map(({ id, name }): [string, string] => [id, name]),
        (expert) => {
          store.route(interventions, { name: 'single', expert });
        },
        { 'data-focus': 'strategy-expert', ...disabled },
      ),
    'k' in now &&
      h(
        'label',
        { class: 'field' },
        h('span', { 'aria-hidden': 'true' }, 'k'),
        number(
          t('experts'),
          now.k,
          { min: 1, max: Math.max(1, experts.length), step: 1 },
          (k) => {
            store.route(interventions, { ...now, k: Math.round(k) });
          },
          { 'data-focus': 'strategy-k', class: 'k', ...disabled },
        ),
      ),
  );
}

function drawGenerate(root: HTMLElement, store: Store): void {
  root.hidden = !store.view.generateOpen || !store.sides.main;
  if (root.hidden) return;
  const { generate } = store.view;
  const set = (part: Partial<typeof generate>): void => {
    store.set({ generate: { ...store.view.generate, ...part } });
  };
  const reason = runReason(store);
  const room = Math.max(1, (store.pool?.contextLength ?? 2048) - (store.main?.tokens.ids.length ?? 0));
  const field = (label: string, input: HTMLElement) => h('label', { class: 'field' }, label, input);
  replace(
    root,
    field(
      t('generateTokens'),
      number(
        t('generateTokens'),
        generate.tokens,
        { min: 1, max: room, step: 1 },
        (n) => {
          set({ tokens: Math.round(n) });
        },
        { 'data-focus': 'generate-n' },
      ),
    ),
    field(
      t('generateTemperature'),
      number(
        t('generateTemperature'),
        generate.temperature,
        { min: 0, max: 5, step: 0.1 },
        (temperature) => {
          set({ temperature });
        },
        { 'data-focus': 'generate-t', title: t('generateTemperatureHint') },
      ),
    ),
    field(
      t('generateSeed'),
      number(
        t('generateSeed'),
        generate.seed,
        { min: 0, max: 2 ** 31 - 1, step: 1 },
        (seed) => {
          set({ seed: Math.round(seed) });
        },
        { 'data-focus': 'generate-s' },
      ),
    ),
    button(t('generateStart'), {
      press: () => {
        const { tokens, temperature, seed } = store.view.generate;
        store.send({ type: 'generate', maxTokens: Math.min(tokens, room), temperature, seed });
      },
      primary: true,
      reason,
      'data-focus': 'generate-start',
    }),
    reason !== undefined && h('span', { class: 'faint' }, reason),
  );
}

function drawChips(root: HTMLElement, store: Store): void {
  const main = store.sides.main;
  const list = main?.interventions ?? [];
  root.hidden = list.length === 0;
  if (root.hidden) return;
  const reason = runReason(store);
  const name = expertNames(store);
  replace(
    root,
    h('span', { class: 'faint' }, t('whatIfNow')),
    ...list.map((intervention, i) => {
      const words = say(intervention, store.main, name);
      return h(
        'span',
        { class: 'whatIfChip' },
        words,
        button(icon('close'), {
          press: () => {
            store.route(list.filter((_, j) => j !== i));
          },
          reason,
          class: 'tool',
          'aria-label': t('removeThis', words),
          'data-focus': `chip-${i}`,
        }),
      );
    }),
    button(h('span', {}, icon('undo'), t('undo')), {
      press: () => {
        store.route(list.slice(0, -1));
      },
      reason,
      class: 'link',
      title: reason ?? t('undoLast'),
      'data-focus': 'undo',
    }),
    list.length > 1 &&
      button(t('clearAll'), {
        press: () => {
          store.route([]);
        },
        reason,
        class: 'link',
        'data-focus': 'clear',
      }),
  );
}

function drawProgress(root: HTMLElement, store: Store, said: HTMLElement): void {
  const running = store.sides.main?.running ?? store.sides.other?.running;
  root.hidden = running === undefined;
  if (!running) {
    said.textContent = '';
    root.replaceChildren();
    return;
  }
  const words = t(
    ({ route: 'routing', generate: 'generating', attribute: 'attributing' } as const)[running.what],
    running.done,
    running.total,
  );
  // Begun anew or not, it is the same button: a press must not fall between two drawings.
  const [label, meter] = root.children.length > 0 ? [root.children[0]!, root.children[1]!] : begin(root, store);
  label.textContent = words;
  attribute(meter, 'value', running.done);
  attribute(meter, 'max', Math.max(1, running.total));
  // Said once at the start: a count that runs would drown everything else.
  if (said.textContent === '') said.textContent = words;
}

function begin(root: HTMLElement, store: Store): [Element, Element] {
  const label = h('span', { class: 'faint' });
  const meter = h('progress', { 'aria-label': t('page') });
  root.replaceChildren(
    label,
    meter,
    button(h('span', {}, icon('stop'), t('stop')), {
      press: () => {
        store.send({ type: 'stop' });
      },
      'data-focus': 'stop',
    }),
  );
  return [label, meter];
}

function drawNotices(root: HTMLElement, store: Store): void {
  const { main, other } = store.sides;
  const errors = [store.poolError, main?.error, other?.error].filter(
    (error) => error !== undefined && error.code !== 'cancelled',
  );
  // The same failure may have reached several places; it is told once.
  const distinct = errors.filter((error, i) => errors.findIndex((e) => e?.message === error?.message) === i);
  const partial =
    main?.trace && !main.running && main.trace.done < main.trace.tokens.ids.length ? main.trace : undefined;
  replace(
    root,
    ...distinct.map((error) =>
      h('div', { class: 'notice error', role: 'alert' }, h('strong', {}, error!.message), ' ', error!.remedy),
    ),
    main?.stale &&
      h(
        'div',
        { class: 'notice stale', role: 'status' },
        h('span', {}, t('stale')),
        button(t('routeAgain'), {
          press: () => {
            store.route(main.interventions);
          },
          reason: runReason(store),
          class: 'link',
          'data-focus': 'again',
        }),
      ),
    partial && h('div', { class: 'notice', role: 'status' }, t('partial', partial.done, partial.tokens.ids.length)),
  );
}

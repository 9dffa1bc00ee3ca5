/** The routing panel's page. The host owns every result and replays it at `ready`; the page owns where one looks. */
import './panel.css';
import { h, button, replace } from './dom.js';
import type { HostMessage } from '../src/shared/panelProtocol.js';
import { drawCompare, sideName } from './compare.js';
import { drawDetail } from './detail.js';
import { mountGrid } from './grid.js';
import { mountHeader } from './header.js';
import { mountLegend } from './legend.js';
import { drawPredictions } from './predictions.js';
import { saver } from './save.js';
import { splitter } from './split.js';
import { tabs, type Tab } from './state.js';
import { Store, type Host } from './store.js';
import { isWord, setWords, t } from './strings.js';
import { drawSummary } from './summary.js';
import { mountText } from './textView.js';
import { onThemeChange, readTheme, styleExperts } from './theme.js';
import { mountWarnings } from './warnings.js';
import { drawWhatIf } from './whatIf.js';

declare function acquireVsCodeApi(): Host;

// A translation comes in the page itself, for the first words are drawn before any message.
const words: unknown = JSON.parse(document.body.dataset['words'] ?? '{}');
if (typeof words === 'object' && words !== null)
  setWords(
    Object.fromEntries(Object.entries(words).filter(([key, value]) => isWord(key) && typeof value === 'string')),
  );

const store = new Store(acquireVsCodeApi());
let theme = readTheme();

const header = h('header', { class: 'head' });
const legend = h('div', { class: 'legend' });
const text = h('section', { class: 'text', 'aria-label': t('text') });
const otherText = h('section', { class: 'text other', hidden: true });
const texts = h('div', { class: 'texts' }, text, otherText);
const grid = h('section', { class: 'gridView', 'aria-label': t('grid') });
const side = h('section', { class: 'side', 'aria-label': t('tabs') });
const warnings = h('div', { class: 'notices' });
const first = h('div', { class: 'first' });
const left = h('div', { class: 'left' }, legend, texts, splitter(store, 'textShare', t('splitText')), grid);
const work = h('div', { class: 'work' }, left, splitter(store, 'sideShare', t('splitSide')), side);
(document.getElementById('app') ?? document.body).append(header, warnings, first, work);

mountHeader(
  header,
  store,
  saver(store, () => gridView),
);
mountWarnings(warnings, store);
mountLegend(legend, store);
const titles = { main: h('p', { class: 'caption', hidden: true }), other: h('p', { class: 'caption' }) };
text.append(titles.main);
otherText.append(titles.other);

store.on(['main', 'other', 'pool', 'status'], () => {
  const { main: run, other } = store.sides;
  const blank = !run?.trace;
  work.hidden = blank;
  first.hidden = !blank;
  if (blank) drawFirst();
  styleExperts(
    Math.max(run?.trace?.experts.length ?? 0, other?.trace?.experts.length ?? 0, store.pool?.experts.length ?? 0),
    theme,
  );
  otherText.hidden = !other;
  // Two texts want names; one is named by the header.
  titles.main.hidden = !other;
  titles.main.textContent = `${t('compareThis')}: ${sideName(store, 'main')}`;
  titles.other.textContent = `${t('compareOther')}: ${sideName(store, 'other')}`;
  otherText.setAttribute('aria-label', titles.other.textContent);
});

// After the above, so that a selected token is brought into sight where the texts then stand.
mountText(text, store, 'main');
mountText(otherText, store, 'other');
const gridView = mountGrid(grid, store, () => theme);
mountTabs();

function drawFirst(): void {
  const running = store.sides.main?.running;
  replace(
    first,
    h('h2', {}, t('empty')),
    h('p', {}, running ? t('emptyRunning') : !store.ready ? t('loading') : t('emptyHow')),
  );
}

function mountTabs(): void {
  const strip = h('div', { class: 'tabs', role: 'tablist', 'aria-label': t('tabs') });
  const body = h('div', { class: 'tabBody', role: 'tabpanel', id: 'tab-body', tabindex: 0 });
  side.append(strip, body);
  const draw: Record<Tab, (root: HTMLElement, store: Store) => void> = {
    cell: drawDetail,
    summary: drawSummary,
    predictions: drawPredictions,
    whatIf: drawWhatIf,
    compare: drawCompare,
  };
  store.on(
    [
      'tab',
      'main',
      'other',
      'affinities',
      'pool',
      'status',
      'selection',
      'tables',
      'whatIf',
      'attracted',
      'compareWith',
    ],
    (changes) => {
      const { tab } = store.view;
      if (changes.has('tab') || strip.childElementCount === 0) {
        replace(
          strip,
          ...tabs.map((name) =>
            button(t(`tab_${name}`), {
              press: () => {
                store.set({ tab: name });
              },
              role: 'tab',
              id: `tab-${name}`,
              'aria-selected': name === tab,
              'aria-controls': 'tab-body',
              tabindex: name === tab ? 0 : -1,
              class: 'tab',
              'data-focus': `tab-${name}`,
            }),
          ),
        );
        body.setAttribute('aria-labelledby', `tab-${tab}`);
        body.scrollTop = 0;
      }
      if (store.main) draw[tab](body, store);
    },
  );
  strip.addEventListener('keydown', (event) => {
    const at = tabs.indexOf(store.view.tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const name = tabs[to % tabs.length]!;
    store.set({ tab: name });
    strip.querySelector<HTMLElement>(`#tab-${name}`)?.focus();
  });
}

onThemeChange(() => {
  theme = readTheme();
  styleExperts(
    Math.max(store.main?.experts.length ?? 0, store.other?.experts.length ?? 0, store.pool?.experts.length ?? 0),
    theme,
  );
  store.touch('theme');
});
window.addEventListener('message', ({ data }: MessageEvent<HostMessage | undefined>) => {
  if (typeof data?.type === 'string') store.receive(data);
});
window.addEventListener('pagehide', () => {
  store.save();
});
window.addEventListener('error', ({ message }) => {
  store.send({ type: 'log', level: 'error', text: message });
});
window.addEventListener('unhandledrejection', ({ reason }) => {
  store.send({ type: 'log', level: 'error', text: String(reason) });
});

store.touch('pool', 'main', 'tab');
store.send({ type: 'ready' });

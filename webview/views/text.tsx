/** The text, token by token, over the leading expert's band. Blocks of lines are laid out only when they come into view. */
import { isSpecial, tokenCount } from '../src/trace/access.js';
import type { Side } from '../src/shared/panelProtocol.js';
import type { Trace } from '../src/trace/trace.js';
import { h } from './dom.js';
import { leaders } from './raster.js';
import type { Store } from './store.js';
import { percent, t } from './strings.js';
import { covered } from '../src/trace/label.js';
import { blank, spoken } from './tokens.js';

const blockTokens = 120;

export function mountText(root: HTMLElement, store: Store, side: Side): void {
  const body = h('div', {
    class: 'tokens',
    role: 'listbox',
    tabindex: 0,
    'aria-label': t('text'),
    'aria-orientation': 'horizontal',
    title: '',
  });
  root.append(body);
  let spans: HTMLElement[] = [];
  let drawn: Trace | undefined;
  let current: HTMLElement | undefined;

  const trace = () => store.sides[side]?.trace;

  const selected = (): number => store.tokenOf(side);

  const select = (token: number): void => {
    if (token >= 0 && token < spans.length) store.selectIn(side, token);
  };

  const say = (own: Trace, token: number): string => {
    const { expert, share } = leaders(own);
    const text = spoken(own, token);
    if (token >= own.done) return t('tokenPending', text, token + 1);
    const e = expert[token]!;
    return e < 0
      ? t('tokenPlain', text, token + 1)
      : t('tokenSpoken', text, token + 1, own.experts[e]!.name, percent(share[token]!));
  };

  body.addEventListener('click', (event) => {
    const hit = (event.target as Element).closest<HTMLElement>('[data-i]');
    if (hit) select(Number(hit.dataset['i']));
  });
  body.addEventListener('pointerover', (event) => {
    const hit = (event.target as Element).closest<HTMLElement>('[data-i]');
    const own = trace();
    if (hit && own) hit.title = say(own, Number(hit.dataset['i']));
  });
  body.addEventListener('keydown', (event) => {
    const at = selected();
    const to = target(event.key, at, spans);
    if (to === undefined) return;
    event.preventDefault();
    select(Math.min(spans.length - 1, Math.max(0, to)));
  });
  body.addEventListener('focus', () => {
    if (selected() < 0) select(0);
  });

  const mark = (): void => {
    const own = trace();
    const at = selected();
    current?.classList.remove('selected');
    current?.removeAttribute('aria-selected');
    current = spans[at];
    if (!current || !own) {
      body.removeAttribute('aria-activedescendant');
      return;
    }
    current.id = `${side}-token-${at}`;
    current.setAttribute('aria-label', say(own, at));
    current.setAttribute('aria-selected', 'true');
    current.classList.add('selected');
    body.setAttribute('aria-activedescendant', current.id);
    current.scrollIntoView({ block: 'nearest' });
  };

  const fade = (): void => {
    const own = trace();
    if (!own) return;
    const { experts } = store.view.filter;
    const { expert } = leaders(own);
    body.classList.toggle('filtered', experts.length > 0);
    if (experts.length > 0)
      spans.forEach((span, i) => span.classList.toggle('kept', experts.includes(own.experts[expert[i]!]?.id ?? '')));
  };

  store.on(['main', 'other', 'selection', 'filter'], (changes) => {
    const own = trace();
    if (own !== drawn) {
      // A run that goes on has the same tokens, and shares its arrays with what is known of it so far.
      if (own && own.chosen === drawn?.chosen && tokenCount(own) === spans.length) restyle(spans, own);
      else {
        spans = own ? build(body, own) : [];
        current = undefined;
      }
      if (!own) body.replaceChildren();
      drawn = own;
      mark();
      fade();
      return;
    }
    // A text beside this one makes it narrower.
    if (changes.has('selection') || changes.has(side === 'main' ? 'other' : 'main')) mark();
    if (changes.has('filter')) fade();
  });
}

/** Where a key leads; up and down go to the nearest token of the line above or below. */
function target(key: string, at: number, spans: readonly HTMLElement[]): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return at + 1;
    case 'ArrowLeft':
      return at - 1;
    case 'Home':
      return 0;
    case 'End':
      return spans.length - 1;
    case 'ArrowDown':
      return lineFrom(at, 1, spans);
    case 'ArrowUp':
      return lineFrom(at, -1, spans);
    default:
      return undefined;
  }
}

function lineFrom(at: number, step: 1 | -1, spans: readonly HTMLElement[]): number {
  const from = spans[at]?.getBoundingClientRect();
  if (!from) return 0;
  let best = at;
  let bestGap = Infinity;
  let line: number | undefined;
  for (let i = at + step; i >= 0 && i < spans.length; i += step) {
    const box = spans[i]!.getBoundingClientRect();
    if (Math.abs(box.top - from.top) < 4) continue;
    line ??= box.top;
    if (Math.abs(box.top - line) > 4) break;
    const gap = Math.abs(box.left - from.left);
    if (gap < bestGap) [best, bestGap] = [i, gap];
  }
  return best;
}

function build(body: HTMLElement, trace: Trace): HTMLElement[] {
  const made: HTMLElement[] = [];
  const styles = stylesOf(trace);
  const blocks: HTMLElement[] = [];
  let block: HTMLElement | undefined;
  for (let i = 0; i < tokenCount(trace); i++) {
    if (
      !block ||
      (made.length - Number(block.dataset['from']) >= blockTokens && made.at(-1)?.classList.contains('break'))
    ) {
      block = h('div', { class: 'block', role: 'presentation', 'data-from': made.length });
      blocks.push(block);
    }
    const span = tokenSpan(trace, i);
    span.className = styles[i]!;
    block.append(span);
    made.push(span);
  }
  body.replaceChildren(...blocks);
  return made;
}

function restyle(spans: readonly HTMLElement[], trace: Trace): void {
  stylesOf(trace).forEach((style, i) => {
    if (spans[i]!.className !== style) spans[i]!.className = style;
  });
}

/** Strength is relative to the most decided token but one in twenty: a single outlier must not pale all others. */
function strongest(share: Float32Array): number {
  const sorted = share.filter((x) => x > 0).sort();
  return sorted[Math.floor((sorted.length - 1) * 0.95)] ?? 1;
}

/** [T] classes of each token: its leading expert, how strongly, and what it is. */
function stylesOf(trace: Trace): string[] {
  const { expert, share } = leaders(trace);
  const most = strongest(share);
  return Array.from({ length: tokenCount(trace) }, (_, i) => {
    const e = expert[i]!;
    const classes = ['t'];
    if (e >= 0) classes.push(`x${e}`, `s${Math.min(4, Math.floor((share[i]! / most) * 5))}`);
    else classes.push(i >= trace.done ? 'pending' : 'plain');
    if (e >= 0 && e !== expert[i - 1]) classes.push('lead');
    const text = textOf(trace, i);
    if (isSpecial(trace, i)) classes.push('special');
    if (text.endsWith('\n')) classes.push('break');
    if (isBlank(trace, i)) classes.push('blank');
    return classes.join(' ');
  });
}

const textOf = (trace: Trace, i: number) => (isSpecial(trace, i) ? trace.tokens.text[i]! : covered(trace, i));
const isBlank = (trace: Trace, i: number) => !isSpecial(trace, i) && /^\s+$/.test(textOf(trace, i));

function tokenSpan(trace: Trace, i: number): HTMLElement {
  const span = document.createElement('span');
  const text = textOf(trace, i);
  span.dataset['i'] = String(i);
  span.setAttribute('role', 'option');
  if (isSpecial(trace, i) || !/[ \t\r\n]/.test(text)) span.textContent = text || '▯';
  else whitespace(span, text);
  if (isBlank(trace, i)) span.setAttribute('aria-label', blank(text));
  return span;
}

/** The characters stay what they are, to be copied; marks are drawn by the style sheet over or beside them. */
function whitespace(span: HTMLElement, text: string): void {
  for (const part of text.match(/ |\t|\r?\n|[^ \t\r\n]+|\r/g) ?? []) {
    const mark = part === ' ' ? 'w' : part === '\t' ? 'tb' : part.endsWith('\n') ? 'nl' : undefined;
    if (mark === undefined) span.append(part);
    else if (mark === 'nl') span.append(Object.assign(document.createElement('i'), { className: mark }), '\n');
    else span.append(Object.assign(document.createElement('i'), { className: mark, textContent: part }));
  }
}

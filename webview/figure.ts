/** A chart with its title and its twin: a table that a screen reader always finds and anyone can ask for. */
import { button, h, icon } from './dom.js';
import type { Store } from './store.js';
import { t } from './strings.js';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | Node)[])[];
}

export interface FigureProps {
  /** Also the name by which its being shown as a table is kept. */
  readonly name: string;
  readonly title: string;
  readonly caption?: string;
  readonly chart: () => Element;
  readonly table: () => Table;
  /** What belongs beside the title: a choice of expert, say. */
  readonly control?: Node;
}

export function table({ head, rows }: Table, caption: string, unseen = false): HTMLElement {
  return h(
    'div',
    {
      class: unseen ? 'unseen' : 'tableBox',
      ...(unseen ? {} : { tabindex: 0, role: 'region', 'aria-label': caption }),
    },
    h(
      'table',
      {},
      h('caption', { class: 'unseen' }, caption),
      h('thead', {}, h('tr', {}, ...head.map((text) => h('th', { scope: 'col' }, text)))),
      h(
        'tbody',
        {},
        ...rows.map((row) =>
          h('tr', {}, ...row.map((cell, i) => (i === 0 ? h('th', { scope: 'row' }, cell) : h('td', {}, cell)))),
        ),
      ),
    ),
  );
}

export function figure(store: Store, { name, title, caption, chart, table: twin, control }: FigureProps): HTMLElement {
  const { tables } = store.view;
  const asTable = tables.includes(name);
  return h(
    'section',
    { class: 'figure', 'data-figure': name },
    h(
      'header',
      {},
      h('h3', {}, title),
      control,
      button(icon('table'), {
        press: () => {
          store.set({ tables: asTable ? tables.filter((other) => other !== name) : [...tables, name] });
        },
        class: 'tool',
        'aria-pressed': asTable,
        'aria-label': `${t('asTable')}: ${title}`,
        title: t(asTable ? 'asChart' : 'asTable'),
        'data-focus': `table-${name}`,
      }),
    ),
    caption !== undefined && h('p', { class: 'caption' }, caption),
    // The drawing is for the eye; the table says the same.
    !asTable && h('div', { class: 'chart', 'aria-hidden': 'true' }, chart()),
    table(twin(), title, !asTable),
  );
}

/** Part of a long table, with buttons to go on. */
export function paged(count: number, from: number, size: number, go: (from: number) => void): HTMLElement | undefined {
  if (count <= size) return undefined;
  const last = Math.min(count, from + size);
  return h(
    'div',
    { class: 'pager' },
    button(t('previous'), {
      press: () => {
        if (from > 0) go(Math.max(0, from - size));
      },
      'data-focus': 'page-back',
      'aria-disabled': from === 0,
    }),
    h('span', {}, t('attributeLimit', from + 1, last, count)),
    button(t('next'), {
      press: () => {
        if (last < count) go(from + size);
      },
      'data-focus': 'page-on',
      'aria-disabled': last >= count,
    }),
  );
}

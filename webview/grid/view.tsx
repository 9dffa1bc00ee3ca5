/** The grid of tokens × modules: a canvas that stays put in a scroller, and one real element for the cell that has the focus. */
import { chosenAt, layersOf, tokenCount, weightsAt } from '../src/trace/access.js';
import type { Side } from '../src/shared/panelProtocol.js';
import type { Trace } from '../src/trace/trace.js';
import { mountFilter } from './filterBar.js';
import { button, h, icon, replace, type Icon } from './dom.js';
import { gridTable } from './gridTable.js';
import { labelFrom, makePaper, paint, paintOver, xOf, yOf, type Frame, type Paper } from './gridPaint.js';
import { badge } from './legend.js';
import { differenceRaster, hidden, nothing, partners, rasterOf, rowsOf, type Raster, type Row } from './raster.js';
import { gridSources, initial, type Zoom } from './state.js';
import type { Store } from './store.js';
import { fixed, kindName, percent, t, type Word } from './strings.js';
import type { Theme } from './theme.js';
import { tokenLabel } from '../src/trace/label.js';
import { spoken } from './tokens.js';

const gutterLeft = 62;
const smallest = 0.05;
const largest = { width: 30, height: 22 };

interface Place {
  readonly token: number;
  readonly row: number;
}

/** What others need of the grid: what is seen, for pictures. */
export interface Grid {
  frame(): Frame | undefined;
  paper(): Paper | undefined;
}

export function mountGrid(root: HTMLElement, store: Store, theme: () => Theme): Grid {
  const toolbar = h('div', { class: 'toolbar', role: 'toolbar', 'aria-label': t('grid') });
  const filters = h('div', { class: 'filters' });
  const caption = h('p', { class: 'caption', id: 'grid-caption' });
  const base = h('canvas', { class: 'base', 'aria-hidden': 'true' });
  const over = h('canvas', { class: 'over', 'aria-hidden': 'true' });
  const focus = h('div', { class: 'cell', role: 'gridcell', tabindex: 0 });
  const row = h('div', { role: 'row' }, focus);
  const cells = h(
    'div',
    { class: 'cells', role: 'grid', 'aria-label': t('gridRole'), 'aria-describedby': 'grid-keys' },
    row,
  );
  const spacer = h('div', { class: 'spacer' });
  const stage = h('div', { class: 'stage' }, base, over, cells);
  const scroller = h('div', { class: 'scroller', tabindex: -1 }, stage, spacer);
  const tip = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });
  const live = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
  const empty = h('p', { class: 'empty', hidden: true });
  const plot = h('div', { class: 'plot' }, scroller, tip, empty);
  const table = h('div', { class: 'gridTable' });
  root.append(
    toolbar,
    filters,
    caption,
    h('p', { class: 'unseen', id: 'grid-keys' }, t('gridKeys')),
    plot,
    table,
    live,
  );
  mountFilter(filters, store);

  const ground = base.getContext('2d', { alpha: false })!;
  const above = over.getContext('2d')!;
  let raster: Raster | undefined;
  let paper: Paper | undefined;
  let labels: string[] = [];
  let size = { width: 0, height: 0 };
  let pointer: Place | undefined;
  let frameAsked = 0;
  let dragged = false;

  /** The run that the columns are of: the other one only when the grid shows it. */
  const shown = (): Trace | undefined => (store.gridSource === 'other' ? store.other : store.main);
  const difference = (): boolean => store.gridSource === 'difference' && store.other !== undefined;

  // ---- geometry

  const comfortable = (): { width: number; height: number } => {
    const rows = Math.max(1, raster?.rows.length ?? 1);
    const tokens = Math.max(1, raster?.tokens ?? 1);
    const inner = { width: size.width - gutterLeft - 2, height: size.height - 24 };
    return {
      width: Math.min(22, Math.max(2.5, inner.width / tokens)),
      height: Math.min(20, Math.max(4, inner.height / rows)),
    };
  };
  const cellSize = (): { width: number; height: number } => store.view.zoom ?? comfortable();
  const gutterTop = (): number => (cellSize().width >= labelFrom ? 58 : 18);

  const frame = (): Frame | undefined => {
    if (!raster || size.width === 0 || size.height === 0) return undefined;
    return {
      ...size,
      ratio: devicePixelRatio,
      gutter: { left: gutterLeft, top: gutterTop() },
      cell: cellSize(),
      scroll: { x: scroller.scrollLeft, y: scroller.scrollTop },
      labels,
    };
  };

  const layOut = (): void => {
    if (!raster) return;
    const cell = cellSize();
    spacer.style.width = `${gutterLeft + raster.tokens * cell.width}px`;
    spacer.style.height = `${Math.max(0, gutterTop() + raster.rows.length * cell.height)}px`;
    const ratio = devicePixelRatio;
    for (const canvas of [base, over]) {
      const [w, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
      if (canvas.width !== w || canvas.height !== height) [canvas.width, canvas.height] = [w, height];
      canvas.style.width = `${size.width}px`;
      canvas.style.height = `${size.height}px`;
    }
  };

  // ---- drawing

  const ask = (): void => {
    frameAsked ||= requestAnimationFrame(() => {
      frameAsked = 0;
      draw();
    });
  };

  const draw = (): void => {
    const f = frame();
    if (!f || !paper || !raster) return;
    paint(ground, paper, f);
    drawOver();
  };

  const drawOver = (): void => {
    const f = frame();
    if (!f || !raster) return;
    const at = place();
    paintOver(above, theme(), f, raster, at, pointer);
    const cell = at.token >= 0 && at.row >= 0 ? at : { token: 0, row: 0 };
    focus.style.transform = `translate(${xOf(f, cell.token)}px, ${yOf(f, cell.row)}px)`;
    focus.style.width = `${Math.max(3, f.cell.width)}px`;
    focus.style.height = `${Math.max(3, f.cell.height)}px`;
    showTip(f);
  };

  const own = (): Side => (store.gridSource === 'other' ? 'other' : 'main');

  const place = (): Place =>
    raster && shown()
      ? { token: store.tokenOf(own()), row: rowAt(raster.rows, store.view.selection.layer, store.moduleOf(own())) }
      : { token: -1, row: -1 };

  const hit = (event: MouseEvent): Place | 'gutter' | undefined => {
    const f = frame();
    if (!f || !raster) return undefined;
    const box = scroller.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    if (x >= scroller.clientWidth || y >= scroller.clientHeight || y < f.gutter.top) return undefined;
    const r = Math.floor((y - f.gutter.top + f.scroll.y) / f.cell.height);
    if (r >= raster.rows.length) return undefined;
    if (x < f.gutter.left) return 'gutter';
    const token = Math.floor((x - f.gutter.left + f.scroll.x) / f.cell.width);
    return token < raster.tokens ? { token, row: r } : undefined;
  };

  const rowUnder = (event: MouseEvent): Row | undefined => {
    const f = frame();
    if (!f || !raster) return undefined;
    return raster.rows[
      Math.floor((event.clientY - scroller.getBoundingClientRect().top - f.gutter.top + f.scroll.y) / f.cell.height)
    ];
  };

  const showTip = (f: Frame): void => {
    const trace = shown();
    tip.hidden = !pointer || !raster || !trace || dragged;
    if (tip.hidden || !pointer || !raster || !trace) return;
    tip.replaceChildren(...describeCell(trace, raster, pointer, difference()));
    const x = xOf(f, pointer.token + 1) + 8;
    const y = yOf(f, pointer.row + 1) + 6;
    // Beside the cell, on the side that has room.
    const wide = tip.offsetWidth;
    const high = tip.offsetHeight;
    const left = x + wide > size.width ? Math.max(0, xOf(f, pointer.token) - wide - 8) : x;
    const up = y + high > size.height ? Math.max(0, yOf(f, pointer.row) - high - 6) : y;
    tip.style.transform = `translate(${left}px, ${up}px)`;
  };

  const rebuild = (): void => {
    const trace = shown();
    raster = undefined;
    paper = undefined;
    plot.hidden = !trace;
    if (!trace) return;
    const rows = rowsOf(trace, store.view.filter, store.view.expanded);
    const before = store.gridSource === 'main' ? store.sides.main?.before : undefined;
    raster =
      difference() && store.main && store.other
        ? differenceRaster(store.main, store.other, rows, partners(store.main, store.other).of)
        : rasterOf(trace, rows, store.view.filter, before);
    if (labels.length !== tokenCount(trace) || labelled !== trace) {
      labelled = trace;
      labels = Array.from({ length: tokenCount(trace) }, (_, i) => tokenLabel(trace, i));
    }
    empty.hidden = rows.length > 0;
    empty.textContent = rows.length > 0 ? '' : t('nothingLeft');
    cells.setAttribute('aria-rowcount', String(rows.length));
    cells.setAttribute('aria-colcount', String(tokenCount(trace)));
    ink();
  };
  let labelled: Trace | undefined;

  const ink = (): void => {
    const trace = shown();
    if (!raster || !trace) return;
    paper = makePaper(raster, theme(), {
      experts: trace.experts.length,
      difference: difference(),
      fade: store.view.fadeUnchanged && raster.changed !== undefined,
    });
  };

  // ---- moving

  const zoomTo = (width: number, height: number, anchor?: { x: number; y: number }): void => {
    const f = frame();
    if (!f || !raster) return;
    const at = anchor ?? {
      x: f.gutter.left + (size.width - f.gutter.left) / 2,
      y: f.gutter.top + (size.height - f.gutter.top) / 2,
    };
    const token = (at.x - f.gutter.left + f.scroll.x) / f.cell.width;
    const r = (at.y - f.gutter.top + f.scroll.y) / f.cell.height;
    const clamp = (n: number, most: number) => Math.min(most, Math.max(smallest, n));
    const zoom: Zoom = {
      width: clamp(width, largest.width),
      height: clamp(height, largest.height),
      token: f.scroll.x / f.cell.width,
      row: f.scroll.y / f.cell.height,
    };
    store.set({ zoom });
    layOut();
    scroller.scrollTo(token * zoom.width - (at.x - f.gutter.left), r * zoom.height - (at.y - gutterTop()));
    ask();
  };

  const zoomBy = (factor: number, anchor?: { x: number; y: number }): void => {
    const { width, height } = cellSize();
    zoomTo(width * factor, height * factor, anchor);
  };

  const fit = (): void => {
    if (!raster) return;
    // The labels above take more room than the numbers do, so it is asked for the smaller cells first.
    const width = Math.min(22, (scroller.clientWidth - gutterLeft - 2) / raster.tokens);
    const top = width >= labelFrom ? 58 : 18;
    const height = Math.min(20, (scroller.clientHeight - top - 2) / Math.max(1, raster.rows.length));
    store.set({ zoom: { width, height, token: 0, row: 0 } });
    layOut();
    scroller.scrollTo(0, 0);
    ask();
  };

  const reveal = (): void => {
    const f = frame();
    const at = place();
    if (!f) return;
    const inner = { width: scroller.clientWidth - f.gutter.left, height: scroller.clientHeight - f.gutter.top };
    let { x, y } = f.scroll;
    if (at.token >= 0) {
      const left = at.token * f.cell.width;
      if (left < x) x = left;
      else if (left + f.cell.width > x + inner.width) x = left + f.cell.width - inner.width;
    }
    if (at.row >= 0) {
      const up = at.row * f.cell.height;
      if (up < y) y = up;
      else if (up + f.cell.height > y + inner.height) y = up + f.cell.height - inner.height;
    }
    if (x !== f.scroll.x || y !== f.scroll.y) scroller.scrollTo(x, y);
  };

  const choose = (to: Place): void => {
    const trace = shown();
    if (!raster || !trace) return;
    const token = Math.min(raster.tokens - 1, Math.max(0, to.token));
    const target = raster.rows[Math.min(raster.rows.length - 1, Math.max(0, to.row))];
    if (!target) return;
    store.selectIn(own(), token, target);
  };

  const toggleLayer = (layer: number): void => {
    const trace = shown();
    if (!trace) return;
    const open = store.view.expanded === 'all' ? layersOf(trace) : store.view.expanded;
    const next = open.includes(layer) ? open.filter((l) => l !== layer) : [...open, layer];
    store.set({ expanded: next.length === layersOf(trace).length ? 'all' : next });
    // The selected module may have become part of its layer's row, or the row its modules.
    const { selection } = store.view;
    if (selection.layer === layer && open.includes(layer)) store.select({ module: -1 });
  };

  const announce = (): void => {
    const trace = shown();
    const at = place();
    if (!trace || !raster) return;
    const words = at.token >= 0 && at.row >= 0 ? describe(trace, raster, at, difference()) : t('gridRole');
    focus.setAttribute('aria-label', words);
    focus.setAttribute('aria-colindex', String(Math.max(0, at.token) + 1));
    row.setAttribute('aria-rowindex', String(Math.max(0, at.row) + 1));
    // Only what one moves to by hand is said aloud.
    if (document.activeElement === focus) live.textContent = words;
  };

  // ---- input

  const keys: Readonly<Record<string, (at: Place, page: number, all: boolean) => Place | (() => void)>> = {
    ArrowLeft: (at) => ({ ...at, token: at.token - 1 }),
    ArrowRight: (at) => ({ ...at, token: at.token + 1 }),
    ArrowUp: (at) => ({ ...at, row: at.row - 1 }),
    ArrowDown: (at) => ({ ...at, row: at.row + 1 }),
    PageUp: (at, page) => ({ ...at, row: at.row - page }),
    PageDown: (at, page) => ({ ...at, row: at.row + page }),
    Home: (at, _, all) => ({ token: 0, row: all ? 0 : at.row }),
    End: (at, _, all) => ({ token: raster!.tokens - 1, row: all ? raster!.rows.length - 1 : at.row }),
    Enter: (at) => () => {
      toggleLayer(raster!.rows[at.row]!.layer);
    },
    ' ': (at) => () => {
      toggleLayer(raster!.rows[at.row]!.layer);
    },
    '+': () => () => {
      zoomBy(1.4);
    },
    '=': () => () => {
      zoomBy(1.4);
    },
    '-': () => () => {
      zoomBy(1 / 1.4);
    },
    '0': () => fit,
    Escape: () => () => {
      store.select({ layer: -1, module: -1 });
    },
  };

  focus.addEventListener('keydown', (event) => {
    const action = keys[event.key];
    if (!action || !raster || raster.rows.length === 0 || event.altKey) return;
    event.preventDefault();
    const at = place();
    const page = Math.max(1, Math.floor((size.height - gutterTop()) / cellSize().height) - 1);
    const result = action(
      { token: Math.max(0, at.token), row: Math.max(0, at.row) },
      page,
      event.ctrlKey || event.metaKey,
    );
    if (typeof result === 'function') result();
    // The first arrow only enters the grid.
    else choose(at.row < 0 || at.token < 0 ? { token: Math.max(0, at.token), row: Math.max(0, at.row) } : result);
  });
  focus.addEventListener('focus', announce);

  let grip: { x: number; y: number; left: number; top: number } | undefined;
  scroller.addEventListener('pointerdown', (event) => {
    const box = scroller.getBoundingClientRect();
    // On the scroll bars the browser does the dragging.
    if (
      event.button !== 0 ||
      event.clientX - box.left >= scroller.clientWidth ||
      event.clientY - box.top >= scroller.clientHeight
    )
      return;
    grip = { x: event.clientX, y: event.clientY, left: scroller.scrollLeft, top: scroller.scrollTop };
    dragged = false;
  });
  scroller.addEventListener('pointermove', (event) => {
    if (grip) {
      const [dx, dy] = [event.clientX - grip.x, event.clientY - grip.y];
      if (!dragged && Math.hypot(dx, dy) > 4) {
        dragged = true;
        scroller.setPointerCapture(event.pointerId);
        scroller.classList.add('dragging');
      }
      if (dragged) scroller.scrollTo(grip.left - dx, grip.top - dy);
    }
    const at = hit(event);
    scroller.classList.toggle('overGutter', at === 'gutter');
    pointer = at === 'gutter' ? undefined : at;
    askOver();
  });
  let overAsked = 0;
  const askOver = (): void => {
    overAsked ||= requestAnimationFrame(() => {
      overAsked = 0;
      drawOver();
    });
  };
  const letGo = (): void => {
    grip = undefined;
    scroller.classList.remove('dragging');
  };
  scroller.addEventListener('pointerup', (event) => {
    const wasDrag = dragged;
    if (!grip) return;
    letGo();
    dragged = false;
    if (wasDrag) return;
    const at = hit(event);
    if (at === 'gutter') {
      const target = rowUnder(event);
      if (target) toggleLayer(target.layer);
    } else if (at) {
      choose(at);
      focus.focus({ preventScroll: true });
    }
  });
  scroller.addEventListener('pointercancel', letGo);
  scroller.addEventListener('pointerleave', () => {
    pointer = undefined;
    askOver();
  });
  scroller.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = scroller.getBoundingClientRect();
      const factor = Math.exp(-event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 0.05 : 0.003));
      const { width, height } = cellSize();
      // With Alt only the tokens are stretched.
      zoomTo(width * factor, event.altKey ? height : height * factor, {
        x: event.clientX - box.left,
        y: event.clientY - box.top,
      });
    },
    { passive: false },
  );
  let keeping: ReturnType<typeof setTimeout> | undefined;
  scroller.addEventListener('scroll', () => {
    ask();
    if (!store.view.zoom) return;
    clearTimeout(keeping);
    keeping = setTimeout(() => {
      const { zoom } = store.view;
      if (zoom)
        store.set({
          zoom: { ...zoom, token: scroller.scrollLeft / zoom.width, row: scroller.scrollTop / zoom.height },
        });
    }, 200);
  });

  new ResizeObserver(() => {
    size = { width: scroller.clientWidth, height: scroller.clientHeight };
    layOut();
    draw();
  }).observe(scroller);

  // ---- toolbar

  const drawToolbar = (): void => {
    const trace = shown();
    toolbar.hidden = !trace;
    if (!trace) return;
    const { view } = store;
    const all = view.expanded === 'all';
    const tool = (name: Word, picture: Icon, press: () => void, props: Record<string, unknown> = {}) =>
      button(icon(picture), {
        press,
        class: 'tool',
        'aria-label': t(name),
        title: t(name),
        'data-focus': `grid-${name}`,
        ...props,
      });
    const showsChange = store.sides.main?.before !== undefined && store.gridSource === 'main';
    toolbar.classList.toggle('full', showsChange || store.other !== undefined);
    const filtered = JSON.stringify(view.filter) !== JSON.stringify(initial.filter);
    replace(
      toolbar,
      h('h2', {}, t('grid')),
      segmented(t('rows'), [
        {
          label: t('layers'),
          on: !all && view.expanded.length === 0,
          press: () => {
            store.set({ expanded: [], zoom: null });
            store.select({ module: -1 });
          },
        },
        {
          label: t('modules'),
          on: all,
          press: () => {
            store.set({ expanded: 'all', zoom: null });
          },
        },
      ]),
      store.other &&
        segmented(
          t('gridShows'),
          gridSources.map((source) => ({
            label: t(({ main: 'gridMain', other: 'gridOther', difference: 'gridDiff' } as const)[source]),
            on: store.gridSource === source,
            press: () => {
              store.set({ gridSource: source });
            },
          })),
        ),
      showsChange &&
        h(
          'label',
          { class: 'check', title: t('fadeHint') },
          h('input', {
            type: 'checkbox',
            checked: view.fadeUnchanged,
            'data-focus': 'grid-fade',
            on: {
              change: () => {
                store.set({ fadeUnchanged: !view.fadeUnchanged });
              },
            },
          }),
          t('fade'),
        ),
      h('span', { class: 'spring' }),
      tool(
        filtered ? 'filterOn' : 'filter',
        'filter',
        () => {
          store.set({ filterOpen: !view.filterOpen });
        },
        { 'aria-expanded': view.filterOpen, class: `tool ${filtered ? 'on' : ''}`, 'data-focus': 'grid-filter' },
      ),
      tool('zoomOut', 'minus', () => {
        zoomBy(1 / 1.4);
      }),
      tool('zoomIn', 'plus', () => {
        zoomBy(1.4);
      }),
      tool('zoomFit', 'fit', fit),
      tool(
        'asTable',
        'table',
        () => {
          store.set({
            tables: view.tables.includes('grid') ? view.tables.filter((x) => x !== 'grid') : [...view.tables, 'grid'],
          });
        },
        { 'aria-pressed': view.tables.includes('grid') },
      ),
    );
    const even = trace.strategy.name === 'merged' && trace.interventions.length === 0;
    caption.textContent = t(
      difference() ? 'gridDifference' : even ? 'gridCaptionEven' : 'gridCaption',
      t(all ? 'gridCaptionModules' : 'gridCaptionLayers'),
    );
  };

  // ---- following the store

  let restored = false;
  const restoreScroll = (): void => {
    const { zoom } = store.view;
    if (restored || !raster) return;
    restored = true;
    if (zoom) scroller.scrollTo(zoom.token * zoom.width, zoom.row * zoom.height);
  };

  store.on(
    [
      'main',
      'other',
      'affinities',
      'filter',
      'expanded',
      'gridSource',
      'fadeUnchanged',
      'zoom',
      'selection',
      'tables',
      'filterOpen',
    ],
    (changes) => {
      const has = (...names: Parameters<typeof changes.has>[0][]) => names.some((name) => changes.has(name));
      if (has('main', 'other', 'filter', 'expanded', 'gridSource', 'fadeUnchanged', 'tables', 'filterOpen'))
        drawToolbar();
      const asTable = store.view.tables.includes('grid');
      plot.classList.toggle('unseen', asTable);
      const byMargin = has('affinities') && store.view.filter.margin !== null;
      if (has('main', 'other', 'filter', 'expanded', 'gridSource') || byMargin) rebuild();
      else if (has('fadeUnchanged', 'theme')) ink();
      plot.hidden = !shown();
      size = { width: scroller.clientWidth, height: scroller.clientHeight };
      layOut();
      restoreScroll();
      if (has('selection', 'expanded', 'main')) reveal();
      cancelAnimationFrame(frameAsked);
      frameAsked = 0;
      draw();
      if (has('selection', 'main', 'filter', 'gridSource', 'expanded')) announce();
      if (has('main', 'affinities', 'selection', 'tables', 'filter', 'other', 'gridSource'))
        gridTable(table, store, shown(), asTable);
    },
  );

  return { frame, paper: () => paper };
}

function segmented(name: string, parts: readonly { label: string; on: boolean; press: () => void }[]): HTMLElement {
  return h(
    'div',
    { class: 'segmented', role: 'group', 'aria-label': name },
    ...parts.map(({ label: text, on, press }) =>
      button(text, { press, 'aria-pressed': on, 'data-focus': `segment-${text}` }),
    ),
  );
}

function rowAt(rows: readonly Row[], layer: number, module: number): number {
  const exact = rows.findIndex((row) => row.module === module && (module >= 0 || row.layer === layer));
  // A module whose layer is closed is found in the layer's row, a layer that is open at its first module.
  return exact >= 0 ? exact : rows.findIndex((row) => row.layer === layer);
}

function rowName(row: Row): string {
  return row.module >= 0 ? t('layerKind', row.layer, kindName(row.kind)) : t('layer', row.layer);
}

/** One cell in words, for the screen reader. */
function describe(trace: Trace, raster: Raster, at: Place, difference: boolean): string {
  const row = raster.rows[at.row];
  if (!row) return t('gridRole');
  const cell = at.row * raster.tokens + at.token;
  const parts = [spoken(trace, at.token), t('token', at.token + 1, raster.tokens), rowName(row)];
  if (difference) parts.push(t('differs', percent(raster.strength[cell]!)));
  else parts.push(...choices(trace, row, at.token).map(([e, w]) => `${trace.experts[e]!.name} ${fixed(w)}`));
  if (raster.expert[cell] === hidden) parts.push(t('hiddenCell'));
  else if (raster.expert[cell] === nothing) parts.push(t('noChoice'));
  if (raster.changed && raster.changed[cell]! > 0)
    parts.push(row.module >= 0 ? t('changedCell') : t('changedShare', percent(raster.changed[cell]!)));
  return parts.join(', ');
}

/** Experts of a cell with their weights; of a layer's row with their shares of the layer's weight. */
export function choices(trace: Trace, row: Row, token: number): [expert: number, weight: number][] {
  const sums = new Map<number, number>();
  let total = 0;
  for (const m of row.modules) {
    const weights = weightsAt(trace, m, token);
    chosenAt(trace, m, token).forEach((e, i) => {
      if (e < 0) return;
      sums.set(e, (sums.get(e) ?? 0) + weights[i]!);
      total += weights[i]!;
    });
  }
  const scale = row.modules.length > 1 && total > 0 ? 1 / total : 1;
  return [...sums].map(([e, w]): [number, number] => [e, w * scale]).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

function describeCell(trace: Trace, raster: Raster, at: Place, difference: boolean): HTMLElement[] {
  const row = raster.rows[at.row];
  if (!row) return [];
  const cell = at.row * raster.tokens + at.token;
  const out = [h('div', { class: 'tipTitle' }, h('code', {}, tokenLabel(trace, at.token)), ` ${rowName(row)}`)];
  if (difference) {
    out.push(
      h('div', {}, raster.expert[cell] === nothing ? t('noChoice') : t('differs', percent(raster.strength[cell]!))),
    );
    return out;
  }
  const list = choices(trace, row, at.token);
  for (const [e, w] of list.slice(0, 4)) {
    out.push(
      h(
        'div',
        { class: 'tipRow' },
        badge(e),
        h('span', { class: 'name' }, trace.experts[e]!.name),
        h('span', { class: 'value' }, row.modules.length > 1 ? percent(w) : fixed(w)),
      ),
    );
  }
  if (list.length === 0) out.push(h('div', {}, t('noChoice')));
  if (list.length > 4) out.push(h('div', { class: 'faint' }, t('chosenMore', list.length - 4)));
  if (raster.expert[cell] === hidden) out.push(h('div', { class: 'faint' }, t('hiddenCell')));
  if (raster.changed && raster.changed[cell]! > 0)
    out.push(h('div', {}, row.module >= 0 ? t('changedCell') : t('changedShare', percent(raster.changed[cell]!))));
  return out;
}

/** Small charts in SVG. Colours come by class (`x3` is expert 3), so that a theme's change needs no drawing anew. */
import { axisBottom, axisLeft } from 'd3-axis';
import { max } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { select } from 'd3-selection';
import { line } from 'd3-shape';
import { h, s } from './dom.js';
import { badge } from './legend.js';
import type { Trace } from '../src/trace/trace.js';

export interface Bar {
  readonly expert: number;
  readonly value: number;
  readonly text: string;
  readonly low?: number;
  readonly high?: number;
  readonly mark?: string;
  /** A mark of its own for this bar's reference; else the chart's. */
  readonly reference?: number;
  readonly strong?: boolean;
}

/** Bars with name and value beside them: HTML, so that text wraps and scales as the editor's does. */
export function bars(trace: Trace, list: readonly Bar[], limit: number, press?: (expert: number) => void): HTMLElement {
  const low = Math.min(0, ...list.map((bar) => bar.low ?? bar.value));
  const high = Math.max(limit, ...list.map((bar) => Math.max(bar.high ?? bar.value, bar.reference ?? 0)), low + 1e-9);
  const x = scaleLinear([low, high], [0, 100]);
  const marked = list.some((bar) => bar.mark !== undefined);
  return h(
    'div',
    { class: `bars ${marked ? 'marked' : ''}` },
    ...list.map((bar) => {
      const name = trace.experts[bar.expert]?.name ?? '';
      const [from, to] = [x(Math.min(0, bar.value)), x(Math.max(0, bar.value))];
      return h(
        'div',
        {
          class: `bar x${bar.expert} ${bar.strong === false ? 'weak' : ''}`,
          ...(press
            ? {
                on: {
                  click: () => {
                    press(bar.expert);
                  },
                },
              }
            : {}),
        },
        badge(bar.expert),
        h('span', { class: 'name', title: name }, name),
        h(
          'span',
          { class: 'track' },
          h('span', { class: 'fill', style: { left: `${from}%`, width: `${Math.max(0.4, to - from)}%` } }),
          low < 0 && h('span', { class: 'zero', style: { left: `${x(0)}%` } }),
          bar.low !== undefined &&
            bar.high !== undefined &&
            h('span', { class: 'whisker', style: { left: `${x(bar.low)}%`, width: `${x(bar.high) - x(bar.low)}%` } }),
          bar.reference !== undefined && h('span', { class: 'reference', style: { left: `${x(bar.reference)}%` } }),
        ),
        h('span', { class: 'value' }, bar.text),
        marked && h('span', { class: 'mark' }, bar.mark ?? ''),
      );
    }),
  );
}

/** Rows × experts; strength by value. */
export function heat(
  values: readonly ArrayLike<number>[],
  rowLabels: readonly string[],
  columns: readonly { readonly expert: number; readonly title: string }[],
  {
    highest = max(values, (row) => max(Array.from(row).filter(Number.isFinite))) ?? 1,
    cellHeight = 9,
    text = (n: number) => n.toFixed(2),
    rowExperts = false,
  } = {},
): SVGSVGElement {
  const left = 30;
  const top = 18;
  const width = 300;
  const cell = (width - left) / columns.length;
  const every = Math.max(1, Math.ceil(9 / cellHeight));
  return s(
    'svg',
    { viewBox: `0 0 ${width} ${top + values.length * cellHeight + 2}`, class: 'heat' },
    ...columns.map(({ expert, title }, c) => letter(expert, left + (c + 0.5) * cell, 9, title)),
    ...rowLabels.map((text2, r) =>
      rowExperts
        ? letter(r, left - 12, top + (r + 0.5) * cellHeight, text2)
        : r % every === 0
          ? s(
              'text',
              {
                x: left - 5,
                y: top + (r + 0.5) * cellHeight,
                class: 'axisText',
                'text-anchor': 'end',
                'dominant-baseline': 'central',
              },
              text2,
            )
          : undefined,
    ),
    ...values.flatMap((row, r) =>
      Array.from(row, (value, c) => {
        const strength = Number.isFinite(value) ? Math.min(1, Math.max(0, value / highest)) : 0;
        return s(
          'rect',
          {
            x: left + c * cell + 0.5,
            y: top + r * cellHeight + 0.5,
            width: cell - 1,
            height: cellHeight - 1,
            class: `x${columns[c]!.expert} heatCell`,
            'fill-opacity': (0.04 + 0.96 * strength).toFixed(3),
          },
          s('title', {}, `${rowLabels[r]!} · ${columns[c]!.title}: ${text(value)}`),
        );
      }),
    ),
  );
}

function letter(expert: number, x: number, y: number, title: string): SVGGElement {
  const style = badge(expert).textContent;
  return s(
    'g',
    { class: `x${expert}` },
    s('title', {}, title),
    s('rect', { x: x - 6, y: y - 6, width: 12, height: 12, rx: 2, class: 'letterBox' }),
    s('text', { x, y: y + 0.5, class: 'letter', 'text-anchor': 'middle', 'dominant-baseline': 'central' }, style),
  );
}

export interface Line {
  readonly values: ArrayLike<number>;
  readonly class: string;
}

/** One or more lines over layers or tokens, with a dashed line for chance. */
export function lines(
  list: readonly Line[],
  {
    low = 0,
    high = 1,
    reference,
    first = 0,
    height = 110,
    selected,
    press,
  }: {
    low?: number;
    high?: number;
    reference?: number | undefined;
    /** What the first point is numbered. */
    first?: number;
    height?: number;
    selected?: number | undefined;
    press?: (i: number) => void;
  } = {},
): SVGSVGElement {
  const width = 300;
  const edge = { left: 30, right: 6, top: 6, bottom: 18 };
  const count = Math.max(1, ...list.map(({ values }) => values.length));
  const x = scaleLinear([first, first + Math.max(1, count - 1)], [edge.left, width - edge.right]);
  const y = scaleLinear([low, high], [height - edge.bottom, edge.top]);
  const svg = s('svg', { viewBox: `0 0 ${width} ${height}`, class: 'lines' });
  const ticks = x.ticks(Math.min(6, count)).filter(Number.isInteger);
  select(svg)
    .append('g')
    .attr('class', 'axis')
    .attr('transform', `translate(0,${height - edge.bottom})`)
    .call(axisBottom(x).tickValues(ticks).tickSize(3).tickFormat(String));
  select(svg)
    .append('g')
    .attr('class', 'axis')
    .attr('transform', `translate(${edge.left},0)`)
    .call(axisLeft(y).ticks(4).tickSize(3));
  if (reference !== undefined)
    svg.append(
      s('line', { x1: edge.left, x2: width - edge.right, y1: y(reference), y2: y(reference), class: 'referenceLine' }),
    );
  const path = line<number>(
    (_, i) => x(first + i),
    (value) => y(Math.min(high, Math.max(low, value))),
  ).defined(Number.isFinite);
  for (const { values, class: name } of list) {
    svg.append(s('path', { d: path(Array.from(values)) ?? '', class: `line ${name}` }));
    // A line of one point has no length: it is drawn as a dot.
    if (values.length === 1 && Number.isFinite(values[0]))
      svg.append(s('circle', { cx: x(first), cy: y(values[0]!), r: 3, class: `dot ${name}` }));
  }
  if (selected !== undefined && selected >= 0 && selected < count)
    svg.append(
      s('line', {
        x1: x(first + selected),
        x2: x(first + selected),
        y1: edge.top,
        y2: height - edge.bottom,
        class: 'selectedLine',
      }),
    );
  if (press) {
    svg.classList.add('pressable');
    svg.addEventListener('click', (event) => {
      const box = svg.getBoundingClientRect();
      press(
        Math.min(
          count - 1,
          Math.max(0, Math.round(x.invert(((event.clientX - box.left) / box.width) * width)) - first),
        ),
      );
    });
  }
  return svg;
}

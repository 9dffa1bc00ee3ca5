/** The evaluation in three pictures; a picture is left out if its data was not measured. */
import { scaleBand, scaleLinear } from 'd3-scale';
import { type Evaluation, isPartial } from './evaluation.js';
import { counted, percentage, signed } from './numbers.js';
import { element, figure, text } from './svg.js';
import type { Row } from './table.js';

export interface Figure {
  readonly name: 'difference' | 'usage' | 'entropy';
  readonly title: string;
  readonly svg: string;
}

export function figures(evaluation: Evaluation): Figure[] {
  return [difference(evaluation), usage(evaluation), entropy(evaluation)].filter((f) => f !== undefined);
}

const titled = (evaluation: Evaluation, title: string) => (isPartial(evaluation) ? `${title} (partial run)` : title);

/** Bits per byte of each strategy against the reference, with intervals. */
function difference(evaluation: Evaluation): Figure | undefined {
  const section = evaluation.sections.find((s) => s.part === 'heldout');
  const rows = (section?.rows ?? []).filter(
    (row): row is Row & Required<Pick<Row, 'overall'>> =>
      row.overall?.difference !== undefined && !row.key.startsWith('single:'),
  );
  if (!section || rows.length === 0) return undefined;
  const title = titled(evaluation, 'Bits per byte against phatgoose, k = 2');
  const left = 170;
  const right = 660;
  const top = 56;
  const y = scaleBand(
    rows.map((row) => row.key),
    [top, top + 26 * rows.length],
  );
  const all = rows
    .flatMap(({ overall }) => [overall.difference!.low, overall.difference!.high, overall.difference!.value, 0])
    .filter((bound) => !Number.isNaN(bound)); // with few documents there is no interval
  const x = scaleLinear([Math.min(...all), Math.max(...all)], [left, right]).nice(6);
  const bottom = top + 26 * rows.length;
  const body = [
    text(
      16,
      44,
      `Held-out documents, mean of ${counted(section.kinds.length, 'kind')}; to the right is worse; lines: 95 % intervals`,
      {
        class: 'sub faint',
      },
    ),
    ...x.ticks(6).flatMap((tick) => [
      element('line', {
        x1: x(tick),
        x2: x(tick),
        y1: top,
        y2: bottom,
        class: 'line',
        'stroke-width': tick === 0 ? 2 : 0.5,
      }),
      text(x(tick), bottom + 16, tick === 0 ? '0' : signed(tick, 3), {
        class: 'small faint',
        'text-anchor': 'middle',
      }),
    ]),
    ...rows.flatMap(({ key, label, overall }) => {
      const { value, low, high } = overall.difference!;
      const middle = y(key)! + y.bandwidth() / 2;
      return [
        text(left - 10, middle + 4, label, { 'text-anchor': 'end' }),
        ...(Number.isNaN(low)
          ? []
          : [element('line', { x1: x(low), x2: x(high), y1: middle, y2: middle, class: 'stroke', 'stroke-width': 3 })]),
        element('circle', { cx: x(value), cy: middle, r: 4.5, class: 'mark' }),
        text(right + 14, middle + 4, signed(value, 4), { class: 'sub' }),
      ];
    }),
  ];
  const words = rows.map((row) => `${row.label} ${signed(row.overall.difference!.value, 4)}`).join(', ');
  return { name: 'difference', title, svg: figure(740, bottom + 32, title, words, body) };
}

/** Load of the experts by kind of document and region within it; the oracle's pick is ringed. */
function usage(evaluation: Evaluation): Figure | undefined {
  const section = evaluation.sections.find((s) => s.part === 'heldout');
  const explanation = section?.explanation;
  if (!section || !explanation) return undefined;
  const oracle = section.rows.find((row) => row.key === 'oracle-kind')?.picked;
  const rows = explanation.kinds.flatMap((use) => [
    {
      key: use.kind,
      label: use.kind,
      indent: 0,
      use,
      picked: typeof oracle === 'object' ? oracle[use.kind] : undefined,
    },
    ...(use.regions.length > 1 ? use.regions : []).map((region) => ({
      key: `${use.kind}/${region.name}`,
      label: region.name,
      indent: 12,
      use: region,
      picked: undefined,
    })),
  ]);
  const title = titled(evaluation, 'Which experts phatgoose (k = 2) used');
  const left = 150;
  const top = 104;
  const cell = { width: 46, height: 20 };
  const x = scaleBand(explanation.experts, [left, left + cell.width * explanation.experts.length]);
  const most = Math.max(...rows.flatMap((row) => row.use.share));
  const strength = scaleLinear([0, most], [0, 0.85]);
  const chance = percentage(1 / explanation.experts.length);
  const ring = typeof oracle === 'object' ? '; ringed: the best single expert' : '';
  const body = [
    text(16, 44, `Share of the choices in %, by kind of document and region; chance ${chance}${ring}`, {
      class: 'sub faint',
    }),
    ...explanation.experts.map((id) => {
      const middle = x(id)! + cell.width / 2;
      return text(middle, top - 8, id, { class: 'sub', transform: `rotate(-40 ${middle} ${top - 8})` });
    }),
    ...rows.flatMap((row, r) => {
      const y = top + r * cell.height;
      return [
        text(left - 8, y + 14, row.label, { 'text-anchor': 'end', class: row.indent ? 'sub faint' : undefined }),
        ...explanation.experts.flatMap((id, e) => [
          element('rect', {
            x: x(id)! + 1,
            y: y + 1,
            width: cell.width - 2,
            height: cell.height - 2,
            class: 'mark',
            'fill-opacity': strength(row.use.share[e]!),
          }),
          text(x(id)! + cell.width / 2, y + 14, percentage(row.use.share[e]!), {
            class: 'small',
            'text-anchor': 'middle',
          }),
          ...(row.picked === id
            ? [
                element('rect', {
                  x: x(id)! + 1,
                  y: y + 1,
                  width: cell.width - 2,
                  height: cell.height - 2,
                  class: 'ring',
                  'stroke-width': 2,
                }),
              ]
            : []),
        ]),
      ];
    }),
  ];
  const words = explanation.kinds
    .map((use) => {
      const first = explanation.experts.map((id, e) => [id, use.share[e]!] as const).sort((a, b) => b[1] - a[1])[0]!;
      return `${use.kind}: most ${first[0]}, ${percentage(first[1])} %`;
    })
    .join('; ');
  const width = left + cell.width * explanation.experts.length + 40;
  return { name: 'usage', title, svg: figure(width, top + rows.length * cell.height + 16, title, words, body) };
}

/** Entropy of the router distribution, by layer and kind of module. */
function entropy(evaluation: Evaluation): Figure | undefined {
  const explanation = evaluation.sections.find((s) => s.part === 'heldout')?.explanation;
  const values = explanation?.entropy.cells.flat().filter((h) => h !== null) ?? [];
  if (!explanation || values.length === 0) return undefined;
  const { layers, kinds, cells } = explanation.entropy;
  const title = titled(evaluation, 'Entropy of the router');
  const left = 64;
  const top = 78;
  const cell = { width: 62, height: 16 };
  const [least, most] = [Math.min(...values), Math.max(...values)];
  // A stronger colour means lower entropy; a single value is drawn in the middle of the scale.
  const strength = scaleLinear([most, least > most - 1e-9 ? least - 1 : least], [0.05, 0.85]);
  const body = [
    text(
      16,
      44,
      `Entropy over all experts ÷ ln ${explanation.experts.length}; 1: even; stronger colour: lower entropy`,
      {
        class: 'sub faint',
      },
    ),
    ...kinds.map((kind, k) =>
      text(left + (k + 0.5) * cell.width, top - 8, kind, { class: 'sub', 'text-anchor': 'middle' }),
    ),
    ...layers.flatMap((layer, l) => [
      text(left - 8, top + l * cell.height + 12, String(layer), { class: 'small', 'text-anchor': 'end' }),
      ...kinds.flatMap((_, k) => {
        const h = cells[l]![k];
        if (h === null || h === undefined) return [];
        const at = { x: left + k * cell.width + 1, y: top + l * cell.height + 1 };
        return [
          element('rect', {
            ...at,
            width: cell.width - 2,
            height: cell.height - 2,
            class: 'mark',
            'fill-opacity': strength(h),
          }),
          text(at.x + cell.width / 2, at.y + 11, h.toFixed(2), { class: 'small', 'text-anchor': 'middle' }),
        ];
      }),
    ]),
    text(16, top + 12, 'layer', { class: 'small faint' }),
  ];
  const words = kinds.map((kind, k) => `${kind} ${explanation.entropy.byKind[k]?.toFixed(2) ?? 'none'}`).join(', ');
  const svg = figure(left + kinds.length * cell.width + 24, top + layers.length * cell.height + 16, title, words, body);
  return { name: 'entropy', title, svg };
}

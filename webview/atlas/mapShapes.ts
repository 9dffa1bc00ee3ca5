/** The map of an atlas as shapes: layers down, experts across. Pure. */
import { range } from 'd3-array';
import { inkOn } from '../../src/look/palette.js';
import { shortLabelsOf } from '../../src/look/shortLabels.js';
import { type LayerKey, layerOf, unitId } from '../../src/protocol/atlas.js';
import { layerText } from '../../src/trace/text/label.js';
import { t } from '../look/strings.js';
import type { Coloured } from './colouring.js';
import type { Atlas, Place, Unit } from './model.js';
import { saidAllLayers } from './said.js';
import { type Inks, shade, type Shape, widthOf } from './shapes.js';

export interface Frame {
  readonly cell: { readonly width: number; readonly height: number };
  readonly left: number;
  /** Of each row. */
  readonly tops: readonly number[];
  readonly width: number;
  readonly height: number;
}

const cellWidth = { least: 8, most: 36 };
/** Room above the cells for the axis and its title. */
const top = 32;

/** How a layer is called beside its row. */
export function rowMark(key: LayerKey): string {
  const layer = layerOf(key);
  return layer ? layerText(layer) : saidAllLayers(key);
}

/** @param room how wide it may be, if that is enough for the narrowest cells */
export function frameOf({ layers, columns }: Atlas, room: number): Frame {
  const left = Math.ceil(Math.max(...layers.map((layer) => widthOf(rowMark(layer))), widthOf(t('layerHead')))) + 10;
  const wide = Math.floor((room - left - 2) / columns);
  const width = Math.min(cellWidth.most, Math.max(cellWidth.least, wide));
  const height = layers.length <= 12 ? 24 : layers.length <= 26 ? 16 : 12;
  const tops: number[] = [];
  let y = top;
  layers.forEach((layer, row) => {
    const before = layers[row - 1];
    if (before && (before.stack !== layer.stack || (before.layer === null) !== (layer.layer === null))) y += 6;
    tops.push(y);
    y += height;
  });
  return { cell: { width, height }, left, tops, width: left + columns * width + 2, height: y + 2 };
}

export function boxOf({ cell, left, tops }: Frame, { row, column }: Place) {
  return { x: left + column * cell.width, y: tops[row]!, ...cell };
}

/** The place under a point; undefined between the rows and outside. */
export function placeUnder(
  { cell, left, tops }: Frame,
  { x, y }: { readonly x: number; readonly y: number },
): Place | undefined {
  const row = tops.findIndex((from) => y >= from && y < from + cell.height);
  const column = Math.floor((x - left) / cell.width);
  return row < 0 || column < 0 ? undefined : { row, column };
}

export interface Drawn {
  readonly atlas: Atlas;
  readonly coloured: Coloured;
  /** Units that take what was searched for. */
  readonly lit: ReadonlySet<string>;
  readonly frame: Frame;
  readonly inks: Inks;
}

export function mapShapes(drawn: Drawn): Shape[] {
  const { atlas, lit, frame } = drawn;
  const cells = atlas.layers.flatMap(({ units }, row) =>
    units.flatMap((unit, column) => cellShapes(drawn, unit, boxOf(frame, { row, column }))),
  );
  const outlined = atlas.units.filter(({ key }) => lit.has(unitId(key)));
  return [
    ...axes(drawn),
    ...cells,
    ...outlined.flatMap(({ key }) => outline(boxOf(frame, atlas.placeOf(key)!), drawn.inks)),
  ];
}

type Box = ReturnType<typeof boxOf>;

function cellShapes({ coloured, inks }: Drawn, unit: Unit, box: Box): Shape[] {
  const value = coloured.valueOf(unit);
  const isKnown = !Number.isNaN(value);
  const fill = shade(isKnown ? value / coloured.most : 0, inks);
  const mark = coloured.markOf(unit);
  const inner = { x: box.x + 1, y: box.y + 1, width: box.width - 1, height: box.height - 1 };
  return [
    { kind: 'rect', ...box, width: box.width + 1, height: box.height + 1, fill: inks.line },
    { kind: 'rect', ...inner, fill },
    ...(isKnown || mark ? [] : [unknownShape(inner, inks)]),
    ...(mark ? [markShape(mark, box, inkOn(fill))] : []),
  ];
}

export const unknownShape = ({ x, y, width, height }: Box, inks: Inks): Shape => ({
  kind: 'path',
  d: `M${x},${y + height}L${x + width},${y}`,
  stroke: inks.faint,
});

export function markShape(mark: NonNullable<ReturnType<Coloured['markOf']>>, box: Box, ink: string): Shape {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const r = Math.min(5, Math.min(box.width, box.height) / 2 - 1.5);
  switch (mark) {
    case 'dead':
      return {
        kind: 'path',
        d: `M${x - r},${y - r}L${x + r},${y + r}M${x + r},${y - r}L${x - r},${y + r}`,
        stroke: ink,
        width: 1.5,
      };
    case 'overloaded':
      return { kind: 'path', d: `M${x - r},${y + r}L${x},${y - r}L${x + r},${y + r}Z`, fill: ink };
    case 'found':
      return { kind: 'path', d: `M${x},${y - r}L${x + r},${y}L${x},${y + r}L${x - r},${y}Z`, fill: ink };
  }
}

/** Light around dark, so that it can be seen on any colour. */
function outline({ x, y, width, height }: Box, { foreground, background }: Inks): Shape[] {
  const frame = (by: number) => `M${x + by},${y + by}h${width - 2 * by}v${height - 2 * by}h${2 * by - width}Z`;
  return [
    { kind: 'path', d: frame(2.5), stroke: background, width: 1 },
    { kind: 'path', d: frame(1), stroke: foreground, width: 2 },
  ];
}

function axes({ atlas, frame, inks }: Drawn): Shape[] {
  const { left, tops, cell } = frame;
  const text = (shape: { x: number; y: number; text: string; anchor: 'middle' | 'end' | 'start' }): Shape => ({
    kind: 'text',
    fill: inks.faint,
    ...shape,
  });
  const head = tops[0]! - 10;
  const widest = atlas.layers.reduce((most, layer) => (layer.units.length > most.units.length ? layer : most));
  const names = atlas.isPool ? shortLabelsOf(widest.set.experts) : range(atlas.columns).map(String);
  const room = Math.max(...names.map((name) => widthOf(name))) + 4;
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(room / cell.width)));
  const shown = range(0, names.length, every);
  const rowsEvery = Math.max(1, Math.ceil(11 / cell.height));
  return [
    text({ x: left, y: head - 14, text: t('expert'), anchor: 'start' }),
    text({ x: left - 6, y: head, text: t('layerHead'), anchor: 'end' }),
    ...shown.map((e) => text({ x: left + (e + 0.5) * cell.width, y: head, text: names[e]!, anchor: 'middle' })),
    ...atlas.layers.flatMap((layer, row) =>
      row % rowsEvery === 0
        ? [text({ x: left - 6, y: tops[row]! + cell.height / 2, text: rowMark(layer), anchor: 'end' })]
        : [],
    ),
  ];
}

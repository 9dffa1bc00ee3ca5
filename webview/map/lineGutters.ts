/** Draws what is beside and above lines: their numbers, what colours the text, and the layers, modules or experts. */
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { shortLabelOf } from '../look/looks.js';
import type { Theme } from '../look/theme.js';
import { stepFor } from './cells.js';
import { labelFrom, ofTokens, xOf, yOf, type Frame, type Gutters, type Window } from './geometry.js';
import { fillWithin, layerMark, rowMark, tick } from './gutters.js';
import type { Raster, Row } from './model.js';
import type { Drawing, MapContent } from './content.js';
import { drawTiles } from './tiles.js';

const { left } = ofTokens;
/** Width of the column in which the margin is drawn. */
const wide = 10;

const isNamed = ({ module, expert }: Row): boolean => module >= 0 || expert !== undefined;

export const ofLines = (rows: readonly Row[]): Gutters => ({
  left,
  // Names of modules and experts are written vertically.
  top: (width) => (width >= labelFrom && rows.some(isNamed) ? 44 : 18),
});

export function lineGutters(context: Drawing, content: MapContent, frame: Frame, view: Window): void {
  const { raster, theme, labels, margin, shownLayer } = content;
  const { top } = frame.gutter;
  const { cell } = frame;
  context.fillStyle = theme.background;
  context.fillRect(0, 0, left, frame.height);

  if (margin) {
    const beside = { ...frame, gutter: { left: left - wide - 3, top }, cell: { width: wide, height: cell.height } };
    const step = stepFor(beside.cell);
    const { y } = frame.scroll;
    drawTiles(context, margin.tilesFor(step), step, { ...beside, scroll: { x: 0, y } }, { ...view, c0: 0, c1: 1 });
  }
  context.fillStyle = theme.faint;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  const size = Math.min(11, Math.max(9, cell.height - 2));
  context.font = `${size}px ${theme.font}`;
  const every = tick((size + 2) / cell.height);
  for (let r = view.r0; r < view.r1; r++)
    if (labels[r] && Number(labels[r]) % every === 0)
      context.fillText(labels[r]!, left - wide - 7, yOf(frame, r) + cell.height / 2);

  context.fillStyle = theme.background;
  context.fillRect(0, 0, frame.width, top);
  context.save();
  context.beginPath();
  context.rect(left, 0, frame.width - left, top);
  context.clip();
  context.font = `${Math.min(11, Math.max(9, cell.width - 1))}px ${theme.font}`;
  const apart = Math.ceil(16 / cell.width);
  let nth = -1;
  let seen = '';
  for (let c = 0; c < view.c1; c++) {
    const row = raster.rows[c]!;
    const key = layerKey(row);
    const isNew = key !== seen;
    seen = key;
    if (isNew) nth++;
    if (c < view.c0) continue;
    const x = xOf(frame, c) + cell.width / 2;
    context.fillStyle = key === shownLayer ? theme.foreground : theme.faint;
    if (isNamed(row) && cell.width >= labelFrom) {
      context.save();
      context.translate(x, top - 4);
      context.rotate(-Math.PI / 2);
      context.textAlign = 'left';
      const room = top - (isNew && row.expert === undefined ? 18 : 6);
      const name = nameOf(row);
      // A name that has no room would be squeezed until nobody can read it.
      const isLong = row.expert !== undefined && context.measureText(name).width > 1.15 * room;
      context.fillText(isLong ? rowMark(row) : name, 0, 0, room);
      context.restore();
    }
    if (row.expert !== undefined || !isNew) continue;
    if (nth % apart === 0 || key === shownLayer || row.module >= 0) fillWithin(context, layerMark(row), x, 9, frame);
  }
  context.restore();
}

function nameOf({ kind, expert, parts }: Row): string {
  if (expert === undefined) return kind;
  const { set } = parts.find((part) => part !== undefined)!;
  return set.scope === 'pool' ? set.experts[expert]!.name : shortLabelOf(set, expert);
}

/** A rule between the lines of an input and those of its output. */
export function divide(context: Drawing, theme: Theme, { columns }: Raster, frame: Frame): void {
  context.fillStyle = theme.faint;
  for (const { from } of columns.spans.slice(1)) context.fillRect(0, Math.round(yOf(frame, from - 1)), frame.width, 1);
}

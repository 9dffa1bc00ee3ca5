/** Draws what is beside and above the cells: layers and kinds of modules, tokens or their numbers. */
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { labelFrom, middleOf, xOf, yOf, type Frame, type Window } from './geometry.js';
import { shortLabelOf } from '../look/looks.js';
import type { Row } from './model.js';
import { css, mix, type Theme } from '../look/theme.js';
import type { RowLoad } from './loads.js';
import type { Drawing, MapContent } from './content.js';

export function gutters(context: Drawing, content: MapContent, frame: Frame, view: Window): void {
  const { raster, theme, labels, heads, shownLayer } = content;
  const { left, top } = frame.gutter;
  const { cell } = frame;
  context.fillStyle = theme.background;
  context.fillRect(0, 0, frame.width, top);
  context.fillRect(0, 0, left, frame.height);
  context.fillStyle = theme.faint;
  context.strokeStyle = theme.line;
  context.textBaseline = 'middle';

  // Rows: the layer where it begins, the kind where there is room.
  const size = Math.min(11, Math.max(9, cell.height - 2));
  context.font = `${size}px ${theme.font}`;
  const every = Math.max(1, Math.ceil((size + 1) / layerHeight(raster.rows, view, cell.height)));
  // A layer that begins above the view is still named in it.
  const begin = Math.max(0, view.r0 - 12);
  let seen = '';
  let nth = -1;
  context.save();
  context.beginPath();
  context.rect(0, top, left, frame.height - top);
  context.clip();
  for (let r = 0; r < view.r1; r++) {
    const row = raster.rows[r]!;
    const isNew = layerKey(row) !== seen;
    seen = layerKey(row);
    if (isNew) nth++;
    if (r < begin) continue;
    const y = yOf(frame, r) + cell.height / 2;
    const isLayerShown = seen === shownLayer;
    context.fillStyle = isLayerShown ? theme.foreground : theme.faint;
    if (isLayerShown) pointer(context, left - 1, y);
    if (isNew || r === begin) {
      if (nth % every === 0 || isLayerShown) {
        context.textAlign = 'right';
        // The layer's name stays in view as long as the layer does.
        const end = yOf(frame, lastOf(raster.rows, r) + 1);
        const high = top + size / 2;
        if (end > top + 1)
          context.fillText(layerMark(row), 30, Math.max(high, Math.min(Math.max(y, high), end - cell.height / 2)));
      }
      if (heads) loadBar(context, theme, heads[r], y, cell.height);
      else if (cell.height >= 9) disclosure(context, 7, y, row.module >= 0);
    }
    if (row.module >= 0 && cell.height >= 9) {
      context.textAlign = 'left';
      context.fillText(row.kind, 36, y, left - 38);
    }
  }
  context.restore();

  // Tokens: their text where there is room, otherwise a number every few.
  context.save();
  context.beginPath();
  context.rect(left, 0, frame.width - left, top);
  context.clip();
  if (cell.width >= labelFrom) {
    context.font = `${Math.min(11, cell.width - 1)}px ${theme.mono}`;
    context.textAlign = 'left';
    for (let c = view.c0; c < view.c1; c++) {
      context.save();
      context.translate(xOf(frame, c) + cell.width / 2, top - 4);
      context.rotate(-Math.PI / 2);
      context.fillText(labels[c]!, 0, 0, top - 8);
      context.restore();
    }
  } else {
    context.font = `10px ${theme.font}`;
    const step = tick(44 / cell.width);
    for (const { from, count } of raster.columns.spans) {
      const [first, last] = [Math.max(0, view.c0 - from), Math.min(count, view.c1 - from)];
      // Counted from 1, as everywhere on the page.
      for (let number = Math.ceil((first + 1) / step) * step; number <= last; number += step) {
        const x = xOf(frame, from + number - 1) + cell.width / 2;
        context.fillRect(Math.round(x), top - 4, 1, 3);
        fillWithin(context, String(number), x, top - 10, frame);
      }
    }
  }
  context.restore();
}

/** In the corner, above the rows' names and before the columns': what they are, where there is room for both. */
export function axes(context: Drawing, { theme }: MapContent, frame: Frame, down: string, across: string): void {
  const { left, top } = frame.gutter;
  context.font = `9px ${theme.font}`;
  context.fillStyle = theme.faint;
  const room = left - 4;
  const [first, second] = [down, across].map((word) => context.measureText(word).width) as [number, number];
  const hasTwoLines = top >= 30;
  if (hasTwoLines ? Math.max(first, second) > room : first + second + 3 > room) return;
  context.textAlign = 'left';
  context.fillText(down, 2, top - 9);
  context.textAlign = 'right';
  context.fillText(across, left - 2, hasTwoLines ? 9 : top - 9);
}

/** Centred, and not cut off. */
export function fillWithin(context: Drawing, text: string, x: number, y: number, frame: Frame): void {
  context.textAlign = 'center';
  context.fillText(text, middleOf(x, context.measureText(text).width, frame), y);
}

/** `3`; in an encoder-decoder `e3` and `d3`. */
export function layerMark({ stack, layer }: Row): string {
  return `${stack?.[0] ?? ''}${layer}`;
}

/** What stands beside a row: its layer, with the kind of a module; or its expert. */
export function rowMark(row: Row): string {
  if (row.expert !== undefined) return shortLabelOf(row.parts.find((part) => part !== undefined)!.set, row.expert);
  return row.module >= 0 ? `${layerMark(row)} ${row.kind}` : layerMark(row);
}

function lastOf(rows: readonly Row[], r: number): number {
  let last = r;
  while (rows[last + 1] && layerKey(rows[last + 1]!) === layerKey(rows[r]!)) last++;
  return last;
}

function layerHeight(rows: readonly Row[], view: Window, height: number): number {
  const layers = new Set(rows.slice(view.r0, view.r1).map(layerKey)).size;
  return layers > 0 ? ((view.r1 - view.r0) * height) / layers : height;
}

function disclosure(context: Drawing, x: number, y: number, open: boolean): void {
  context.beginPath();
  if (open) {
    context.moveTo(x - 3, y - 1.5);
    context.lineTo(x, y + 1.5);
    context.lineTo(x + 3, y - 1.5);
  } else {
    context.moveTo(x - 1.5, y - 3);
    context.lineTo(x + 1.5, y);
    context.lineTo(x - 1.5, y + 3);
  }
  context.save();
  context.strokeStyle = context.fillStyle;
  context.stroke();
  context.restore();
}

/** Points at the row whose experts the legend names. */
function pointer(context: Drawing, x: number, y: number): void {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x - 5, y - 4);
  context.lineTo(x - 5, y + 4);
  context.fill();
}

/** From the left the effective number of experts, from the right the dead ones; the whole bar is all experts. */
function loadBar(context: Drawing, theme: Theme, head: RowLoad | undefined, y: number, height: number): void {
  if (!head || height < 4) return;
  const [from, width] = [35, 20];
  const part = (count: number) => (width * count) / head.load.experts;
  const bar = (x: number, wide: number, colour: string, share: number) => {
    context.fillStyle = css(mix(theme.background, colour, share));
    context.fillRect(x, Math.round(y) - 1, wide, 3);
  };
  bar(from, width, theme.foreground, 0.15);
  bar(from, part(head.load.effective), theme.foreground, 0.55);
  const dead = part(head.load.dead.length);
  bar(from + width - dead, dead, theme.difference, 0.7);
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
export function tick(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= least)!;
}

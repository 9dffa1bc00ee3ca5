/** A figure as a drawing. */
import { drawBars } from './bars.js';
import { drawHeat } from './heat.js';
import { drawLines } from './lines.js';
import type { Look } from './look.js';
import { drawMap } from './map.js';
import type { Plot } from './plot.js';
import { type Drawing, perMm, Sheet } from './sheet.js';
import { drawTable } from './table.js';

/** The widths of a column and of a page of two, in millimetres. */
export const paperWidths = [85, 174] as const;
export type PaperWidth = (typeof paperWidths)[number];

/** @param mm the drawing's width */
export function draw(plot: Plot, look: Look, mm: number, title: string): Drawing {
  const sheet = new Sheet();
  const width = mm * perMm;
  const height = filled(sheet, plot, look, width);
  return { title, width, height, background: look.background, marks: sheet.marks };
}

function filled(sheet: Sheet, plot: Plot, look: Look, width: number): number {
  switch (plot.kind) {
    case 'bars':
      return drawBars(sheet, look, plot, width);
    case 'lines':
      return drawLines(sheet, look, plot, width);
    case 'heat':
      return drawHeat(sheet, look, plot, width);
    case 'map':
      return drawMap(sheet, look, plot, width);
    case 'table':
      return drawTable(sheet, look, plot, width);
  }
}

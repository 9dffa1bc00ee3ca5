import { inkOn, quiet, weakest } from '../look/palette.js';
import { everyFitting } from './heat.js';
import { blend, type Look } from './look.js';
import { widthOf } from './metrics.js';
import { type Key, keysOf, legendOf, rampOf, turnedTitle } from './parts.js';
import type { MapPlot, Place } from './plot.js';
import { cut, lineHeight, type Sheet, toMiddle } from './sheet.js';

/** Where the cells of a part of the map are. */
interface Area {
  readonly left: number;
  readonly top: number;
  /** Of a cell. */
  readonly width: number;
  readonly height: number;
  /** The places in it; `to` is past the last. */
  readonly from: number;
  readonly to: number;
}

/** Returns the height. */
export function drawMap(sheet: Sheet, look: Look, plot: MapPlot, width: number): number {
  const bottom = plot.runs === 'across' ? drawBands(sheet, look, plot, width) : drawLinesDown(sheet, look, plot, width);
  return keys(sheet, look, plot, width, bottom + 4);
}

/** How high a map may be: a page of paper has room for that, a legend and a caption. */
const tallest = 540;

/** Points that a place needs so that its text can be read beside its neighbours'. */
const labelPitch = 8.6;
const labelRoom = 36;
/** More bands than this are too many for labels. */
const mostLabelled = 3;

/** Tokens across, in bands that end where a line of the text does. */
function drawBands(sheet: Sheet, look: Look, plot: MapPlot, width: number): number {
  const { places, levels } = plot;
  const left = 14 + Math.max(...levels.map(({ mark }) => widthOf(mark))) + 4;
  const room = width - left - 1;
  const labelled = bandsOf(places, Math.floor(room / labelPitch));
  const hasLabels = labelled.length <= mostLabelled;
  const cell = hasLabels ? labelPitch : Math.min(4, Math.max(1.6, (4 * room) / places.length));
  const bands = hasLabels ? labelled : bandsOf(places, Math.floor(room / cell));
  const tall = Math.min(100, tallest / bands.length - lineHeight - 5 - (hasLabels ? labelRoom : 0));
  const height = Math.min(8, Math.max(1.2, tall / levels.length));
  let y = 0;
  for (const [i, { from, to }] of bands.entries()) {
    const top = y + (hasLabels ? labelRoom : 2);
    drawCells(sheet, look, plot, { left, top, width: cell, height, from, to });
    const bottom = top + levels.length * height;
    if (isWithin(plot.written, from, to)) {
      const x = left + (plot.written.from - from) * cell;
      sheet.line([x, hasLabels ? y + 2 : top - 2, x, bottom + 3], look.ink, { width: 1, isDashed: true });
    }
    for (const l of everyFitting(levels.length, height, 9))
      sheet.text(levels[l]!.mark, left - 3, top + (l + 0.5) * height + toMiddle, look.ink, { anchor: 'end' });
    turnedTitle(sheet, look, plot.model, (top + bottom) / 2);
    for (let p = from; p < to; p++) {
      const x = left + (p - from + 0.5) * cell;
      if (hasLabels && places[p])
        sheet.text(cut(places[p]!.text, labelRoom - 3), x + toMiddle, top - 2, look.ink, { isTurned: true });
    }
    numbers(sheet, look, places, { left, top, width: cell, height, from, to }, bottom);
    y = bottom + lineHeight + 3;
    if (i === bands.length - 1) {
      sheet.text(plot.text, left + room / 2, y + lineHeight - 3, look.ink, { anchor: 'middle' });
      y += lineHeight;
    }
  }
  return y;
}

/** Every so many, by number: 10, 20, … */
function numbers(sheet: Sheet, look: Look, places: MapPlot['places'], area: Area, bottom: number): void {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((n) => n * area.width >= 22) ?? 1000;
  for (let p = area.from; p < area.to; p++) {
    const number = Number(places[p]?.number);
    if (!(number % step === 0)) continue;
    const x = area.left + (p - area.from + 0.5) * area.width;
    sheet.line([x, bottom, x, bottom + 2], look.line);
    sheet.text(String(number), x, bottom + 10, look.ink, { anchor: 'middle' });
  }
}

export interface Band {
  readonly from: number;
  readonly to: number;
}

/** Bands of at most so many places, that end before a line or a gap; in the midst of a line if that would leave half of one empty. */
export function bandsOf(places: MapPlot['places'], most: number): Band[] {
  const bands: Band[] = [];
  for (let from = 0; from < places.length;) {
    if (!places[from]) {
      from++;
      continue;
    }
    const gap = places.findIndex((place, p) => p > from && !place);
    const end = Math.min(gap < 0 ? places.length : gap, from + Math.max(1, most));
    let to = end;
    if (places[end]) while (to > from + most / 2 && !places[to]!.begins) to--;
    if (to <= from + most / 2) to = end;
    bands.push({ from, to });
    from = to;
  }
  return bands;
}

const textFrom = 400;

/** Of a cell that stands for a line. */
const widest = 60;

/** Lines down, with their text where there is room; many lines stand in several columns. */
function drawLinesDown(sheet: Sheet, look: Look, plot: MapPlot, width: number): number {
  const { places, levels } = plot;
  const numbersWide = Math.max(...places.map((place) => widthOf(place?.number ?? '')));
  const left = 14 + numbersWide + 4;
  const hasText = width >= textFrom && places.length * lineHeight <= tallest;
  const mostParts = Math.max(1, Math.floor(width / (left + 1.6 * levels.length)));
  const parts = hasText ? 1 : Math.min(mostParts, Math.max(1, Math.ceil((places.length * 3) / tallest)));
  const count = Math.ceil(places.length / parts);
  const height = hasText ? lineHeight : Math.min(lineHeight, Math.max(1.2, tallest / count));
  const texts = hasText ? 0.45 * width : 0;
  const each = width / parts;
  const cell = Math.min(widest, (each - left - texts - 4) / levels.length);
  const top = 2 * lineHeight + 2;
  for (let n = 0; n < parts; n++) {
    const begin = n * each + left;
    const area = {
      left: begin + texts,
      top,
      width: cell,
      height,
      from: n * count,
      to: Math.min(places.length, (n + 1) * count),
    };
    drawCells(sheet, look, plot, area);
    if (isWithin(plot.written, area.from, area.to)) {
      const y = top + (plot.written.from - area.from) * height;
      const right = area.left + levels.length * cell;
      sheet.line([begin - numbersWide - 4, y, right, y], look.ink, { width: 1, isDashed: true });
    }
    const wide = Math.max(...levels.map(({ mark }) => widthOf(mark)));
    for (const l of everyFitting(levels.length, cell, wide + 3))
      sheet.text(levels[l]!.mark, area.left + (l + 0.5) * cell, top - 3, look.ink, { anchor: 'middle' });
    sheet.text(plot.model, area.left + (levels.length * cell) / 2, lineHeight - 2, look.ink, { anchor: 'middle' });
    const every = [1, 2, 5, 10, 20, 50, 100].find((step) => step * height >= 9) ?? 200;
    for (let p = area.from; p < area.to; p++) {
      const place = places[p];
      const y = top + (p - area.from + 0.5) * height + toMiddle;
      if (place?.number && Number(place.number) % every === 0)
        sheet.text(place.number, begin - 4, y, look.ink, { anchor: 'end' });
      if (place && hasText) indented(sheet, look, place.text, begin, y, texts - 6);
    }
  }
  turnedTitle(sheet, look, plot.text, top + (count * height) / 2);
  return top + count * height;
}

const isWithin = (written: MapPlot['written'], from: number, to: number): written is NonNullable<typeof written> =>
  written !== undefined && written.from >= from && written.from < to;

function indented(sheet: Sheet, look: Look, text: string, x: number, y: number, room: number): void {
  const own = text.trimStart();
  const indent = 2.2 * text.slice(0, text.length - own.length).replaceAll('\t', '    ').length;
  const left = room - indent;
  if (left > 0) sheet.text(cut(own.trimEnd(), left), x + indent, y, look.ink, { room: left });
}

/** Of a cell in which a short label can be read. */
const markHeight = 8;

/** Neighbours along the text that look and say the same become one rectangle, so that a large map stays a small file. */
function drawCells(sheet: Sheet, look: Look, plot: MapPlot, { left, top, width, height, from, to }: Area): void {
  const { levels, places, say, runs } = plot;
  const fillAt = cellColours(look, plot);
  const gap = Math.min(width, height) > 5 ? 0.5 : 0;
  const hasMarks = gap > 0 && height >= markHeight && widestMark(plot) < width - gap - 1;
  levels.forEach(({ name }, l) => {
    for (let p = from; p < to;) {
      const [fill, said] = [fillAt(l, p), say(l, p)];
      let end = p + 1;
      while (end < to && gap === 0 && fillAt(l, end) === fill && say(l, end) === said) end++;
      if (fill !== undefined) {
        const numbers = [...new Set([places[p]?.number, places[end - 1]?.number])].join('–');
        const title = `${name}, ${plot.text} ${numbers}: ${said}`;
        const [across, along] = [end - p, p - from];
        if (runs === 'across')
          sheet.rect(left + along * width, top + l * height, across * width - gap, height - gap, fill, title);
        else sheet.rect(left + l * width, top + along * height, width - gap, across * height - gap, fill, title);
        if (hasMarks) {
          const [x, y] = runs === 'across' ? [along, l] : [l, along];
          const middle = left + (x + 0.5) * width - gap / 2;
          sheet.text(plot.who!.mark!(l, p), middle, top + (y + 0.5) * height + toMiddle, inkOn(fill), {
            anchor: 'middle',
          });
        }
      }
      p = end;
    }
  });
}

/** All cells have their short labels or none: those with a narrow one would stand out otherwise. */
function widestMark({ levels, places, who }: MapPlot): number {
  const { mark } = who ?? {};
  if (!mark) return Infinity;
  const marks = new Set(levels.flatMap((_, l) => places.map((_, p) => mark(l, p))));
  return Math.max(...[...marks].map((text) => widthOf(text)));
}

/** In sixteen steps, so that neighbours can have the same colour. */
function cellColours(look: Look, { tone, strength, hues, isPale }: MapPlot) {
  const floor = hues.length > 0 || isPale ? 0.06 : weakest;
  const known = new Map<number, string>();
  return (level: number, place: number): string | undefined => {
    const own = tone(level, place);
    if (own < quiet) return undefined;
    const step = Math.round(strength(level, place) * 16);
    const key = own * 17 + step;
    let fill = known.get(key);
    if (fill === undefined) {
      const full = hues.length > 0 ? look.hues[own]! : look.expert(own).fill;
      known.set(key, (fill = blend(look.background, full, floor + ((1 - floor) * step) / 16)));
    }
    return fill;
  };
}

function keys(sheet: Sheet, look: Look, plot: MapPlot, width: number, top: number): number {
  const { hues, legend, value, scale, isPale, written } = plot;
  const isTwoSided = hues.length > 1;
  const meant: Key[] = [
    ...(isTwoSided ? hues.map((text, i) => ({ is: 'swatch', text, colour: look.hues[i]! }) as const) : []),
    ...(written ? [{ is: 'dashed', text: written.says, colour: look.ink } as const] : []),
  ];
  const y = keysOf(sheet, look, meant, 0, width, legendOf(sheet, look, legend, 0, width, top));
  const [floor, hue] = hues.length > 0 ? [0.06, look.hues[0]] : [isPale ? 0.06 : weakest, look.faint];
  return rampOf(
    sheet,
    look,
    { title: value.title, ...scale },
    (strength) => blend(look.background, hue, floor + (1 - floor) * strength),
    0,
    y,
    width,
  );
}

/** For the data: all cells that show something. */
export function* cellsOf({ places, levels, tone }: MapPlot): Generator<{ level: number; place: number; at: Place }> {
  for (const [place, at] of places.entries())
    for (const level of levels.keys()) if (at && tone(level, place) >= quiet) yield { level, place, at };
}

/** The map as data for a figure: all of the text in the map's form, whatever is scrolled away. */
import { quiet } from '../../src/look/palette.js';
import { draw } from '../../src/paper/draw.js';
import { paper } from '../../src/paper/look.js';
import type { MapPlot, Place } from '../../src/paper/plot.js';
import { svgOf } from '../../src/paper/svg.js';
import { isMeasure } from '../../src/trace/figures/colouring.js';
import { firstWritten } from '../../src/trace/model/access.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { columnOf, tokenAt } from '../map/columns.js';
import type { MapContent } from '../map/content.js';
import { rowMark } from '../map/gutters.js';
import { linesOf } from '../map/lines.js';
import { cellAt, isOnlyChosen, shareAt, turn, type Raster } from '../map/model.js';
import type { Picture } from '../map/picture.js';
import type { GridScene } from '../map/scene.js';
import { mapCaption, mapTitle } from '../map/toolbar.js';
import { axisTitles, columnName, rowName, sayings } from '../map/words.js';
import { named, shortLabelOf } from '../look/looks.js';
import { plainName } from '../look/names.js';
import { ends, fixed, inPercent, percent, t } from '../look/strings.js';
import { sideName } from '../store/sides.js';
import { strategyTitle } from '../store/strategies.js';
import { captionOf, type Shown } from './caption.js';
import { say, sentences } from '../saving/strings.js';

export interface MapFigure {
  readonly title: string;
  /** What a cell is. */
  readonly says: string;
  readonly plot: MapPlot;
}

export function mapFigure(scene: GridScene): MapFigure | undefined {
  const [trace, content] = [scene.trace.peek(), scene.whole()];
  if (!trace || !content) return undefined;
  const plot = mapPlot(scene, trace, content);
  return {
    title: mapTitle(scene),
    says: sentences([
      mapCaption(scene, trace, content.raster),
      plot.written ? say('dashedLine', plot.written.says) : '',
    ]),
    plot,
  };
}

/** The runs that the map shows. */
export function shownIn({ store, side, isChange }: GridScene): Shown {
  return isChange.peek() && store.other.choices.peek() ? 'both' : side.peek();
}

/** For a report: the map as wide as a page, and its caption. */
export function reportFigure(scene: GridScene): { readonly svg: string; readonly caption: string } {
  const figure = mapFigure(scene);
  if (!figure) return { svg: '', caption: '' };
  const caption = captionOf(scene.store, shownIn(scene), figure);
  return { svg: svgOf(draw(figure.plot, paper, 174, figure.title)), caption };
}

/** The map as it is seen; undefined while there is none. */
export function pictureOf(scene: GridScene): Picture | undefined {
  const [content, seen, trace] = [scene.content.peek(), scene.frame(), scene.trace.peek()];
  if (!content || !seen || !trace) return undefined;
  const { store } = scene;
  const { title, shownExperts } = store.side(scene.side.peek());
  const parts =
    shownIn(scene) === 'both'
      ? [t('namesAnd', sideName(store, 'main'), sideName(store, 'other'))]
      : [title.peek(), strategyTitle(store, trace.router.name)];
  const frame = { ...seen, ratio: Math.max(2, seen.ratio) };
  const { value, scale } = numbersOf(content.raster);
  return {
    title: parts.filter(Boolean).join(' · '),
    trace,
    set: shownExperts.peek()?.set,
    content,
    frame,
    // A change has two hues, which no scale of one says.
    ...(content.hues && !content.raster.change && { scale: t('scaleOf', value.title, scale.weak, scale.strong) }),
  };
}

function mapPlot(scene: GridScene, trace: Trace, content: MapContent): MapPlot {
  const { raster, cells, looks, hues } = content;
  const { isTurned, rows } = raster;
  const says = sayings(content);
  // On the screen, lines are rows.
  const at = (level: number, place: number) => {
    const { row, column } = turn(raster, { row: level, column: place });
    return { down: row, across: column, cell: row * cells.columns + column };
  };
  const set = scene.shownExperts.peek()?.set;
  const chosen = scene.shownExperts.peek()?.layer ? [] : scene.store.view.filter.peek().experts;
  const inLegend = (e: number) => chosen.length === 0 || chosen.includes(set!.experts[e]!.id);
  const isByExpert = rows.some(({ expert }) => expert !== undefined);
  const { text, model } = axisTitles(raster);
  return {
    kind: 'map',
    runs: isTurned ? 'down' : 'across',
    text,
    places: placesOf(trace, content),
    model,
    levels: rows.map((row) => ({ mark: rowMark(row), name: rowName(trace, row) })),
    tone: (level, place) => cells.tone[at(level, place).cell]!,
    strength: (level, place) => cells.strength[at(level, place).cell]!,
    say: (level, place) => {
      const { down, across } = at(level, place);
      return says(down, across);
    },
    ...(!hues && {
      who: {
        title: t('expert'),
        of: (level, place) => expertAt(raster, level, place, plainName),
        ...(!isByExpert && { mark: (level, place) => expertAt(raster, level, place, shortLabelOf) }),
      },
    }),
    ...numbersOf(raster),
    legend:
      hues || !set
        ? []
        : set.experts.flatMap((_, e) => (looks(set).slots[e] === quiet || !inLegend(e) ? [] : [named(looks(set), e)])),
    hues: raster.shows === 'change' ? [say('lessLikely'), say('likelier')] : hues ? [''] : [],
    isPale: raster.isPale === true,
    ...writtenIn(scene, trace, content),
  };
}

/** Where the text that the model wrote begins. */
function writtenIn(scene: GridScene, trace: Trace, { raster }: MapContent): Pick<MapPlot, 'written'> {
  const given = scene.side.peek() === 'main' ? scene.store.main.given.peek() : undefined;
  const last = trace.sequences.length - 1;
  const first = firstWritten(trace.sequences[last]!, given);
  if (given === undefined || first === trace.sequences[last]!.tokens.count) return {};
  for (const { sequence, from, count, lines } of raster.columns.spans) {
    if (sequence !== last) continue;
    const text = trace.sequences[last]!.text ?? '';
    const hasText = (begin: number, end?: number) => /\S/.test(text.slice(begin, end));
    // A line break alone is no line of the model's.
    const at = lines
      ? lines.start.findIndex(
          (begin, i) =>
            i < count && hasText(Math.max(begin, given), Math.max(given, lines.start[i + 1] ?? text.length)),
        )
      : columnOf(raster.columns, sequence, first) - from;
    if (at < 0) continue;
    const isWithin = lines !== undefined && hasText(Math.min(lines.start[at]!, given), given);
    return { written: { from: from + at, says: say(isWithin ? 'writtenWithin' : 'writtenFrom') } };
  }
  return {};
}

/** Empty where there is none. */
function expertAt(raster: Raster, row: number, column: number, called: typeof shortLabelOf): string {
  const part = cellAt(raster, column, row)?.part;
  const e = raster.expert[row * raster.columns.count + column]!;
  return part && e >= 0 ? called(part.set, e) : '';
}

/** The number behind the colours, and what their scale is. */
function numbersOf(raster: Raster): Pick<MapPlot, 'value' | 'scale'> {
  const { shows, measured, scale, change, isPale, columns, isTurned } = raster;
  const cell = (row: number, column: number) => row * columns.count + column;
  if (isMeasure(shows) && measured && scale) {
    const [weak, strong] = ends(scale);
    const value = {
      title: isTurned ? say('meanOfLine', t(`colour_${shows}`)) : t(`colour_${shows}`),
      of: (row: number, column: number) => measured[cell(row, column)]!,
    };
    return { value, scale: { weak, strong } };
  }
  if (change && scale) {
    // Both hues have one ramp, from 0 to the size at either end.
    const most = `±${fixed(scale.strong)}`;
    const value = { title: say('logProbChange'), unit: 'nats', of: (_: number, column: number) => change[column]! };
    return { value, scale: { weak: fixed(0), strong: scale.isPast.some(Boolean) ? say('orMore', most) : most } };
  }
  const of = (row: number, column: number) => shareAt(raster, cell(row, column));
  if (shows === 'difference')
    return { value: { ...inPercent(t('scaleChoices')), of }, scale: { weak: percent(0), strong: percent(1) } };
  const isOfLine = isTurned && (isPale === true || isOnlyChosen(raster));
  const title = isOfLine ? say('shareOfLine') : isTurned ? say('shareOfTokens') : t('shareOfWeight');
  return { value: { ...inPercent(title), of }, scale: { weak: say('smaller'), strong: say('larger') } };
}

function placesOf(trace: Trace, { raster, labels }: MapContent): (Place | undefined)[] {
  const { columns, isTurned } = raster;
  const places = new Array<Place | undefined>(columns.count).fill(undefined);
  for (const { sequence, from, count, lines } of columns.spans) {
    const own = trace.sequences[sequence]!;
    const ofToken = lines ? undefined : linesOf(own);
    for (let i = 0; i < count; i++) {
      const column = from + i;
      if (lines) {
        const text = own.text!.slice(lines.start[i], lines.start[i + 1]);
        places[column] = {
          number: isTurned ? labels[column]! : columnName(raster, column, labels),
          text,
          begins: true,
        };
        continue;
      }
      const line = ofToken?.of[i] ?? -1;
      places[column] = {
        number: String(tokenAt(columns, column)!.token + 1),
        text: labels[column]!,
        begins: ofToken !== undefined && line >= 0 && ofToken.first[line] === i,
      };
    }
  }
  return places;
}

/** The map in words: its rows, columns and cells. */
import { range } from 'd3-array';
import { isMeasure } from '../../src/trace/figures/colouring.js';
import { leadMost } from '../../src/trace/figures/leaders.js';
import type { SharedModules } from '../../src/trace/model/access.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { expertName, layerName, listed, plainName, moduleName, tokenPlace } from '../look/names.js';
import { shortLabelOf } from '../look/looks.js';
import { ends, fixed, percent, signed, t } from '../look/strings.js';
import { quoted, spoken } from '../look/tokens.js';
import type { Store } from '../store/store.js';
import { columnOf, isBlankLine, sequencesOf, tokenAt } from './columns.js';
import type { MapContent } from './content.js';
import type { Place } from './geometry.js';
import type { GridScene } from './scene.js';
import { cellAt, choicesAt, hidden, nothing, shareAt, turn, type Choice, type Raster, type Row } from './model.js';

export function rowName(trace: Trace, row: Row): string {
  const set = row.parts.find((part) => part !== undefined)?.set;
  if (row.expert !== undefined && set) return expertName(set, row.expert, row);
  return row.module >= 0 ? moduleName(trace.modules[row.module]!) : layerName(row);
}

/** What runs along the text and along the model, in a word each. */
export function axisTitles({ rows, isTurned }: Raster): { readonly text: string; readonly model: string } {
  const isByExpert = rows.some(({ expert }) => expert !== undefined);
  return {
    text: t(isTurned ? 'lineHead' : 'tokenHead'),
    model: t(isByExpert ? 'expert' : rows.every(({ module }) => module >= 0) ? 'module' : 'layerHead'),
  };
}

/** The figure that the map is, by what colours it: a change is one of choices or one of log-probabilities. */
export function explainedAs({ colouredBy, changes }: Store) {
  const by = colouredBy.value;
  return by === 'change' && changes.value?.[0]?.by === 'logProb' ? 'map_changeLogProb' : (`map_${by}` as const);
}

/** What the colours of the text mean, if the same colour is another number in the map. */
export function textScaleOf({ scale, textScale }: GridScene): ReturnType<typeof ends> | undefined {
  const [map, text] = [scale.value, textScale.value];
  if (!map || !text || Number.isNaN(text.weak)) return undefined;
  const own = ends(text);
  return ends(map).join() === own.join() ? undefined : own;
}

/** The number that colours a cell; empty if none does. */
export function measureAt({ shows, measured }: Raster, cell: number): string {
  const value = measured?.[cell] ?? NaN;
  return isMeasure(shows) && !Number.isNaN(value) ? `${t(`colour_${shows}`)} ${fixed(value)}` : '';
}

/** What to say about a cell besides its choices. */
export function remarks(raster: Raster, at: Place, isThere: boolean): string[] {
  if (!isThere) return [t('elsewhereCell')];
  const cell = at.row * raster.columns.count + at.column;
  const said: string[] = [];
  const kind = raster.expert[cell]!;
  if (kind < 0) said.push(without(raster, kind));
  const measure = measureAt(raster, cell);
  if (measure) said.push(measure);
  if (kind >= 0 && raster.changed) said.push(changedWords(raster.changed[cell]!));
  return said;
}

/** Whether a what-if changed what a cell stands for. @param share of its choices that changed */
export function changedWords(share: number): string {
  if (share === 0) return t('changedNone');
  return share === 1 ? t('changedCell') : t('changedShare', percent(share));
}

export const isChange = ({ shows }: Pick<Raster, 'shows'>): boolean => shows === 'difference' || shows === 'change';

export function changeWords(change: number): string {
  if (Number.isNaN(change)) return t('unknownCell');
  return t(change < 0 ? 'changeWorse' : 'changeBetter', signed(change));
}

export function differs(raster: Raster, at: Place): string {
  const cell = at.row * raster.columns.count + at.column;
  const kind = raster.expert[cell]!;
  if (kind < 0) return without(raster, kind);
  return raster.change ? changeWords(raster.change[at.column]!) : t('differs', percent(raster.strength[cell]!));
}

/** Why nothing is said about a cell, or about several. @param kind what they have instead of an expert */
export function without(raster: Pick<Raster, 'shows'>, kind: number): string {
  if (kind === hidden) return t('hiddenCell');
  return t(kind !== nothing ? 'unknownCell' : isChange(raster) ? 'notInOther' : 'noChoice');
}

export const weightOf = ({ weight }: Choice, isSum: boolean): string =>
  weight === undefined ? '' : isSum ? percent(weight) : fixed(weight);

/** The number of a column's token, from 1, or of its line; a gap has its neighbour's. */
export function columnName({ columns, isTurned }: Raster, column: number, labels: readonly string[]): string {
  const own = columns.spans.findLast(({ from }) => from <= column);
  if (!isTurned) return String(Math.min(column - own!.from, own!.count - 1) + 1);
  // A piece of a long line has the number of the line's beginning.
  for (let at = column; at >= own!.from; at--) if (labels[at]) return labels[at]!;
  return '';
}

/** The expert that leads most of a line's tokens, or their mean. */
export function lineCell(
  raster: Raster,
  at: Place,
  row: Row,
  part: SharedModules | undefined,
  isBrief = false,
): string {
  const cell = at.row * raster.columns.count + at.column;
  const e = raster.expert[cell]!;
  if (part && e === nothing && row.expert !== undefined) return t('lineShare', percent(0));
  if (!part || e < 0) return remarks(raster, at, part !== undefined).join(', ');
  if (isChange(raster)) return differs(raster, at);
  if (raster.measured && isMeasure(raster.shows))
    return t('windowMean', t(`colour_${raster.shows}`), fixed(raster.measured[cell]!));
  const name = plainName(part.set, e);
  const share = percent(shareAt(raster, cell));
  if (row.expert !== undefined) return t('lineShare', share);
  if (raster.isFiltered?.[at.row]) return t('lineHas', name, share);
  const leaders = lineLeaders(raster, at);
  const led = leaders.filter((leader) => leader >= 0);
  const { experts } = leadMost(led);
  const isTie = experts.length > 1;
  const names = isTie
    ? listed(
        experts.map((one) => plainName(part.set, one)),
        isBrief ? 2 : 3,
      )
    : name;
  const key = `${isTie ? 'lineLead' : 'lineLeads'}${isBrief ? 'Brief' : ''}` as const;
  return led.length < leaders.length ? t(`${key}Of`, names, share, led.length) : t(key, names, share);
}

/** The leading expert of each token of a line; none if the raster does not know its tokens. */
function lineLeaders({ tokens, columns }: Raster, { column, row }: Place): number[] {
  const span = columns.spans.find(({ from, count }) => column >= from && column < from + count);
  const from = tokens?.columns.spans.find(({ sequence }) => sequence === span?.sequence)?.from;
  if (!tokens || !span?.lines || from === undefined) return [];
  const { first, end, of } = span.lines;
  const line = column - span.from;
  return range(Math.max(0, first[line]!), end[line]!)
    .filter((token) => of[token] === line)
    .map((token) => tokens.expert[row * tokens.columns.count + from + token]!);
}

/** Why a line has no cells, or paler ones than its number calls for; empty if neither. @param column a line's */
export function lineRemark(raster: Raster, column: number, labels: readonly string[]): string {
  const { columns, shows } = raster;
  const isBlank = isBlankLine(columns, column);
  if (isBlank === undefined) return '';
  if (!tokenAt(columns, column))
    return t(isBlank ? 'lineBreakAbove' : 'lineNoToken', columnName(raster, column, labels));
  return isBlank && shows === 'experts' ? t('lineBlank') : '';
}

/** Empty if no token begins in the line. */
export function cellWords(raster: Raster, at: Place): string {
  const cell = cellAt(raster, at.column, at.row);
  return cell ? lineCell(raster, at, cell.row, cell.part) : '';
}

/** The same as short as can be: of the experts that lead, one’s short label and how many more there are; and the number. */
export function cellMark(raster: Raster, at: Place): string {
  const cell = cellAt(raster, at.column, at.row);
  if (!cell) return '';
  const { row, part } = cell;
  const i = at.row * raster.columns.count + at.column;
  const e = raster.expert[i]!;
  if (!part || e < 0) return '–';
  if (raster.change) return signed(raster.change[at.column]!);
  if (isChange(raster)) return percent(raster.strength[i]!);
  if (raster.measured) return fixed(raster.measured[i]!);
  const share = percent(shareAt(raster, i));
  if (row.expert !== undefined) return share;
  const { experts } = leadMost(raster.isFiltered?.[at.row] ? [] : lineLeaders(raster, at));
  const first = shortLabelOf(part.set, experts.length > 1 ? experts[0]! : e);
  return [first, ...(experts.length > 1 ? [`+${experts.length - 1}`] : []), share].join(' ');
}

/** The words for a cell, by its place on the screen, without the tokens that it stands for. */
export function sayings({
  raster,
  hues,
}: Pick<MapContent, 'raster' | 'hues'>): (down: number, across: number) => string {
  const { rows, columns, expert, isTurned } = raster;
  const sequenceOf = sequencesOf(columns);
  return (down, across) => {
    const { row, column } = turn(raster, { row: down, column: across });
    if (isTurned) return cellWords(raster, { row, column });
    const set = rows[row]!.parts[sequenceOf[column]!]?.set;
    const e = expert[row * columns.count + column]!;
    if (e < 0 || !set) return '';
    if (raster.measured) return measureAt(raster, row * columns.count + column);
    return hues ? differs(raster, { row, column }) : expertName(set, e, rows[row]!);
  };
}

/** Words for the screen reader. @param labels numbers of lines */
export function describe(trace: Trace, raster: Raster, at: Place, labels: readonly string[]): string {
  const cell = cellAt(raster, at.column, at.row);
  if (!cell) return t('gridRole');
  const { row, part, sequence, token } = cell;
  if (raster.isTurned)
    return [describeToken(trace, raster, at.column, labels), rowName(trace, row), lineCell(raster, at, row, part)].join(
      ', ',
    );
  const parts = [
    spoken(trace.sequences[sequence]!, token),
    tokenPlace(trace.sequences, sequence, token),
    rowName(trace, row),
  ];
  if (isChange(raster)) return [...parts, differs(raster, at)].join(', ');
  if (part)
    for (const { expert, weight } of choicesAt(trace, part, token))
      parts.push(`${plainName(part.set, expert)}${weight === undefined ? '' : ` ${fixed(weight)}`}`);
  return [...parts, ...remarks(raster, at, part !== undefined)].join(', ');
}

/** For one line or two: where, what colours the cell, and the first of its experts. @param isBrief of several that lead equally often, fewer */
export function inBrief(trace: Trace, raster: Raster, at: Place, labels: readonly string[], isBrief = true): string {
  const cell = cellAt(raster, at.column, at.row);
  if (!cell) return t('gridRole');
  const { row, part } = cell;
  const where = describeToken(trace, raster, at.column, labels);
  if (raster.isTurned) return [where, rowName(trace, row), lineCell(raster, at, row, part, isBrief)].join(' · ');
  if (isChange(raster)) return [where, rowName(trace, row), differs(raster, at)].join(', ');
  return [where, rowName(trace, row), ...remarks(raster, at, part !== undefined), firstOf(trace, cell, 3)]
    .filter(Boolean)
    .join(', ');
}

/** The experts that a token chose first, with their weights, and how many more. @param most that are named */
function firstOf(trace: Trace, { part, token }: NonNullable<ReturnType<typeof cellAt>>, most: number): string {
  const all = part ? choicesAt(trace, part, token) : [];
  const names = all
    .slice(0, most)
    .map(({ expert, weight }) =>
      [plainName(part!.set, expert), weight === undefined ? '' : fixed(weight)].join(' ').trim(),
    );
  return names.join(', ') + (all.length > most ? ` ${t('chosenMore', all.length - most)}` : '');
}

/** The same for one token that is selected in a map of lines. @param column its line's */
export function tokenInBrief(
  trace: Trace,
  lines: Raster & { readonly tokens: Raster },
  { column, row }: Place,
  { sequence, token }: { readonly sequence: number; readonly token: number },
  labels: readonly string[],
  isBrief: boolean,
): string {
  const { tokens } = lines;
  const at = { column: columnOf(tokens.columns, sequence, token), row };
  const line = t('lineOf', columnName(lines, column, labels));
  if (row < 0) return [line, describeToken(trace, tokens, at.column, labels)].join(', ');
  const cell = cellAt(tokens, at.column, row);
  if (!isBrief || !cell) return [line, inBrief(trace, tokens, at, labels)].join(', ');
  const measured = measureAt(tokens, row * tokens.columns.count + at.column);
  const said = isChange(tokens) ? differs(tokens, at) : measured || firstOf(trace, cell, 2);
  return [`${line}, ${quoted(trace.sequences[sequence]!, token)}`, rowName(trace, cell.row), said].join(' · ');
}

export function describeToken(trace: Trace, raster: Raster, column: number, labels: readonly string[]): string {
  const at = tokenAt(raster.columns, column);
  if (!at) return '';
  const { sequence, token, end } = at;
  if (raster.isTurned) {
    const line = t('lineOf', columnName(raster, column, labels));
    const place = trace.sequences.length > 1 ? t('inSequence', t(trace.sequences[sequence]!.role), line) : line;
    return `${place}, ${t('tokens', end - token)}`;
  }
  return [quoted(trace.sequences[sequence]!, token), tokenPlace(trace.sequences, sequence, token)].join(', ');
}

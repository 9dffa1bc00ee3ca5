/** One cell of the grid in words: aloud, and in the box beside the pointer. */
import { isMeasure } from '../../src/trace/figures/colouring.js';
import type { SharedSites } from '../../src/trace/model/access.js';
import { tokenLabel, visible } from '../../src/trace/text/label.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { Badge } from '../components/expert.js';
import type { Looks } from '../look/looks.js';
import { expertName, layerName, plainName, siteName, tokenPlace } from '../look/names.js';
import { fixed, percent, signed, t } from '../look/strings.js';
import { spoken } from '../look/tokens.js';
import { tokenAt } from './columns.js';
import type { Place } from './geometry.js';
import type { RowLoad } from './loads.js';
import type { GridScene } from './scene.js';
import { cellAt, choicesAt, hidden, nothing, unknown, type Choice, type Raster, type Row } from './model.js';

export function rowName(trace: Trace, row: Row): string {
  const set = row.parts.find((part) => part !== undefined)?.set;
  if (row.expert !== undefined && set) return expertName(set, row.expert, row);
  return row.site >= 0 ? siteName(trace.sites[row.site]!) : layerName(row);
}

/** The number that colours a cell; empty where none does. */
export function measureAt({ shows, measured }: Raster, cell: number): string {
  const value = measured?.value[cell] ?? NaN;
  return isMeasure(shows) && !Number.isNaN(value) ? `${t(`colour_${shows}`)} ${fixed(value)}` : '';
}

/** What there is to say of a cell beside its choices. */
function remarks(raster: Raster, at: Place, row: Row, isThere: boolean): string[] {
  if (!isThere) return [t('elsewhereCell')];
  const cell = at.row * raster.columns.count + at.column;
  const said: string[] = [];
  const kind = raster.expert[cell]!;
  if (kind === hidden) said.push(t('hiddenCell'));
  else if (kind === unknown) said.push(t('unknownCell'));
  else if (kind === nothing) said.push(t('noChoice'));
  const measure = measureAt(raster, cell);
  if (measure) said.push(measure);
  const changed = raster.changed?.[cell] ?? 0;
  if (changed > 0) said.push(row.site >= 0 ? t('changedCell') : t('changedShare', percent(changed)));
  return said;
}

const isChange = ({ shows }: Raster): boolean => shows === 'difference' || shows === 'change';

export function changeWords(change: number): string {
  if (Number.isNaN(change)) return t('unknownCell');
  return t(change < 0 ? 'changeWorse' : 'changeBetter', signed(change));
}

export function differs(raster: Raster, at: Place): string {
  const cell = at.row * raster.columns.count + at.column;
  if (raster.change) return changeWords(raster.change[at.column]!);
  return raster.expert[cell]! < 0 ? t('noChoice') : t('differs', percent(raster.strength[cell]!));
}

const weightOf = ({ weight }: Choice, isSum: boolean): string =>
  weight === undefined ? '' : isSum ? percent(weight) : fixed(weight);

/** The number of a column's token, from 1, or of its line; that of a gap is its neighbour's. */
export function columnName({ columns, isTurned }: Raster, column: number, labels: readonly string[]): string {
  const own = columns.spans.findLast(({ from }) => from <= column);
  if (!isTurned) return String(Math.min(column - own!.from, own!.count - 1) + 1);
  // A piece of a long line is called as its beginning is.
  for (let at = column; at >= own!.from; at--) if (labels[at]) return labels[at]!;
  return '';
}

/** Who leads most of a line's tokens, or what is the mean of them. */
function lineCell(raster: Raster, at: Place, row: Row, part: SharedSites | undefined): string {
  const cell = at.row * raster.columns.count + at.column;
  const e = raster.expert[cell]!;
  if (!part || e < 0) return remarks(raster, at, row, part !== undefined).join(', ');
  if (isChange(raster)) return differs(raster, at);
  if (raster.measured && isMeasure(raster.shows))
    return t('windowMean', t(`colour_${raster.shows}`), fixed(raster.measured.value[cell]!));
  const name = plainName(part.set, e);
  return raster.share
    ? t('lineShare', percent(raster.share[cell]!))
    : t('lineLeads', name, percent(raster.strength[cell]!));
}

/** Empty where no token begins in the line. */
export function cellWords(raster: Raster, at: Place): string {
  const cell = cellAt(raster, at.column, at.row);
  return cell ? lineCell(raster, at, cell.row, cell.part) : '';
}

/** For the screen reader. @param labels numbers of lines */
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
  return [...parts, ...remarks(raster, at, row, part !== undefined)].join(', ');
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
  return [spoken(trace.sequences[sequence]!, token), tokenPlace(trace.sequences, sequence, token)].join(', ');
}

/** How evenly a row's own experts are used. */
export function RowTip({
  trace,
  row,
  load: found,
  hint,
}: {
  readonly trace: Trace;
  readonly row: Row;
  readonly load: RowLoad | undefined;
  /** What a click does. */
  readonly hint: 'rowHint' | 'rowOpen' | 'rowClose' | undefined;
}) {
  return (
    <>
      <div class="tipTitle">{rowName(trace, row)}</div>
      {found && (
        <>
          <div class="tipRow">
            <span class="name">{t('loadEffective')}</span>
            <span class="value">{t('of', fixed(found.load.effective, 1), found.experts)}</span>
          </div>
          <div class="tipRow faint">
            <span class="name">{t('chance')}</span>
            <span class="value">{fixed(found.chance.effective, 1)}</span>
          </div>
          <div class="tipRow">
            <span class="name">{t('loadDead')}</span>
            <span class="value">{found.load.dead.length}</span>
          </div>
        </>
      )}
      {hint && <div class="faint">{t(hint)}</div>}
    </>
  );
}

/** A line's text, and what colours it in the margin. */
export function LineTip({
  trace,
  scene,
  column,
}: {
  readonly trace: Trace;
  readonly scene: GridScene;
  readonly column: number;
}) {
  const [raster, margin] = [scene.raster.value!, scene.margin.value];
  const at = tokenAt(raster.columns, column);
  if (!at) return null;
  const { text, tokens } = trace.sequences[at.sequence]!;
  return (
    <>
      <div class="tipTitle">
        <code>{visible(text!.slice(tokens.start![at.token], tokens.end![at.end - 1]).trim())}</code>
      </div>
      <div>{describeToken(trace, raster, column, scene.labels.value)}</div>
      {margin && <div>{lineCell(margin, { column, row: 0 }, margin.rows[0]!, margin.rows[0]!.parts[at.sequence])}</div>}
    </>
  );
}

export function CellTip({
  trace,
  raster,
  at,
  labels,
  looks,
}: {
  readonly trace: Trace;
  readonly raster: Raster;
  readonly at: Place;
  readonly labels: readonly string[];
  readonly looks: (set: Looks['set']) => Looks;
}) {
  const cell = cellAt(raster, at.column, at.row);
  if (!cell) return null;
  if (raster.isTurned) return <div>{describe(trace, raster, at, labels)}</div>;
  const { row, part, sequence, token } = cell;
  const list = part && !isChange(raster) ? choicesAt(trace, part, token) : [];
  const isSum = (part?.sites.length ?? 0) > 1;
  return (
    <>
      <div class="tipTitle">
        <code>{tokenLabel(trace.sequences[sequence]!, token)}</code> {rowName(trace, row)}
      </div>
      {isChange(raster) && <div>{differs(raster, at)}</div>}
      {list.slice(0, 4).map((choice) => (
        <div key={choice.expert} class="tipRow">
          <Badge looks={looks(part!.set)} expert={choice.expert} />
          <span class="name">{expertName(part!.set, choice.expert, row)}</span>
          <span class="value">{weightOf(choice, isSum)}</span>
        </div>
      ))}
      {list.length > 4 && <div class="faint">{t('chosenMore', list.length - 4)}</div>}
      {list.length > 0 && list[0]!.weight === undefined && <div class="faint">{t('weightNone')}</div>}
      {!isChange(raster) && remarks(raster, at, row, part !== undefined).map((said) => <div key={said}>{said}</div>)}
    </>
  );
}

/** The tip beside the pointer: for a cell, several at once, a row or a line. */
import { useLayoutEffect } from 'preact/hooks';
import { isMeasure } from '../../src/trace/figures/colouring.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { tokenLabel, visible } from '../../src/trace/text/label.js';
import { Badge } from '../components/expert.js';
import type { Looks } from '../look/looks.js';
import { expertName } from '../look/names.js';
import { fixed, percent, t, type Word } from '../look/strings.js';
import { stepFor, windowAt, within, type Window } from './cells.js';
import { columnOf, isBlankLine, tokenAt } from './columns.js';
import type { Place } from './geometry.js';
import type { RowLoad } from './loads.js';
import { cellAt, choicesAt, type Raster, type Row } from './model.js';
import type { GridScene } from './scene.js';
import { wasAt } from './was.js';
import {
  changedWords,
  changeWords,
  columnName,
  describe,
  describeToken,
  differs,
  isChange,
  lineCell,
  lineRemark,
  remarks,
  rowName,
  weightOf,
  without,
} from './words.js';

export function Tip({
  scene,
  at,
  drawn,
}: {
  readonly scene: GridScene;
  readonly at: Place;
  readonly drawn: () => void;
}) {
  const [trace, raster] = [scene.trace.value, scene.raster.value];
  useLayoutEffect(drawn);
  const row = raster?.rows[at.row];
  const cell = scene.frame()?.cell;
  if (!trace || !raster || !cell) return null;
  const looks = scene.store.side(scene.side.value).looks.value;
  const step = stepFor(cell);
  const labels = scene.labels.value;
  const hasToken = tokenAt(raster.columns, at.column) !== undefined;
  // Between two texts.
  if (at.column >= 0 && !hasToken && isBlankLine(raster.columns, at.column) === undefined) return null;
  const was = at.column >= 0 && at.row >= 0 ? wasAt(trace, scene.before.value, raster, at) : '';
  return (
    <div class="tip" aria-hidden="true">
      {at.column >= 0 && !hasToken ? (
        <div>{lineRemark(raster, at.column, labels)}</div>
      ) : !row ? (
        <LineTip trace={trace} scene={scene} column={at.column} />
      ) : at.column < 0 ? (
        <RowTip
          trace={trace}
          row={row}
          load={scene.isFlat.value && row.expert === undefined ? scene.loads.value[at.row] : undefined}
          hint={
            row.expert !== undefined
              ? undefined
              : scene.isFlat.value
                ? 'rowHint'
                : row.module < 0
                  ? 'rowOpen'
                  : 'rowClose'
          }
        />
      ) : step.columns * step.rows > 1 && row.expert === undefined ? (
        <WindowTip trace={trace} raster={raster} window={windowAt(raster, at, step)} labels={labels} looks={looks} />
      ) : raster.tokens && !raster.isPale && !raster.isFiltered?.[at.row] ? (
        <WindowTip
          trace={trace}
          raster={raster.tokens}
          window={tokensOf(raster, raster.tokens, at)}
          line={{
            title: describeToken(trace, raster, at.column, labels),
            remarks: [was, lineRemark(raster, at.column, labels)],
          }}
          labels={labels}
          looks={looks}
        />
      ) : (
        <CellTip trace={trace} raster={raster} at={at} labels={labels} looks={looks} was={was} />
      )}
    </div>
  );
}

/** The cells of a line's tokens. */
function tokensOf({ columns }: Raster, tokens: Raster, { column, row }: Place): Window {
  const { sequence, token, end } = tokenAt(columns, column)!;
  return within(
    tokens,
    { column: columnOf(tokens.columns, sequence, token), row },
    { column: columnOf(tokens.columns, sequence, end - 1), row },
  );
}

/** How evenly a row's own experts are used. */
function RowTip({
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
            <span class="value">{t('of', fixed(found.load.effective, 1), found.load.experts)}</span>
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
function LineTip({
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

function CellTip({
  trace,
  raster,
  at,
  labels,
  looks,
  was,
}: {
  readonly trace: Trace;
  readonly raster: Raster;
  readonly at: Place;
  readonly labels: readonly string[];
  readonly looks: (set: Looks['set']) => Looks;
  /** Of a changed cell: what it was. */
  readonly was: string;
}) {
  const cell = cellAt(raster, at.column, at.row);
  if (!cell) return null;
  if (raster.isTurned)
    return (
      <>
        <div>{describe(trace, raster, at, labels)}</div>
        <div class="faint">{lineRemark(raster, at.column, labels)}</div>
      </>
    );
  const { row, part, sequence, token } = cell;
  const list = part && !isChange(raster) ? choicesAt(trace, part, token) : [];
  const isSum = (part?.modules.length ?? 0) > 1;
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
      {!isChange(raster) && remarks(raster, at, part !== undefined).map((said) => <div key={said}>{said}</div>)}
      {was && <div class="faint">{was}</div>}
    </>
  );
}

/** What the experts' numbers count. */
function countedIn({ isPale, isFiltered }: Raster, { from, to, known }: Window, isLine: boolean): Word {
  if (isPale) return 'windowShare';
  if (isFiltered?.[from.row]) return 'windowMost';
  const all = (to.column - from.column + 1) * (to.row - from.row + 1);
  const counted = isLine ? 'lineTokensLed' : 'windowLeads';
  return known < all ? `${counted}Of` : counted;
}

/** For cells too small to be pointed at one by one, and for a line's tokens. */
function WindowTip({
  trace,
  raster,
  window,
  labels,
  line,
  looks,
}: {
  readonly trace: Trace;
  readonly raster: Raster;
  readonly window: Window;
  readonly labels: readonly string[];
  /** Of a line's tokens: its name, and what else there is to say; those that are empty are left out. */
  readonly line?: { readonly title: string; readonly remarks: readonly string[] };
  readonly looks: (set: Looks['set']) => Looks;
}) {
  const { from, to, known, without: kind, shares, mean, changed } = window;
  const names = [from, to].map(({ row }) => rowName(trace, raster.rows[row]!));
  const numbers = [from, to].map(({ column }) => columnName(raster, column, labels));
  const { shows } = raster;
  return (
    <>
      <div class="tipTitle">
        {line?.title ?? t(raster.isTurned ? 'windowLines' : 'windowOf', numbers[0]!, numbers[1]!)},{' '}
        {[...new Set(names)].join(' – ')}
      </div>
      {known === 0 && <div>{without(raster, kind)}</div>}
      {shares.slice(0, 4).map(({ part, row, expert, count }) => (
        <div key={`${row.layer} ${row.module} ${expert}`} class="tipRow">
          <Badge looks={looks(part.set)} expert={expert} />
          <span class="name">{expertName(part.set, expert, row)}</span>
          <span class="value">{percent(raster.isPale ? mean : count / known)}</span>
        </div>
      ))}
      {shares.length > 4 && <div class="faint">{t('chosenMore', shares.length - 4)}</div>}
      {shares.length > 0 && <div class="faint">{t(countedIn(raster, window, line !== undefined))}</div>}
      {[changed === undefined ? '' : changedWords(changed), ...(line?.remarks ?? [])].filter(Boolean).map((said) => (
        <div key={said} class="faint">
          {said}
        </div>
      ))}
      {known > 0 && shares.length === 0 && (
        <div>
          {isMeasure(shows)
            ? t('windowMean', t(`colour_${shows}`), fixed(mean))
            : shows === 'change'
              ? changeWords(mean)
              : t('differs', percent(mean))}
        </div>
      )}
    </>
  );
}

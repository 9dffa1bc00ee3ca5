/** What is said of a window: the cells that are too small to be pointed at one by one. */
import { isMeasure } from '../../src/trace/colouring.js';
import type { Trace } from '../../src/trace/trace.js';
import { Badge } from '../components/expert.js';
import type { Looks } from '../look/looks.js';
import { expertName } from '../look/names.js';
import { fixed, percent, t } from '../look/strings.js';
import { tokenAt } from './columns.js';
import type { Place } from './geometry.js';
import type { Raster } from './model.js';
import { windowAt, type Step } from './cells.js';
import { changeWords, rowName } from './words.js';

export function WindowTip({
  trace,
  raster,
  at,
  step,
  looks,
}: {
  readonly trace: Trace;
  readonly raster: Raster;
  readonly at: Place;
  readonly step: Step;
  readonly looks: (set: Looks['set']) => Looks;
}) {
  const { from, to, known, shares, mean } = windowAt(raster, at, step);
  const tokens = [from, to].map(({ column }) => tokenAt(raster.columns, column)).filter((one) => one !== undefined);
  const names = [from, to].map(({ row }) => rowName(trace, raster.rows[row]!));
  const { shows } = raster;
  return (
    <>
      <div class="tipTitle">
        {t('windowOf', (tokens[0]?.token ?? 0) + 1, (tokens.at(-1)?.token ?? 0) + 1)}, {[...new Set(names)].join(' – ')}
      </div>
      {known === 0 && <div>{t('noChoice')}</div>}
      {shares.slice(0, 4).map(({ part, row, expert, count }) => (
        <div key={`${row.layer} ${row.site} ${expert}`} class="tipRow">
          <Badge looks={looks(part.set)} expert={expert} />
          <span class="name">{expertName(part.set, expert, row)}</span>
          <span class="value">{percent(count / known)}</span>
        </div>
      ))}
      {shares.length > 4 && <div class="faint">{t('chosenMore', shares.length - 4)}</div>}
      {shares.length > 0 && <div class="faint">{t('windowLeads')}</div>}
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

/** What is said of several cells at once: of those too small to be pointed at one by one, and of a line's tokens. */
import { isMeasure } from '../../src/trace/figures/colouring.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { Badge } from '../components/expert.js';
import type { Looks } from '../look/looks.js';
import { expertName } from '../look/names.js';
import { fixed, percent, t } from '../look/strings.js';
import type { Raster } from './model.js';
import type { Window } from './cells.js';
import { changeWords, columnName, rowName } from './words.js';

export function WindowTip({
  trace,
  raster,
  window: { from, to, known, shares, mean },
  labels,
  title,
  looks,
}: {
  readonly trace: Trace;
  readonly raster: Raster;
  readonly window: Window;
  readonly labels: readonly string[];
  /** Default: which columns they are. */
  readonly title?: string;
  readonly looks: (set: Looks['set']) => Looks;
}) {
  const names = [from, to].map(({ row }) => rowName(trace, raster.rows[row]!));
  const numbers = [from, to].map(({ column }) => columnName(raster, column, labels));
  const { shows } = raster;
  return (
    <>
      <div class="tipTitle">
        {title ?? t(raster.isTurned ? 'windowLines' : 'windowOf', numbers[0]!, numbers[1]!)},{' '}
        {[...new Set(names)].join(' – ')}
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

import type { BarsPlot, Quantity } from '../../src/paper/plot.js';
import type { Interval } from '../../src/statistics/bootstrap.js';
import { classOf, named, type Looks } from '../look/looks.js';
import { t } from '../look/strings.js';
import { plainName } from '../look/names.js';
import { classes } from './controls.js';
import { Badge } from './expert.js';
import { scaleOf } from '../../src/paper/scale.js';

export interface Bar {
  readonly expert: number;
  readonly value: number;
  readonly text: string;
  readonly low?: number;
  readonly high?: number;
  readonly mark?: string;
  /** The value that chance would give. */
  readonly reference?: number;
  /** Stands instead of a bar where there is nothing to measure. */
  readonly note?: string | undefined;
  readonly weak?: boolean;
  /** If the bars belong to several sets: how this bar's set looks, and the bar's name among all sets. */
  readonly looks?: Looks;
  readonly name?: string;
}

/** A bar's whisker; none if there is no interval. */
export const whiskerOf = (interval: Interval | undefined): Pick<Bar, 'low' | 'high'> =>
  interval && !Number.isNaN(interval.low) ? interval : {};

/** In characters: longer names get more room. */
const longName = 16;

/** The same as data. @param value what the bars measure */
export function barsPlot(
  looks: Looks,
  list: readonly Bar[],
  value: Quantity,
  more: Pick<BarsPlot, 'reference' | 'interval' | 'weak'> = {},
): BarsPlot {
  const bars = list.map(({ expert, weak, looks: own, name, ...bar }) => ({
    ...bar,
    of: named(own ?? looks, expert, name),
    isWeak: weak,
  }));
  return { kind: 'bars', of: t('expert'), value, bars, ...more };
}

interface TrackProps extends Pick<Bar, 'value' | 'low' | 'high' | 'reference'> {
  /** Where a value is, in percent of the width. */
  readonly at: (value: number) => number;
  /** Values lie on both sides of 0. */
  readonly hasZero: boolean;
}

/** A bar with its interval. */
export function Track({ value, low, high, reference, at, hasZero }: TrackProps) {
  const [from, to] = [at(Math.min(0, value)), at(Math.max(0, value))];
  return (
    <span class="track">
      <span class="fill" style={{ left: `${from}%`, width: `${Math.max(0.4, to - from)}%` }} />
      {hasZero && <span class="zero" style={{ left: `${at(0)}%` }} />}
      {low !== undefined && high !== undefined && (
        <span class="whisker" style={{ left: `${at(low)}%`, width: `${at(high) - at(low)}%` }} />
      )}
      {reference !== undefined && <span class="reference" style={{ left: `${at(reference)}%` }} />}
    </span>
  );
}

/** Experts with a value each, in HTML so that text wraps and scales like the editor's. @param least the scale goes at least this far */
export function Bars({
  looks,
  list,
  least,
  press,
}: {
  readonly looks: Looks;
  readonly list: readonly Bar[];
  readonly least: number;
  readonly press?: (expert: number) => void;
}) {
  const low = Math.min(0, ...list.map((bar) => bar.low ?? bar.value));
  const high = Math.max(least, low + 1e-9, ...list.map((bar) => Math.max(bar.high ?? bar.value, bar.reference ?? 0)));
  const x = scaleOf([low, high], [0, 100]).at;
  const isMarked = list.some((bar) => bar.mark !== undefined);
  const isLong = list.some(({ name = '' }) => name.length > longName);
  return (
    <div class={classes('bars', isMarked && 'marked', isLong && 'long', list.length > 40 && 'many')}>
      {list.map((bar) => {
        const own = bar.looks ?? looks;
        const name = bar.name ?? plainName(own.set, bar.expert);
        return (
          <div
            key={own.set.experts[bar.expert]!.id}
            class={classes('bar', classOf(own.slots[bar.expert]!), bar.weak && 'weak')}
            onClick={press && (() => press(bar.expert))}
          >
            <Badge looks={own} expert={bar.expert} />
            <span class="name" title={name}>
              {name}
            </span>
            {bar.note === undefined ? (
              <Track {...bar} at={x} hasZero={low < 0} />
            ) : (
              <span class="note">{bar.note}</span>
            )}
            <span class="value">{bar.text}</span>
            {isMarked && <span class="mark">{bar.mark ?? ''}</span>}
          </div>
        );
      })}
    </div>
  );
}

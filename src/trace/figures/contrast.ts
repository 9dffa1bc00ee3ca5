/** Expert usage in a part of a text, compared with the rest of it. */
import { bootstrapContrast, type BootstrapOptions, type Interval } from '../../statistics/bootstrap.js';
import type { SharedModules } from '../model/access.js';
import { parted } from '../text/scopes.js';
import type { TokenRange, Trace } from '../model/trace.js';
import { choicesByToken, isSampled, noInterval, openIntervals, usage, type Usage } from './usage.js';

export interface Contrast {
  readonly inside: Usage;
  readonly outside: Usage;
  /** [N] for the share inside. */
  readonly intervals: readonly Interval[];
  /** [N] share inside − share outside; NaN if either part has no choices. */
  readonly change: Float64Array;
  /** [N] for `change`: whole tokens are resampled, in each part separately. */
  readonly changeIntervals: readonly Interval[];
}

export function contrast(
  trace: Trace,
  modules: SharedModules,
  ranges: readonly TokenRange[],
  options?: BootstrapOptions,
): Contrast {
  const { inside, outside } = parted(modules.sequence, ranges);
  const [here, there] = [usage(trace, modules, inside), usage(trace, modules, outside)];
  const isKnown = here.choices > 0 && there.choices > 0;
  const drawn = bootstrapContrast(
    choicesByToken(trace, modules, inside),
    choicesByToken(trace, modules, outside),
    modules.experts.length,
    options,
  );
  return {
    inside: here,
    outside: there,
    intervals: openIntervals(trace, here, drawn.a),
    change: here.share.map((share, e) => (isKnown ? share - there.share[e]! : NaN)),
    changeIntervals: drawn.difference.map((found, e) =>
      isSampled(trace, here, e) || isSampled(trace, there, e) ? found : noInterval,
    ),
  };
}

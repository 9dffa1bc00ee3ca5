/** Who was chosen at the place that the tab is about. */
import { range, sum } from 'd3-array';
import type { SharedModules } from '../../../src/trace/model/access.js';
import { ranked, shareOfTokens } from '../../../src/trace/figures/leaders.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { choicesAt, isKnownIn, type Choice } from '../../map/model.js';

export interface At {
  readonly trace: Trace;
  readonly sequence: number;
  readonly token: number;
  /** Past the last token: of a single token, or of a line. */
  readonly end: number;
}

/** The experts chosen at some routed modules, the largest share first. */
export function chosenOf({ trace, token, end }: Omit<At, 'sequence'>, part: SharedModules): Choice[] {
  if (end === token + 1) return choicesAt(trace, part, token);
  const shares = shareOfTokens(trace, part, token, end);
  return ranked(shares).map((expert) => ({ expert, weight: shares[expert]! }));
}

/** How many of the tokens something is known about there. */
export const knownOf = ({ trace, token, end }: Omit<At, 'sequence'>, part: SharedModules): number =>
  range(token, end).filter((t) => isKnownIn(trace, part, t)).length;

export interface Lead {
  /** Several of a tie; none if all experts have the same share. Without weights, the one that is named first. */
  readonly experts: readonly number[];
  /** Of all the weight there, which need not add up to 1; undefined without weights. */
  readonly share: number | undefined;
}

/** Who leads among the choices of a place, the largest first. */
export function leadOf(choices: readonly Choice[], { experts }: SharedModules): Lead {
  const most = choices[0]?.weight;
  const first = choices.filter(({ weight }, i) => (most === undefined ? i === 0 : weight === most));
  const isEven = first.length > 1 && first.length === experts.length;
  return {
    experts: isEven || !(most === undefined || most > 0) ? [] : first.map(({ expert }) => expert),
    share: most === undefined ? undefined : most / sum(choices, ({ weight }) => weight),
  };
}

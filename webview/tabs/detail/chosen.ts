/** Who was chosen at the place that the tab is about. */
import type { SharedModules } from '../../../src/trace/model/access.js';
import { ranked, shareOfTokens } from '../../../src/trace/figures/leaders.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { choicesAt, type Choice } from '../../map/model.js';

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

/** A place in a run's texts. */
import type { Sequence } from '../../src/trace/model/trace.js';

/** A token of one sequence; −1: none. `end`: past the last, if it is the first of several. */
export interface Place {
  readonly sequence: number;
  readonly token: number;
  readonly end?: number;
}

export const nowhere: Place = { sequence: 0, token: -1 };

/**
 * The same place, though another model may cut the text into other tokens; nowhere if the text up to there is another one.
 *
 * @param before the sequences that it is in; none, if that is not known
 */
export function samePlace(place: Place, before: readonly Sequence[], now: readonly Sequence[]): Place {
  const [was, is] = [before[place.sequence], now[place.sequence]];
  if (!is) return nowhere;
  if (place.token < 0 || !was) return fitting(place, is);
  const { token, end = token + 1 } = place;
  const [from, to] = [was.tokens.start?.[token], was.tokens.end?.[end - 1]];
  if (from === undefined || to === undefined || was.text === undefined || is.text === undefined)
    return fitting(place, is);
  if (!is.text.startsWith(was.text.slice(0, to))) return nowhere;
  // A token without text.
  if (from < 0 || to < 0 || is.tokens.start?.[token] === from) return fitting(place, is);
  const { start = [], end: ends = [] } = is.tokens;
  const first = ends.findIndex((until) => until > from);
  if (place.end === undefined) return { sequence: place.sequence, token: first };
  const past = start.findIndex((begin, i) => i > first && begin >= to);
  return { sequence: place.sequence, token: first, end: past < 0 ? is.tokens.count : past };
}

/** The same place in a run beside this one. @param partners of each token, −1: none; undefined: not known */
export function across({ sequence, token, end }: Place, partners: Int32Array | undefined): Place {
  const beside = partners?.subarray(token, end ?? token + 1).filter((partner) => partner >= 0) ?? [];
  if (beside.length === 0) return { sequence, token: -1 };
  return { sequence, token: beside[0]!, ...(end !== undefined && { end: beside.at(-1)! + 1 }) };
}

/** Without an end that the text does not have. */
function fitting({ sequence, token, end }: Place, { tokens }: Sequence): Place {
  if (token >= tokens.count) return { sequence, token: -1 };
  return { sequence, token, ...(end !== undefined && end <= tokens.count && { end }) };
}

/** What an attribution says about a text's tokens, for everything that draws it. */
import type { Attribution } from '../../src/requests/api.js';
import { attributionOf, type TokenAttributions } from '../../src/trace/figures/attributed.js';
import type { Expert, ExpertSet, Trace } from '../../src/trace/model/trace.js';
import type { Looks } from '../look/looks.js';
import { expertName } from '../look/names.js';

const kept = new WeakMap<Attribution, TokenAttributions>();

/** Computed once. */
export function attributionIn(found: Attribution): TokenAttributions {
  let attributed = kept.get(found);
  if (!attributed) kept.set(found, (attributed = attributionOf(found)));
  return attributed;
}

export interface Placed {
  readonly looks: Looks;
  /** Index in the looks' set. */
  readonly expert: number;
  readonly name: string;
}

/** Where each expert is in the trace; undefined if nowhere. */
export function placesOf(
  { expertSets, modules }: Trace,
  experts: readonly Expert[],
  looks: (set: ExpertSet) => Looks,
): (Placed | undefined)[] {
  const known = new Map<string, Placed>();
  for (const { expertSet, layer, stack } of modules) {
    const set = expertSets[expertSet]!;
    set.experts.forEach(({ id }, expert) => {
      if (!known.has(id))
        known.set(id, { looks: looks(set), expert, name: expertName(set, expert, { layer, ...(stack && { stack }) }) });
    });
  }
  return experts.map(({ id }) => known.get(id));
}

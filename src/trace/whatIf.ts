/** What interventions do at a site. The engine applies it, and metrics explain a trace by it: it stands here alone. */
import { matches } from './filter.js';
import { isWithin } from './ranges.js';
import type { Intervention, Scope, Site } from './trace.js';

/** What the interventions do at one cell. */
export interface CellBias {
  /** [N] added to the scores before the choice; −∞ for an expert knocked out. */
  readonly bias: Float32Array;
  /** The expert that is applied with weight 1 whatever the scores; −1: none. */
  readonly forced: number;
}

/** Whether a scope tells tokens apart: of another text it means nothing. */
export function isOfTokens({ token, tokens }: Scope): boolean {
  return token !== undefined || tokens !== undefined;
}

/** Whether a scope holds for any token of a site. */
function isAbout(scope: Scope, site: Site): boolean {
  // A token's index means nothing in another sequence.
  const sequence = scope.sequence ?? (isOfTokens(scope) ? 0 : undefined);
  return matches(site, { ...scope, sequence });
}

function holdsAt({ token, tokens }: Scope, t: number): boolean {
  return (token === undefined || token === t) && (tokens === undefined || isWithin(tokens, t));
}

/** Ascending: where what a scope says of tokens begins or ends. */
function edgesOf(scopes: readonly Scope[]): Int32Array {
  const edges = scopes.flatMap(({ token, tokens = [] }) => [
    ...(token === undefined ? [] : [token, token + 1]),
    ...tokens.flat(),
  ]);
  return Int32Array.from(new Set(edges)).sort();
}

/** How many of the edges are at a token or before it. */
function stretchAt(edges: Int32Array, t: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The interventions that concern one site, their experts looked up. */
export class SiteWhatIf {
  /** Whether tokens are told apart; if not, every cell of the site is alike. */
  readonly byToken: boolean;
  readonly #acting: readonly { readonly intervention: Intervention; readonly expert: number }[];
  readonly #experts: number;
  /** Between two of them all tokens are alike. */
  #edges: Int32Array | undefined;
  readonly #made: CellBias[] = [];

  /** @param acting expert as an index into N experts, in the order in which they were given */
  constructor(acting: readonly { readonly intervention: Intervention; readonly expert: number }[], experts: number) {
    this.#acting = acting;
    this.#experts = experts;
    this.byToken = acting.some(({ intervention }) => isOfTokens(intervention.scope));
  }

  at(t: number): CellBias {
    this.#edges ??= edgesOf(this.#acting.map(({ intervention }) => intervention.scope));
    return (this.#made[stretchAt(this.#edges, t)] ??= this.#cell(t));
  }

  /** Later interventions on an expert win over earlier ones; a later knock-out or tilt of a forced expert lifts the force. */
  #cell(t: number): CellBias {
    const bias = new Float32Array(this.#experts);
    let forced = -1;
    for (const { intervention, expert } of this.#acting) {
      if (!holdsAt(intervention.scope, t)) continue;
      if (intervention.action === 'force') {
        forced = expert;
        bias[expert] = 0;
      } else {
        if (forced === expert) forced = -1;
        bias[expert] = intervention.action === 'knock-out' ? -Infinity : intervention.amount;
      }
    }
    return { bias, forced };
  }
}

/**
 * What the interventions do at a site; undefined where none applies. An expert that the site does not have is ignored:
 * requests that name one are refused where they come in.
 */
export function whatIfAt(
  interventions: readonly Intervention[],
  experts: readonly { readonly id: string }[],
  site: Site,
): SiteWhatIf | undefined {
  const acting = interventions
    .filter(({ scope }) => isAbout(scope, site))
    .map((intervention) => ({ intervention, expert: experts.findIndex(({ id }) => id === intervention.expert) }))
    .filter(({ expert }) => expert >= 0);
  return acting.length > 0 ? new SiteWhatIf(acting, experts.length) : undefined;
}

/** What interventions do at a site. The engine applies it, and metrics explain a trace by it: it stands here alone. */
import { matches } from './filter.js';
import type { Intervention, Scope, Site } from './trace.js';

/** What the interventions do at one cell. */
export interface CellBias {
  /** [N] added to the scores before the choice; −∞ for an expert knocked out. */
  readonly bias: Float32Array;
  /** The expert that is applied with weight 1 whatever the scores; −1: none. */
  readonly forced: number;
}

/** Whether a scope holds for any token of a site. */
function isAbout(scope: Scope, site: Site): boolean {
  // A token's index means nothing in another sequence.
  const sequence = scope.sequence ?? (scope.token === undefined ? undefined : 0);
  return matches(site, { ...scope, sequence });
}

/** The interventions that concern one site, their experts looked up. */
export class SiteWhatIf {
  /** Whether tokens are told apart; if not, every cell of the site is alike. */
  readonly byToken: boolean;
  readonly #acting: readonly { readonly intervention: Intervention; readonly expert: number }[];
  readonly #experts: number;
  #alike: CellBias | undefined;

  /** @param acting expert as an index into N experts, in the order in which they were given */
  constructor(acting: readonly { readonly intervention: Intervention; readonly expert: number }[], experts: number) {
    this.#acting = acting;
    this.#experts = experts;
    this.byToken = acting.some(({ intervention }) => intervention.scope.token !== undefined);
  }

  at(t: number): CellBias {
    return this.byToken ? this.#cell(t) : (this.#alike ??= this.#cell(t));
  }

  /** Later interventions on an expert win over earlier ones; a later knock-out or tilt of a forced expert lifts the force. */
  #cell(t: number): CellBias {
    const bias = new Float32Array(this.#experts);
    let forced = -1;
    for (const { intervention, expert } of this.#acting) {
      const { token } = intervention.scope;
      if (token !== undefined && token !== t) continue;
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

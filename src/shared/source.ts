/** What a source of traces says of itself. Panel, tree, status bar and command line ask this, never what kind a source is. */
import type { Expert } from '../trace/trace.js';

/** Whether something can be done; if not, why, in the person's words. */
export type Ability = true | { readonly reason: string };

export interface SourceDescription {
  readonly name: string;
  readonly can: {
    readonly route: Ability;
    /** Tells what it knows while it runs. */
    readonly stream: Ability;
    readonly generate: Ability;
    readonly whatIf: Ability;
    readonly attribute: Ability;
    readonly score: Ability;
    readonly lens: Ability;
    /** Empty where the way of choosing is the model's own. */
    readonly strategies: readonly StrategyOffer[];
  };
  /** Those that a request may name. */
  readonly experts: readonly (Expert & { readonly description?: string; readonly card?: boolean })[];
  readonly limits: {
    /** Context length, in tokens. */
    readonly tokens?: number;
    /** Experts a token, where a request does not say. */
    readonly k?: number;
  };
  readonly warnings: readonly Warning[];
}

export interface StrategyOffer {
  readonly name: string;
  readonly title: string;
  readonly hint: string;
  /** What a request for it says besides. */
  readonly takes: readonly ('k' | 'expert')[];
}

/** What a request asks for: an offered strategy with what it takes. */
export interface Strategy {
  readonly name: string;
  readonly k?: number;
  /** Id. */
  readonly expert?: string;
}

/** Something that a source left out or could not do as asked. */
export interface Warning {
  readonly code: string;
  /** Id of the expert that it is about. */
  readonly expert?: string;
  /** Path of the site that it is about. */
  readonly module?: string;
  readonly text: string;
}

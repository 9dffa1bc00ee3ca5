/** What a source of traces says about itself. Panel, tree, status bar and command line go by this, never by the kind of source. */
import { GanderError } from '../errors/errors.js';
import type { StrategyOffer } from '../strategies/strategy.js';
import type { Expert, ExpertSet, RoutedModule } from '../trace/model/trace.js';
import { type RefusableName, type RequestName, requestNames, rowOf } from './table.js';

/** Whether something can be done; if not, why, in words for people. */
export type Ability = true | { readonly reason: string };

/** What can be asked, and how. */
export interface Abilities extends Readonly<Record<RefusableName, Ability>> {
  /** Whether partial results come while it runs. */
  readonly stream: Ability;
  readonly whatIf: Ability;
}

export interface SourceDescription {
  readonly name: string;
  /** Of the model's files, as in its traces; absent if a server runs it. */
  readonly hash?: string;
  readonly can: Abilities & {
    /** Empty if the model has its own way of choosing, with a fixed k. */
    readonly strategies: readonly StrategyOffer[];
    /** For a model with its own routers: whether another k can be asked for. */
    readonly k?: Ability;
    /** For an encoder-decoder: it is given an output besides the text, or else generates one. */
    readonly target?: true;
  };
  /** Experts that a request may name. */
  readonly experts: readonly (Expert & { readonly description?: string; readonly card?: boolean })[];
  /** Its experts as a trace names them, and where they are chosen, as far as that is known before a run. */
  readonly expertSets?: readonly ExpertSet[];
  readonly modules?: readonly RoutedModule[];
  readonly limits: {
    /** Context length, in tokens. */
    readonly tokens?: number;
    /** Experts per token, if a request does not say. */
    readonly k?: number;
    /** The largest k that a model's own routers accept; absent: as many as there are experts. */
    readonly mostK?: number;
  };
  readonly warnings: readonly Warning[];
}

interface Named {
  readonly name: string;
  readonly hash?: string | null;
}

/** By the hash of their files or, for models that a server runs, by name. */
export function isSameModel(a: Named, b: Named): boolean {
  const [own, other] = [a.hash ?? null, b.hash ?? null];
  return own === other && (own !== null || a.name === b.name);
}

/** Codes of warnings. A source that Gander does not know may have codes of its own. */
export type WarningCode =
  | 'context-unknown'
  | 'expert-left-out'
  | 'part-left-out'
  | 'modules-not-placed'
  | 'vectors-unused'
  | 'gate-missing'
  | 'copy-not-compared'
  | 'inputs-rounded'
  | 'processor-dependent'
  | 'code-unused'
  | 'weights-restored'
  | 'not-encrypted'
  | 'device-fallback'
  | 'import';

/** Something that a source left out or could not do as asked. The text is for people; programs go by the rest. */
export interface Warning {
  readonly code: WarningCode | (string & {});
  /** Id of the expert that it is about. */
  readonly expert?: string;
  /** Path of the module that it is about. */
  readonly module?: string;
  readonly text: string;
}

/** Abilities that are not requests of their own but ways of running them. */
const manners = {
  stream: { reason: 'Results come only at the end.' },
  whatIf: { reason: 'The choice of experts cannot be changed here.' },
} as const;

/**
 * @param given abilities that are known
 * @param others all other abilities; absent: none of them, for the reasons in the table
 */
export function abilities(given: Partial<Abilities>, others?: Ability): Abilities {
  const refusable = requestNames.flatMap((name) => {
    const { absent } = rowOf(name);
    return absent ? [[name, others ?? { reason: absent.reason }]] : [];
  });
  return {
    ...(Object.fromEntries(refusable) as Record<RefusableName, Ability>),
    stream: others ?? manners.stream,
    whatIf: others ?? manners.whatIf,
    ...given,
  };
}

/** Of a server's model. */
export const expertsElsewhere: Ability = {
  reason: 'The experts are on the server, not on this machine, so they cannot be compared here.',
};

/** The error when a request cannot be answered. @param ability the source's own; absent: the table's words are used */
export function unable(name: RequestName, ability?: Ability): GanderError {
  const { reason, remedy } = rowOf(name).absent ?? { reason: 'This cannot be asked here.', remedy: 'Choose a pool.' };
  return new GanderError('request-invalid', ability === true ? reason : (ability?.reason ?? reason), remedy);
}

/** What a source of traces says of itself. Panel, tree, status bar and command line ask this, never what kind a source is. */
import { GanderError } from '../errors/errors.js';
import type { StrategyOffer } from '../strategies/strategy.js';
import type { Expert, ExpertSet, Site } from '../trace/model/trace.js';
import { type RefusableName, type RequestName, requestNames, rowOf } from './table.js';

/** Whether something can be done; if not, why, in the person's words. */
export type Ability = true | { readonly reason: string };

/** What can be asked, and how. */
export interface Abilities extends Readonly<Record<RefusableName, Ability>> {
  /** Tells what it knows while it runs. */
  readonly stream: Ability;
  readonly whatIf: Ability;
}

export interface SourceDescription {
  readonly name: string;
  readonly can: Abilities & {
    /** Empty where the way of choosing is the model's own, with a k of its own. */
    readonly strategies: readonly StrategyOffer[];
    /** Of a model that routes by its own router: another k than its own. */
    readonly k?: Ability;
    /** An encoder-decoder: it is given an output beside the text, or else writes one. */
    readonly target?: true;
  };
  /** Those that a request may name. */
  readonly experts: readonly (Expert & { readonly description?: string; readonly card?: boolean })[];
  /** Its experts as a trace names them, and where they are chosen, as far as that is known before a run. */
  readonly expertSets?: readonly ExpertSet[];
  readonly sites?: readonly Site[];
  readonly limits: {
    /** Context length, in tokens. */
    readonly tokens?: number;
    /** Experts a token, where a request does not say. */
    readonly k?: number;
    /** The most that a model's own router can be asked for; absent: as many as there are. */
    readonly mostK?: number;
  };
  readonly warnings: readonly Warning[];
}

/** What a source may have to say of itself. A source that Gander does not know may have codes of its own. */
export type WarningCode =
  | 'context-unknown'
  | 'expert-left-out'
  | 'part-left-out'
  | 'modules-not-placed'
  | 'vectors-unused'
  | 'copy-not-compared'
  | 'inputs-rounded'
  | 'processor-dependent'
  | 'code-unused'
  | 'weights-restored'
  | 'not-encrypted'
  | 'import';

/** Something that a source left out or could not do as asked. The text is for people; programs go by the rest. */
export interface Warning {
  readonly code: WarningCode | (string & {});
  /** Id of the expert that it is about. */
  readonly expert?: string;
  /** Path of the site that it is about. */
  readonly module?: string;
  readonly text: string;
}

/** How requests are run, beside what they are. */
const manners = {
  stream: { reason: 'Nothing is told before the end.' },
  whatIf: { reason: 'The choice of experts cannot be changed here.' },
} as const;

/**
 * @param given what is known
 * @param others all else; absent: it cannot be asked, in the words of the table
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

/** What who cannot do it says. @param ability of the source; absent: it has no words of its own */
export function unable(name: RequestName, ability?: Ability): GanderError {
  const { reason, remedy } = rowOf(name).absent ?? { reason: 'This cannot be asked here.', remedy: 'Choose a pool.' };
  return new GanderError('request-invalid', ability === true ? reason : (ability?.reason ?? reason), remedy);
}

import type { Methods } from '../requests/ask.js';
import type { SourceDescription } from '../requests/description.js';
import type { Strategy } from '../strategies/strategy.js';

export interface OfferedModel {
  /** What a call names it by. */
  readonly id: string;
  /** The address of the server that text goes to; absent: it runs on this machine. */
  readonly address?: string;
  readonly source: Pick<Methods, 'route'> & { describe(): Promise<SourceDescription> };
  /** How it routes if a call does not say; absent: PHATGOOSE, or else the first strategy that it offers. */
  readonly strategy?: (source: SourceDescription) => Strategy;
}

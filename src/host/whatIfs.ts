import type { SideResult } from '../routing/store.js';
import { deciding } from '../trace/model/whatIf.js';
import { plain } from '../trace/text/label.js';
import { whatIfWords } from '../trace/text/whatIfWords.js';
import { numbers } from './numbers.js';
import { expertsIn } from './strategies.js';
import { word } from './words.js';

/** A run's what-ifs in words, one each, without those that later ones overrule. Experts' names in them come from outside. */
export function whatIfsOf({ trace, interventions }: Pick<SideResult, 'trace' | 'interventions'>): string[] {
  const experts = trace ? expertsIn(trace) : [];
  const name = (id: string) => plain(experts.find((expert) => expert.id === id)?.name ?? id);
  const writer = { word, signed: (value: number, digits: number) => numbers.signed(value, digits) };
  const shown = trace ? deciding(trace, interventions) : interventions;
  return shown.map((one) => whatIfWords(one, trace, name, writer));
}

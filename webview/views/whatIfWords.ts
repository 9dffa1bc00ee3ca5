/** What-ifs in words. */
import type { Intervention, Trace } from '../../src/trace/trace.js';
import { inSiteWords, whatIfWords } from '../../src/trace/whatIfWords.js';
import type { Store } from '../app/store.js';
import { signed, t } from '../look/strings.js';

/** One intervention in words. */
export function say(intervention: Intervention, trace: Trace | undefined, name: (expert: string) => string): string {
  return whatIfWords(intervention, trace, name, { word: t, signed });
}

export function inSite(trace: Trace | undefined, path: string): string {
  return inSiteWords(trace, path, t);
}

export function expertNames(store: Store): (id: string) => string {
  const sets = store.main.choices.value?.expertSets ?? [];
  const experts = [...sets.flatMap((set) => set.experts), ...(store.description.value?.experts ?? [])];
  return (id) => experts.find((expert) => expert.id === id)?.name ?? id;
}

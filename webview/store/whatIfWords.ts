/** What-ifs in words. */
import { documentLine } from '../../src/trace/text/lines.js';
import type { Intervention, TokenRange, Trace } from '../../src/trace/model/trace.js';
import { inModuleWords, rangesWords, whatIfWords } from '../../src/trace/text/whatIfWords.js';
import type { Store } from './store.js';
import { signed, t } from '../look/strings.js';

/** One intervention in words. */
export function say(intervention: Intervention, store: Store, name: (expert: string) => string): string {
  const at = intervention.scope.sequence ?? 0;
  return whatIfWords(intervention, store.main.choices.value, name, { signed, ...writer(store, at) });
}

/** Some tokens of the main run, as lines if they are whole ones. */
export function rangesName(store: Store, ranges: readonly TokenRange[], sequence: number): string {
  return rangesWords(ranges, store.main.choices.value?.sequences[sequence], writer(store, sequence));
}

/** Lines are numbered as in the document, which an output is not in. */
function writer(store: Store, sequence: number) {
  const runs = sequence === 0 ? store.lines.value?.runs : undefined;
  return { word: t, lineNumber: (line: number) => (runs ? documentLine(runs, line) : line) + 1 };
}

export function inModule(trace: Trace | undefined, path: string): string {
  return inModuleWords(trace, path, t);
}

export function expertNames(store: Store): (id: string) => string {
  const sets = store.main.choices.value?.expertSets ?? [];
  const experts = [...sets.flatMap((set) => set.experts), ...(store.description.value?.experts ?? [])];
  return (id) => experts.find((expert) => expert.id === id)?.name ?? id;
}

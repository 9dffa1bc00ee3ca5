import type { Side } from '../../src/protocol/panel.js';
import { deciding } from '../../src/trace/model/whatIf.js';
import { writtenWords } from '../../src/trace/text/writtenWords.js';
import type { SideSignals } from './side.js';
import type { Store } from './store.js';
import { t } from '../look/strings.js';
import { chosenSince, strategyTitle } from './strategies.js';
import { expertNames, say } from './whatIfWords.js';

/** The models of the two runs, for what is said of both. */
export function modelNames(store: Store): [main: string, other: string] {
  const of = ({ model, choices }: SideSignals) => model.value ?? choices.value?.source.name ?? '';
  return [of(store.main), of(store.other)];
}

/** Why nothing of two runs can be compared, and what helps; undefined if something can. */
export function incomparable(store: Store): string | undefined {
  const { other, changes, running, areStrangers } = store;
  // The first tokens may still be to come.
  if (!other.trace.value || running.value || !changes.value?.every(({ value }) => value.every(Number.isNaN)))
    return undefined;
  const since = chosenSince(store);
  return [
    areStrangers.value ? t('compareNothing', ...modelNames(store)) : t('compareNoTokens'),
    since && t('compareAgain', since.chosen),
  ]
    .filter(Boolean)
    .join(' ');
}

/**
 * A run's name: what it has that the run beside it has not (what-ifs, and what it wrote), because the end may be cut off; then its
 * title, its strategy and the what-ifs of both. It is that of the run on show, which stays there while another is being computed.
 */
export function sideName(store: Store, name: Side): string {
  const side = store.side(name);
  const beside = store.side(name === 'main' ? 'other' : 'main');
  const strategy = side.choices.value?.router.name ?? side.strategy.value?.name;
  const [title, how] = [side.title.value, strategyTitle(store, strategy)];
  const [whatIfs, others] = [whatIfsOf(store, side), whatIfsOf(store, beside)];
  const own = writtenBy(side);
  return [
    ...whatIfs.filter((one) => !others.includes(one)),
    whatIfs.length === 0 && others.length > 0 && t('noWhatIfs'),
    own !== writtenBy(beside) && writtenWords(own, t),
    title,
    !isTitle(title, how) && how,
    ...whatIfs.filter((one) => others.includes(one)),
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Each in words, without those that later ones overrule. */
function whatIfsOf(store: Store, { choices, interventions }: SideSignals): string[] {
  const trace = choices.value;
  const name = expertNames(store);
  const all = trace ? deciding(trace, trace.interventions) : interventions.value;
  return all.map((one) => say(one, store, name));
}

/** What the model wrote after the text; an encoder-decoder always writes. */
function writtenBy({ choices, given }: SideSignals): string {
  const sequences = choices.value?.sequences ?? [];
  return given.value === undefined || sequences.length > 1 ? '' : (sequences[0]?.text?.slice(given.value) ?? '');
}

/** Whether a run is called by its strategy, as one with another strategy is: `Arrow, 2 experts per token`, `One expert: Python`. */
const isTitle = (title: string, strategy: string): boolean =>
  title.split(', ').some((part) => part === strategy || part.startsWith(`${strategy}: `));

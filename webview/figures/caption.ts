/** A figure's caption, as text: what it shows, of which text, by which model and how; of a comparison, so for both runs. */
import { sum } from 'd3-array';
import type { DataRun } from '../../src/paper/data.js';
import type { Side } from '../../src/protocol/panel.js';
import { deciding } from '../../src/trace/model/whatIf.js';
import { t } from '../look/strings.js';
import type { Store } from '../store/store.js';
import { strategyTitle } from '../store/strategies.js';
import { expertNames, say as sayWhatIf } from '../store/whatIfWords.js';
import { say, sentences } from '../saving/strings.js';

interface Said {
  readonly title: string;
  readonly says: string;
}

/** The runs that a figure shows: one, or both of a comparison. */
export type Shown = Side | 'both';

export function captionOf(store: Store, shown: Shown, { title, says }: Said): string {
  return sentences([
    title,
    says,
    ...sidesOf(shown).map((side) =>
      store.other.choices.peek() ? `${called(side)}: ${wholeRun(store, side)}` : wholeRun(store, side),
    ),
  ]);
}

/** The runs of a figure that is saved while two are compared, for its title and its data; undefined if there is only one. */
export function runsOf(store: Store, shown: Shown): readonly DataRun[] | undefined {
  if (!store.other.choices.peek()) return undefined;
  return sidesOf(shown).map((side) => ({ title: called(side), name: runName(store, side) }));
}

const sidesOf = (shown: Shown): readonly Side[] => (shown === 'both' ? ['main', 'other'] : [shown]);

const called = (side: Side): string => t(side === 'main' ? 'compareThis' : 'compareOther');

function wholeRun(store: Store, name: Side): string {
  const side = store.side(name);
  const trace = side.choices.peek();
  if (!trace) return '';
  const tokens = sum(trace.sequences, ({ tokens }) => tokens.count);
  return [side.title.peek(), t('tokens', tokens), ...manner(store, name)].filter(Boolean).join('; ');
}

/** Its text, if the other run has another one, its model and how it routed. */
function runName(store: Store, name: Side): string {
  const texts = [store.main, store.other].map(({ choices }) =>
    choices
      .peek()
      ?.sequences.map(({ text }) => text)
      .join('\n'),
  );
  return [...(texts[0] === texts[1] ? [] : [store.side(name).title.peek()]), ...manner(store, name)].join('; ');
}

function manner(store: Store, name: Side): string[] {
  const side = store.side(name);
  const trace = side.choices.peek();
  if (!trace) return [];
  const { router, source } = trace;
  // The model in use may be another by now than the one that ran.
  const model = side.model.peek() ?? (name === 'main' ? store.description.peek()?.name : undefined) ?? source.name;
  const named = expertNames(store);
  const expert = router.params?.['expert'];
  return [
    say('ofModel', model),
    say('byStrategy', strategyTitle(store, router.name)),
    ...(router.k === undefined ? [] : [`k = ${router.k}`]),
    ...(typeof expert === 'string' ? [say('byExpert', named(expert))] : []),
    ...deciding(trace, trace.interventions).map((one) => say('withWhatIf', sayWhatIf(one, store, named))),
  ];
}

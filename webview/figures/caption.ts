/** A figure's caption, as text: what it shows, of which text, by which model and how. */
import { sum } from 'd3-array';
import type { Side } from '../../src/protocol/panel.js';
import { t } from '../look/strings.js';
import type { Store } from '../store/store.js';
import { strategyTitle } from '../store/strategies.js';
import { expertNames, say as sayWhatIf } from '../store/whatIfWords.js';
import { say, sentences } from '../saving/strings.js';

interface Said {
  readonly title: string;
  readonly says: string;
}

export function captionOf(store: Store, name: Side, { title, says }: Said): string {
  const side = store.side(name);
  const trace = side.choices.peek();
  if (!trace) return sentences([title, says]);
  const { router, source, sequences } = trace;
  const model = (name === 'main' ? store.description.peek()?.name : undefined) ?? source.name;
  const named = expertNames(store);
  const run = [
    side.title.peek(),
    t(
      'tokens',
      sum(sequences, ({ tokens }) => tokens.count),
    ),
    say('ofModel', model),
    say('byStrategy', strategyTitle(store, router.name)),
    ...(router.k === undefined ? [] : [`k = ${router.k}`]),
    ...side.interventions.peek().map((one) => say('withWhatIf', sayWhatIf(one, store, named))),
  ];
  return sentences([title, says, run.filter(Boolean).join('; ')]);
}

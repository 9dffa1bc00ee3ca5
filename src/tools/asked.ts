/** What calls name, found among what there is. */
import { GanderError } from '../errors/errors.js';
import type { SourceDescription } from '../requests/description.js';
import { bounded, nativeOffer, readStrategy, strategyOf, usualK, usualStrategy } from '../strategies/index.js';
import type { Strategy } from '../strategies/strategy.js';
import { ambiguousExpert, meantBy } from '../trace/model/layerExperts.js';
import type { Expert, ExpertSet } from '../trace/model/trace.js';
import { plain } from '../trace/text/label.js';
import type { OfferedModel } from './model.js';
import type { Reach } from './reach.js';

/** The most experts that an error names. */
const mostNamed = 40;

/** @throws GanderError `request-invalid` */
export function modelNamed(reach: Reach, id: string | undefined): OfferedModel {
  const models = reach.models();
  const found = id === undefined ? models[0] : models.find((model) => model.id === id);
  if (found) return found;
  throw new GanderError(
    'request-invalid',
    `There is no model "${plain(id ?? '')}" here.`,
    `Models: ${models.map((model) => model.id).join(', ')}. list_models says what they are.`,
  );
}

/** How a text is routed; undefined: by the model's own router. @throws GanderError `request-invalid` */
export function strategyFor(
  model: OfferedModel,
  source: SourceDescription,
  said: string | undefined,
): Strategy | undefined {
  const { can, limits, experts } = source;
  const offered = can.strategies.map(({ name }) => name);
  const pool = { topK: limits.k ?? 1, experts };
  if (said === undefined) {
    if (offered.every((name) => name === nativeOffer.name)) return undefined;
    if (model.strategy) return model.strategy(source);
    const name = usualStrategy(offered);
    return strategyOf(name, { k: usualK(name, pool), expert: experts[0]?.id ?? '' });
  }
  const strategy = readStrategy(said, (name) => usualK(name, pool));
  if (!strategy || !offered.includes(strategy.name))
    throw new GanderError(
      'request-invalid',
      `${model.id} has no strategy "${plain(said)}".`,
      offered.length === 0
        ? 'It routes by its native router: leave strategy out.'
        : `It takes: ${formsOf(source).join(', ')}.`,
    );
  if (strategy.expert !== undefined) expertIn(source.expertSets ?? [{ scope: 'pool', experts }], strategy.expert);
  return strategy.name === nativeOffer.name ? strategy : bounded(strategy, experts.length);
}

/** How its strategies are written: `phatgoose[:k]`. */
export function formsOf({ can }: SourceDescription): string[] {
  const argument = { k: '[:k]', expert: ':<expert>' } as const;
  return can.strategies.map(({ name, takes }) => name + takes.map((one) => argument[one]).join(''));
}

/** The expert with this id, or else the only one of this name. @throws GanderError `request-invalid` */
export function expertIn(sets: readonly Pick<ExpertSet, 'scope' | 'experts'>[], said: string): Expert {
  const experts = [...new Map(sets.flatMap((set) => set.experts).map((expert) => [expert.id, expert])).values()];
  const exact = experts.find(({ id }) => id === said);
  if (exact) return exact;
  const alike = experts.filter(({ id, name }) => [id, name].some((one) => one.toLowerCase() === said.toLowerCase()));
  if (alike.length === 1) return alike[0]!;
  const meant = meantBy(said, experts);
  if (meant.length > 0) throw ambiguousExpert(said, meant);
  throw new GanderError('request-invalid', `There is no expert "${plain(said)}".`, `Experts: ${named(experts)}.`);
}

function named(experts: readonly Expert[]): string {
  const ids = experts.map(({ id }) => plain(id));
  if (ids.length <= mostNamed) return ids.join(', ');
  return `${ids.slice(0, 3).join(', ')} … ${ids.at(-1)!}, as layer.number`;
}

/** Names of experts, layers, routed modules and tokens. */
import { numberOf } from '../../src/trace/text/label.js';
import type { Layer } from '../../src/trace/model/access.js';
import type { ExpertSet, Sequence, RoutedModule } from '../../src/trace/model/trace.js';
import { layerWords, moduleWords } from '../../src/trace/text/whatIfWords.js';
import { t } from './strings.js';

/** For a view that says which layer's experts it shows. */
export function plainName(set: ExpertSet, expert: number): string {
  const name = set.experts[expert]?.name;
  if (name === undefined) return t('none');
  const number = numberOf(set, expert) ?? (/^\d+$/.test(name) ? name : undefined);
  return number === undefined ? name : t('expertNumber', String(number));
}

/** For anywhere else: the number of an expert that belongs to one layer means nothing without the layer. */
export function expertName(set: ExpertSet, expert: number, layer: Layer): string {
  return set.scope === 'pool' ? plainName(set, expert) : t('expertOfLayer', layerName(layer), plainName(set, expert));
}

/** At most three names, and how many more there are. */
export function listed(names: readonly string[], most = 3): string {
  if (names.length > most) return t('namesMore', names.slice(0, most).join(', '), names.length - most);
  const last = names.at(-1) ?? '';
  return names.length > 1 ? t('namesAnd', names.slice(0, -1).join(', '), last) : last;
}

export const layerName = (layer: Layer): string => layerWords(layer, t);

export const moduleName = (module: RoutedModule): string => moduleWords(module, t);

/** A token's position, counted from 1, and which text it is in if there are two. */
export function tokenPlace(sequences: readonly Sequence[], sequence: number, token: number): string {
  const { role, tokens } = sequences[sequence]!;
  const place = t('token', token + 1, tokens.count);
  return sequences.length > 1 ? t('inSequence', t(role), place) : place;
}

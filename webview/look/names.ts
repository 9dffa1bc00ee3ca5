/** How experts and places are called. */
import { numberOf } from '../../src/trace/text/label.js';
import type { Layer } from '../../src/trace/model/access.js';
import type { ExpertSet, Sequence, Site } from '../../src/trace/model/trace.js';
import { layerWords, siteWords } from '../../src/trace/text/whatIfWords.js';
import { t } from './strings.js';

/** Within a view that says which layer's experts these are. */
export function plainName(set: ExpertSet, expert: number): string {
  const name = set.experts[expert]?.name;
  if (name === undefined) return t('none');
  const number = numberOf(set, expert) ?? (/^\d+$/.test(name) ? name : undefined);
  return number === undefined ? name : t('expertNumber', String(number));
}

/** Anywhere else: of experts that one layer has to itself a number says nothing without the layer. */
export function expertName(set: ExpertSet, expert: number, layer: Layer): string {
  return set.scope === 'pool' ? plainName(set, expert) : t('expertOfLayer', layerName(layer), plainName(set, expert));
}

export const layerName = (layer: Layer): string => layerWords(layer, t);

export const siteName = (site: Site): string => siteWords(site, t);

/** Of the token at a place, counted from 1; which text it is of where there are two. */
export function tokenPlace(sequences: readonly Sequence[], sequence: number, token: number): string {
  const { role, tokens } = sequences[sequence]!;
  const place = t('token', token + 1, tokens.count);
  return sequences.length > 1 ? t('inSequence', t(role), place) : place;
}

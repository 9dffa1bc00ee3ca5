/** What the what-if form offers, and what it says. */
import { kindsOf, layerAt, layersOf, matches, sharedSites, type SiteFilter } from '../../../src/trace/model/access.js';
import { ranked, tokenShares } from '../../../src/trace/figures/leaders.js';
import type { TextScope } from '../../../src/trace/text/scopes.js';
import type { Sight } from '../../../src/trace/model/sight.js';
import type { Intervention, Scope, Trace } from '../../../src/trace/model/trace.js';
import type { Selection, WhatIfForm } from '../../store/state.js';
import type { Option } from '../../components/controls.js';
import { layerKey, layerOf, scopeOf } from '../../../src/trace/model/sight.js';
import { layerName, plainName } from '../../look/names.js';
import { kindName, t } from '../../look/strings.js';
import { sharesOf } from '../../store/sums.js';
import { inSite } from '../../store/whatIfWords.js';

export function interventionOf(
  trace: Trace,
  { action, amount, where, tokenOnly, scopeOnly }: WhatIfForm,
  expert: string,
  at: { readonly sequence: number; readonly token: number },
  part: TextScope | undefined,
): Intervention {
  const scope: Scope = {
    ...sitesAt(trace, where),
    ...(tokenOnly && at.token >= 0
      ? { token: at.token, ...(at.sequence > 0 && { sequence: at.sequence }) }
      : scopeOnly && part && { tokens: part.ranges, ...(part.sequence > 0 && { sequence: part.sequence }) }),
  };
  return action === 'logit-bias' ? { action, expert, amount, scope } : { action, expert, scope };
}

/** The routed modules that a place stands for. */
function sitesAt(trace: Trace, where: string) {
  const colon = where.indexOf(':');
  const [axis, value] = [where.slice(0, Math.max(0, colon)), where.slice(colon + 1)];
  const layer = axis === 'layer' ? layerOf(trace, value) : undefined;
  return {
    ...(layer && scopeOf(layer)),
    ...(axis === 'kind' && { kind: value }),
    ...(axis === 'module' && { module: value }),
  } satisfies SiteFilter;
}

/** The part of the text, if the place has routed modules that see it: a decoder's layers do not see an encoder's input. */
export function partAt(trace: Trace, where: string, part: TextScope | undefined): TextScope | undefined {
  const filter = part && { ...sitesAt(trace, where), sequence: part.sequence };
  return filter && trace.sites.some((site) => matches(site, filter)) ? part : undefined;
}

/** Id of the expert that leads in the selection, or else in the whole trace. */
function leaderOf(trace: Trace, { sequence, token, layer, site }: Selection, sight: Sight | undefined) {
  if (token < 0) {
    const shares = sight && sharesOf(trace, sight);
    return shares && sight.set.experts[ranked(shares)[0] ?? -1]?.id;
  }
  const path = trace.sites[site]?.path;
  const sites = sharedSites(trace, path === undefined ? { ...layerOf(trace, layer), sequence } : { module: path });
  return sites?.experts[ranked(tokenShares(trace, sites, token))[0] ?? -1]?.id;
}

/**
 * What the form offers, and what it says: if the trace does not have the form's place, the first place; if the form has no
 * expert or the place does not have it, the leading one.
 */
export function aim(trace: Trace, form: WhatIfForm, selection: Selection, sight: Sight | undefined) {
  const site = selection.site >= 0 ? trace.sites[selection.site] : undefined;
  const places = placesOf(trace, form.where, site?.path, sight?.layer !== undefined);
  const where = places.some(([value]) => value === form.where) ? form.where : (places[0]?.[0] ?? 'all');
  const set = expertsAt(trace, where) ?? sight?.set;
  const experts = (set?.experts ?? []).map(({ id }, e): Option => [id, plainName(set!, e)]);
  const candidates = [form.expert, leaderOf(trace, selection, sight), experts[0]?.[0]];
  const expert = candidates.find((one) => experts.some(([id]) => id === one)) ?? '';
  return { places, where, experts, expert };
}

/** Where a what-if may apply. If each layer has its own experts, it applies in one of them. */
function placesOf(trace: Trace, now: string, path: string | undefined, isLocal: boolean): Option[] {
  const places: Option[] = isLocal ? [] : [['all', t('everywhere')]];
  const modules = [path, now.startsWith('module:') ? now.slice(7) : undefined].filter((one) => one !== undefined);
  for (const module of new Set(modules)) places.push([`module:${module}`, inSite(trace, module)]);
  for (const layer of layersOf(trace)) places.push([`layer:${layerKey(layer)}`, t('inPlace', layerName(layer))]);
  if (!isLocal) for (const kind of kindsOf(trace)) places.push([`kind:${kind}`, t('inKind', kindName(kind))]);
  return places;
}

/** The experts at a place. */
function expertsAt(trace: Trace, where: string) {
  const site = trace.sites.find(
    (one) => where === `module:${one.path}` || where === `layer:${layerKey(layerAt(trace, one))}`,
  );
  return site && trace.expertSets[site.expertSet];
}

/** What the what-if form offers, and what it says. */
import {
  chosenAt,
  kindsOf,
  layerAt,
  layersOf,
  matches,
  rowsAt,
  sharedModules,
  type ModuleFilter,
  type Rows,
} from '../../../src/trace/model/access.js';
import { ranked, shareOfTokens } from '../../../src/trace/figures/leaders.js';
import type { TextScope } from '../../../src/trace/text/scopes.js';
import { descriptorOf } from '../../../src/strategies/index.js';
import { isBaseAlone } from '../../../src/trace/model/fixed.js';
import { weighing } from '../../../src/trace/model/router.js';
import { takingPart } from '../../../src/trace/model/selection.js';
import { deciding, whatIfAt, withOneMore } from '../../../src/trace/model/whatIf.js';
import type { ShownExperts } from '../../../src/trace/model/shownExperts.js';
import type { Intervention, Scope, Trace } from '../../../src/trace/model/trace.js';
import type { Selection, WhatIfForm } from '../../store/state.js';
import type { Option } from '../../components/controls.js';
import { layerKey, layerOf, scopeOf } from '../../../src/trace/model/shownExperts.js';
import { layerName } from '../../look/names.js';
import { kindName, t } from '../../look/strings.js';
import { sharesOf } from '../../store/sums.js';
import { inModule } from '../../store/whatIfWords.js';

export function interventionOf(
  trace: Trace,
  { action, amount, where, tokenOnly, scopeOnly }: WhatIfForm,
  expert: string,
  at: { readonly sequence: number; readonly token: number },
  part: TextScope | undefined,
): Intervention {
  const scope: Scope = {
    ...modulesAt(trace, where),
    ...(tokenOnly && at.token >= 0
      ? { token: at.token, ...(at.sequence > 0 && { sequence: at.sequence }) }
      : scopeOnly && part && { tokens: part.ranges, ...(part.sequence > 0 && { sequence: part.sequence }) }),
  };
  return action === 'logit-bias' ? { action, expert, amount, scope } : { action, expert, scope };
}

/** Whether another expert takes the place of one that is knocked out, at any module: more are left there than are chosen. */
export function hasNext(trace: Trace, asked: readonly Intervention[], one: Intervention): boolean {
  if (weighing(trace) !== 'chosen') return false;
  const all = withOneMore(asked, one);
  const token = one.scope.token ?? one.scope.tokens?.[0]?.[0] ?? 0;
  return rowsOf(trace, one).some((rows) => {
    const { bias } = whatIfAt(all, rows.set.experts, rows.module)!.at(token);
    return takingPart(rows).filter((has, e) => has && bias[e] !== -Infinity).length >= rows.k;
  });
}

/** Why a what-if would change nothing; undefined if it may. */
export function vain(
  trace: Trace,
  asked: readonly Intervention[],
  one: Intervention,
): 'biasNone' | 'biasFixed' | 'noExpertsTaken' | 'whatIfHeld' | undefined {
  if (one.action === 'knock-out' && isBaseAlone(trace)) return 'noExpertsTaken';
  if (one.action === 'logit-bias' && one.amount === 0) return 'biasNone';
  if (one.action === 'logit-bias' && weighing(trace) === 'fixed') return 'biasFixed';
  const isForced = asked.some(({ action }) => action === 'force');
  return isForced && !deciding(trace, [...asked, one]).includes(one) ? 'whatIfHeld' : undefined;
}

/** What a forced expert leaves as it is, and where it cannot be applied itself. */
export function besideForced(trace: Trace, one: Intervention): ('forceShared' | 'forceWhole' | 'forceLacks')[] {
  const rows = rowsOf(trace, one);
  const weights = descriptorOf(trace.router.name)?.weights;
  return [
    ...(trace.blocks.some(({ sharedExperts }) => sharedExperts > 0) ? (['forceShared'] as const) : []),
    ...(weights?.by === 'strategy' && weights.adapter ? (['forceWhole'] as const) : []),
    // One without a score may lack its gate alone.
    ...(rows.some((at) => !takingPart(at)[at.set.experts.findIndex(({ id }) => id === one.expert)])
      ? (['forceLacks'] as const)
      : []),
  ];
}

/** The modules where a what-if applies. */
function rowsOf(trace: Trace, one: Intervention): Rows[] {
  const alone = [one];
  return trace.modules
    .map((_, s) => rowsAt(trace, s))
    .filter(({ set, module }) => whatIfAt(alone, set.experts, module) !== undefined);
}

/** The routed modules that a place stands for. */
function modulesAt(trace: Trace, where: string) {
  const colon = where.indexOf(':');
  const [axis, value] = [where.slice(0, Math.max(0, colon)), where.slice(colon + 1)];
  const layer = axis === 'layer' ? layerOf(trace, value) : undefined;
  return {
    ...(layer && scopeOf(layer)),
    ...(axis === 'kind' && { kind: value }),
    ...(axis === 'module' && { module: value }),
  } satisfies ModuleFilter;
}

/** The part of the text, if the place has routed modules that see it: a decoder's layers do not see an encoder's input. */
export function partAt(trace: Trace, where: string, part: TextScope | undefined): TextScope | undefined {
  const filter = part && { ...modulesAt(trace, where), sequence: part.sequence };
  return filter && trace.modules.some((module) => matches(module, filter)) ? part : undefined;
}

/** Id of the expert that leads in the selection, as the detail says it, or else in the whole trace. */
function leaderOf(trace: Trace, selection: Selection, where: string, shownExperts: ShownExperts | undefined) {
  const { sequence, token, end = token + 1, layer, module } = selection;
  if (token < 0) {
    const shares = shownExperts && sharesOf(trace, shownExperts);
    return shares && shownExperts.set.experts[ranked(shares)[0] ?? -1]?.id;
  }
  const path = trace.modules[module]?.path;
  const modules =
    sharedModules(trace, path === undefined ? { ...layerOf(trace, layer), sequence } : { module: path }) ??
    // Over layers with experts of their own none leads.
    sharedModules(trace, { ...modulesAt(trace, where), sequence });
  if (!modules) return undefined;
  const [only, ...more] = modules.modules;
  // At a single router its own order counts, whatever the weights.
  const first =
    only !== undefined && more.length === 0 && end === token + 1
      ? chosenAt(rowsAt(trace, only), token).find((e) => e >= 0)
      : ranked(shareOfTokens(trace, modules, token, end))[0];
  return modules.experts[first ?? -1]?.id;
}

/**
 * What the form offers, and what it says: if the trace does not have the form's place, the selected layer, or the first place; if the
 * form has no expert or the place does not have it, the leading one.
 */
export function aim(trace: Trace, form: WhatIfForm, selection: Selection, shownExperts: ShownExperts | undefined) {
  const module = selection.module >= 0 ? trace.modules[selection.module] : undefined;
  const places = placesOf(trace, form.where, module?.path, shownExperts?.layer !== undefined);
  const shown = shownExperts?.layer;
  const wanted = [form.where, `layer:${selection.layer}`, ...(shown ? [`layer:${layerKey(shown)}`] : [])];
  const where = wanted.find((one) => places.some(([value]) => value === one)) ?? places[0]?.[0] ?? 'all';
  const { set, layer } = expertsAt(trace, where) ?? { set: shownExperts?.set, layer: shownExperts?.layer };
  const experts = set?.experts ?? [];
  const candidates = [form.expert, leaderOf(trace, selection, where, shownExperts), experts[0]?.id];
  const expert = candidates.find((one) => experts.some(({ id }) => id === one)) ?? '';
  return { places, where, set, layer, expert };
}

/** Where a what-if may apply. If each layer has its own experts, it applies in one of them. */
function placesOf(trace: Trace, now: string, path: string | undefined, isLocal: boolean): Option[] {
  const places: Option[] = isLocal ? [] : [['all', t('everywhere')]];
  const modules = [path, now.startsWith('module:') ? now.slice(7) : undefined].filter((one) => one !== undefined);
  for (const module of new Set(modules)) places.push([`module:${module}`, inModule(trace, module)]);
  for (const layer of layersOf(trace)) places.push([`layer:${layerKey(layer)}`, t('inPlace', layerName(layer))]);
  if (!isLocal) for (const kind of kindsOf(trace)) places.push([`kind:${kind}`, t('inKind', kindName(kind))]);
  return places;
}

/** The experts at a place, and its layer. */
function expertsAt(trace: Trace, where: string) {
  const module = trace.modules.find(
    (one) => where === `module:${one.path}` || where === `layer:${layerKey(layerAt(trace, one))}`,
  );
  return module && { set: trace.expertSets[module.expertSet]!, layer: layerAt(trace, module) };
}

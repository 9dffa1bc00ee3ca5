/** What would have happened: the form, and under it what changed and what each token owes to each expert. */
import { kindsOf, layerAt, layersOf, matches, sharedSites, type SiteFilter } from '../../../src/trace/model/access.js';
import { ranked, tokenShares } from '../../../src/trace/figures/leaders.js';
import { tokenLabel } from '../../../src/trace/text/label.js';
import type { TextScope } from '../../../src/trace/text/scopes.js';
import type { Sight } from '../../../src/trace/model/sight.js';
import type { Intervention, Scope, Trace } from '../../../src/trace/model/trace.js';
import { reasonAgainst } from '../../store/reasons.js';
import type { Selection, WhatIfForm } from '../../store/state.js';
import { Button, NumberField, Select, type Option } from '../../components/controls.js';
import { useStore } from '../../components/context.js';
import { layerKey, layerOf, scopeOf } from '../../../src/trace/model/sight.js';
import { layerName, plainName } from '../../look/names.js';
import { kindName, t } from '../../look/strings.js';
import { parts } from '../../scope/load.js';
import { Attribution } from './attribution.js';
import { Effect } from './effect.js';
import { sharesOf } from '../../store/sums.js';
import { inSite } from '../../store/whatIfWords.js';

export function WhatIf() {
  const trace = useStore().main.trace.value;
  if (!trace) return <p class="hint">{t('needsTrace')}</p>;
  return (
    <>
      <p class="caption">{t('whatIfIntro')}</p>
      <Form trace={trace} />
      <Effect trace={trace} />
      <Attribution trace={trace} />
    </>
  );
}

function interventionOf(
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
  return action === 'tilt' ? { action, expert, amount, scope } : { action, expert, scope };
}

/** What a place says of the sites. */
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

/** The part of the text, if the place has sites that see it: of an encoder's input a decoder's layer sees nothing. */
function partAt(trace: Trace, where: string, part: TextScope | undefined): TextScope | undefined {
  const filter = part && { ...sitesAt(trace, where), sequence: part.sequence };
  return filter && trace.sites.some((site) => matches(site, filter)) ? part : undefined;
}

const actions = [
  ['knock-out', 'knockOut', 'knockOutHint'],
  ['force', 'force', 'forceHint'],
  ['tilt', 'tilt', 'tiltHint'],
] as const;

function Form({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const form = store.view.whatIf.value;
  const selection = store.view.selection.value;
  const set = (part: Partial<WhatIfForm>): void => {
    store.set({ whatIf: { ...store.view.whatIf.peek(), ...part } });
  };
  const reason = reasonAgainst(store, 'whatIf');
  const { places, where, experts, expert } = aim(trace, form, selection, store.main.sight.value);
  const scope = partAt(trace, where, store.scope.value);
  const sequence = trace.sequences[selection.sequence]!;
  return (
    <div class="form">
      <div class="formRow">
        <Select
          label={t('action')}
          value={form.action}
          options={actions.map(([name, title]) => [name, t(title)] as const)}
          change={(value) => {
            set({ action: value as WhatIfForm['action'] });
          }}
          data-focus="whatif-action"
        />
        <Select
          label={t('expert')}
          value={expert}
          options={experts}
          change={(value) => {
            set({ expert: value });
          }}
          data-focus="whatif-expert"
        />
        {form.action === 'tilt' && (
          <NumberField
            label={t('amount')}
            value={form.amount}
            range={{ min: -100, max: 100, step: 0.5 }}
            change={(amount) => {
              set({ amount });
            }}
            data-focus="whatif-amount"
          />
        )}
        <Select
          label={t('where')}
          value={where}
          options={places}
          change={(value) => {
            set({ where: value });
          }}
          data-focus="whatif-where"
        />
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={form.tokenOnly && selection.token >= 0}
          disabled={selection.token < 0}
          data-focus="whatif-token"
          onChange={() => {
            set({ tokenOnly: !form.tokenOnly });
          }}
        />
        {selection.token >= 0 ? t('onlyToken', tokenLabel(sequence, selection.token)) : t('onlyTokenNone')}
      </label>
      {scope && (
        <label class="check">
          <input
            type="checkbox"
            checked={form.scopeOnly && !(form.tokenOnly && selection.token >= 0)}
            disabled={form.tokenOnly && selection.token >= 0}
            data-focus="whatif-scope"
            onChange={() => {
              set({ scopeOnly: !form.scopeOnly });
            }}
          />
          {t('scopeWhatIf', parts.value!.scopeName(store, scope))}
        </label>
      )}
      <p class="caption">
        {t(actions.find(([name]) => name === form.action)![2], experts.find(([id]) => id === expert)?.[1] ?? expert)}
      </p>
      <div class="formRow">
        <Button
          press={() => {
            // As it stands by now, which may be later than what was drawn.
            const [now, at] = [store.view.whatIf.peek(), store.view.selection.peek()];
            const { where: there, expert: whom } = aim(trace, now, at, store.main.sight.peek());
            store.route([
              ...store.main.interventions.peek(),
              interventionOf(trace, { ...now, where: there }, whom, at, partAt(trace, there, store.scope.peek())),
            ]);
          }}
          primary
          reason={reason}
          data-focus="whatif-apply"
        >
          {t('apply')}
        </Button>
        {reason !== undefined && <span class="faint">{reason}</span>}
      </div>
    </div>
  );
}

/** Id of who leads in what is selected, or else in all of the trace. */
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
 * What the form can say, and what it says: of a place that this trace has not, the first; where no expert was chosen, or one
 * that is not there, the leader.
 */
function aim(trace: Trace, form: WhatIfForm, selection: Selection, sight: Sight | undefined) {
  const site = selection.site >= 0 ? trace.sites[selection.site] : undefined;
  const places = placesOf(trace, form.where, site?.path, sight?.layer !== undefined);
  const where = places.some(([value]) => value === form.where) ? form.where : (places[0]?.[0] ?? 'all');
  const set = expertsAt(trace, where) ?? sight?.set;
  const experts = (set?.experts ?? []).map(({ id }, e): Option => [id, plainName(set!, e)]);
  const candidates = [form.expert, leaderOf(trace, selection, sight), experts[0]?.[0]];
  const expert = candidates.find((one) => experts.some(([id]) => id === one)) ?? '';
  return { places, where, experts, expert };
}

/** Where a what-if may hold. Where each layer has experts of its own it holds in one of them. */
function placesOf(trace: Trace, now: string, path: string | undefined, isLocal: boolean): Option[] {
  const places: Option[] = isLocal ? [] : [['all', t('everywhere')]];
  const modules = [path, now.startsWith('module:') ? now.slice(7) : undefined].filter((one) => one !== undefined);
  for (const module of new Set(modules)) places.push([`module:${module}`, inSite(trace, module)]);
  for (const layer of layersOf(trace)) places.push([`layer:${layerKey(layer)}`, t('inPlace', layerName(layer))]);
  if (!isLocal) for (const kind of kindsOf(trace)) places.push([`kind:${kind}`, t('inKind', kindName(kind))]);
  return places;
}

/** The experts that a place has. */
function expertsAt(trace: Trace, where: string) {
  const site = trace.sites.find(
    (one) => where === `module:${one.path}` || where === `layer:${layerKey(layerAt(trace, one))}`,
  );
  return site && trace.expertSets[site.expertSet];
}

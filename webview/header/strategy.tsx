/** How experts are chosen: what a source offers, and what a run was asked for. */
import type { Strategy, StrategyOffer } from '../../src/strategies/strategy.js';
import { NumberField, Select } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { reasonAgainst } from '../store/reasons.js';
import type { Store } from '../store/store.js';
import { isStacked } from '../look/room.js';
import { strategyName, t } from '../look/strings.js';

function offers(store: Store): readonly StrategyOffer[] {
  return store.description.value?.can.strategies ?? [];
}

/** A saved trace may come of a strategy that is not offered here: it is shown by its name all the same. */
export function strategyTitle(store: Store, name: string | undefined): string {
  if (name === undefined) return '';
  return offers(store).find((offer) => offer.name === name)?.title ?? strategyName(name);
}

/** A strategy with what it takes filled in, as near to the present one as can be. */
export function filledIn(store: Store, name: string, now?: Strategy): Strategy {
  const { experts, limits } = store.description.value ?? { experts: [], limits: {} };
  const takes = offers(store).find((offer) => offer.name === name)?.takes ?? [];
  const expert = (now?.name === name ? now.expert : undefined) ?? experts[0]?.id;
  return {
    name,
    ...(takes.includes('k') && { k: now?.k ?? limits.k ?? 2 }),
    ...(takes.includes('expert') && expert !== undefined && { expert }),
  };
}

/** Those that choose experts by their scores: only their choices can differ more here and less there. */
export function choosing(store: Store): readonly StrategyOffer[] {
  return offers(store).filter(({ takes }) => takes.includes('k'));
}

/** Whether the model routes by a router of its own, of which no more than its k may be another. */
function routesItself(store: Store): boolean {
  return offers(store).length === 0 || store.description.value?.can.k !== undefined;
}

/** What the main run was asked for; where the model routes by its own router, that. */
function present(store: Store): Strategy | undefined {
  if (store.description.value === undefined || !routesItself(store)) return store.main.strategy.value;
  const router = store.main.choices.value?.router;
  return router && { name: router.name, ...(router.k !== undefined && { k: router.k }) };
}

function kReason(store: Store): string | undefined {
  const k = store.description.value?.can.k;
  return k === undefined || k === true ? undefined : k.reason;
}

export function StrategySwitch() {
  const store = useStore();
  const now = present(store);
  if (!now) return null;
  const interventions = store.main.interventions.value;
  const itself = routesItself(store);
  const [own] = itself ? offers(store) : [];
  const offered = itself ? [] : offers(store).map(({ name }) => name);
  const busy = reasonAgainst(store, 'route');
  const reason = busy ?? (itself ? t('strategyOwn') : undefined);
  const names = offered.includes(now.name) ? offered : [now.name, ...offered];
  const experts = store.main.sight.value?.set.experts ?? store.description.value?.experts ?? [];
  const mostK = store.description.value?.limits.mostK ?? experts.length;
  const hint = offers(store).find(({ name }) => name === now.name)?.hint;
  return (
    <span class="strategy">
      <Select
        label={t('strategy')}
        value={now.name}
        options={names.map((name) => [name, strategyTitle(store, name)] as const)}
        change={(name) => {
          store.route(interventions, filledIn(store, name, now));
        }}
        {...(hint !== undefined && { title: hint })}
        reason={reason}
        data-focus="strategy"
      />
      {now.expert !== undefined && (
        <Select
          label={t('expertOf')}
          value={now.expert}
          options={experts.map(({ id, name }) => [id, name] as const)}
          change={(expert) => {
            store.route(interventions, { ...now, expert });
          }}
          reason={reason}
          data-focus="strategy-expert"
        />
      )}
      {now.k !== undefined && (
        <label class="field">
          <span aria-hidden="true">{isStacked.value ? 'k' : t('experts')}</span>
          <NumberField
            label={t('experts')}
            value={now.k}
            range={{ min: 1, max: Math.max(1, mostK), step: 1 }}
            change={(k) => {
              store.route(interventions, { ...(own ? { name: own.name } : now), k: Math.round(k) });
            }}
            reason={own ? busy : (kReason(store) ?? reason)}
            class="k"
            data-focus="strategy-k"
          />
        </label>
      )}
    </span>
  );
}

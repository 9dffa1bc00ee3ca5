/** The choice of strategy, with its parameters. */
import { NumberField } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { ExpertSelect } from '../components/expert.js';
import { StrategyMenu } from '../components/strategyMenu.js';
import { reasonAgainst } from '../store/reasons.js';
import { chosenSince, filledIn, kReason, offers, present } from '../store/strategies.js';
import { isStacked } from '../look/room.js';
import { t } from '../look/strings.js';

export function StrategySwitch() {
  const store = useStore();
  const now = present(store);
  if (!now) return null;
  const interventions = store.main.interventions.value;
  const offered = offers(store).map(({ name }) => name);
  // What the chosen model offers is nothing that the run of another could be changed to.
  const since = chosenSince(store);
  const reason = since ? t('otherModel', since.ran, since.chosen) : reasonAgainst(store, 'route');
  const fixed = offered.length === 0 ? t('strategyNative') : undefined;
  const experts = store.main.shownExperts.value?.set.experts ?? store.description.value?.experts ?? [];
  const mostK = store.description.value?.limits.mostK ?? experts.length;
  return (
    <span class="strategy">
      <StrategyMenu
        label={t('strategy')}
        value={now.name}
        names={offered.includes(now.name) ? offered : [now.name, ...offered]}
        change={(name) => store.route(interventions, filledIn(store, name, now))}
        reason={reason}
        name="strategy"
      />
      {now.expert !== undefined && (
        <ExpertSelect
          label={t('expertOf')}
          value={now.expert}
          options={experts.map(({ id, name }) => [id, name] as const)}
          change={(expert) => store.route(interventions, { ...now, expert })}
          reason={reason}
          data-focus="strategy-expert"
        />
      )}
      {now.k !== undefined && (
        <label class="field">
          <span aria-hidden="true">{t(isStacked.value ? 'expertsShort' : 'experts')}</span>
          <NumberField
            label={t('experts')}
            value={now.k}
            range={{ min: 1, max: Math.max(1, mostK), step: 1 }}
            change={(k) => store.route(interventions, { ...now, k: Math.round(k) })}
            reason={since ? reason : (kReason(store) ?? reason ?? fixed)}
            class="k"
            data-focus="strategy-k"
          />
        </label>
      )}
    </span>
  );
}

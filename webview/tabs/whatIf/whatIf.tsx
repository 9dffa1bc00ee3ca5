/** What would have happened: the form, and below it what changed and the attribution. */
import { scoreName, tokenLabel } from '../../../src/trace/text/label.js';
import { withOneMore } from '../../../src/trace/model/whatIf.js';
import type { Intervention, Trace } from '../../../src/trace/model/trace.js';
import { weighing } from '../../../src/trace/model/router.js';
import type { PlainWord } from '../../../src/words/words.js';
import { reasonAgainst } from '../../store/reasons.js';
import { chosenSince } from '../../store/strategies.js';
import type { Selection, WhatIfForm } from '../../store/state.js';
import type { Store } from '../../store/store.js';
import { expectResult } from '../../components/arrival.js';
import { Button, Check, NumberField, Select, type Option } from '../../components/controls.js';
import { useStore } from '../../components/context.js';
import { ExpertSelect } from '../../components/expert.js';
import { InAtlas } from '../../components/inAtlas.js';
import { t } from '../../look/strings.js';
import { fullName } from '../../store/atlas.js';
import { expertNames, say } from '../../store/whatIfWords.js';
import { scopeCode } from '../../scope/load.js';
import { aim, besideForced, hasNext, interventionOf, partAt, vain } from './model.js';
import { Attribution } from './attribution.js';
import { Effect } from './effect.js';

export function WhatIf() {
  const store = useStore();
  const trace = store.main.trace.value;
  if (!trace) return <p class="hint">{t('needsTrace')}</p>;
  const { interventions, whatIfs } = store.main;
  const hasEffect = interventions.value.length > 0;
  const isOfForm = JSON.stringify(interventions.value) === JSON.stringify([asked(store, trace).one]);
  const name = expertNames(store);
  const title = isOfForm ? t('effect') : t('effectOf', whatIfs.value.map((one) => say(one, store, name)).join(', '));
  return (
    <>
      <Form trace={trace} hasEffect={hasEffect} />
      <Effect trace={trace} title={title} />
      {hasEffect && <Whom trace={trace} />}
      <Attribution trace={trace} />
    </>
  );
}

const actions = [
  ['knock-out', 'knockOut'],
  ['force', 'force'],
  ['logit-bias', 'logitBias'],
] as const;

/** What a what-if would do; empty where “Apply” says why it would do nothing. */
function hintsOf(one: Intervention, trace: Trace, interventions: readonly Intervention[]): PlainWord[] {
  switch (one.action) {
    case 'knock-out':
      return [hasNext(trace, interventions, one) ? 'knockOutHint' : 'knockOutHintAll'];
    case 'force':
      return ['forceHint', ...besideForced(trace, one)];
    case 'logit-bias':
      return weighing(trace) === 'fixed' ? [] : [`${scoreName(trace)}BiasHint`];
  }
}

/** Which token a what-if could be limited to: of several that are selected, the first. */
function onlyWords({ sequences }: Trace, { sequence, token, end = token + 1 }: Selection): string {
  if (token < 0) return t('onlyTokenNone');
  return t(end > token + 1 ? 'onlyTokenFirst' : 'onlyToken', tokenLabel(sequences[sequence]!, token));
}

/** Where the atlas shows the chosen expert. */
function Whom({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const { whatIf, selection } = store.view;
  const { set, layer, expert } = aim(trace, whatIf.value, selection.value, store.main.shownExperts.value);
  if (!set) return null;
  const experts = [...set.experts.keys()].filter((e) => set.experts[e]!.id === expert);
  return <InAtlas trace={trace} set={set} layer={layer} experts={experts} />;
}

/** @param hasEffect its effect is shown below: only what changes the form stands between */
function Form({ trace, hasEffect }: { readonly trace: Trace; readonly hasEffect: boolean }) {
  const store = useStore();
  const form = store.view.whatIf.value;
  const selection = store.view.selection.value;
  const set = (part: Partial<WhatIfForm>): void => store.set({ whatIf: { ...store.view.whatIf.peek(), ...part } });
  const { places, where, set: those, layer, expert } = aim(trace, form, selection, store.main.shownExperts.value);
  const experts = (those?.experts ?? []).map(({ id }, e): Option => [
    id,
    fullName(store, trace, { set: those!, layer }, e),
  ]);
  const scope = partAt(trace, where, store.scope.value);
  const hints = hintsOf(asked(store, trace).one, trace, store.main.interventions.value);
  const name = experts.find(([id]) => id === expert)?.[1] ?? expert;
  return (
    <div class="form">
      <div class="formRow">
        <Select
          label={t('action')}
          value={form.action}
          options={actions.map(([name, title]) => [name, t(title)] as const)}
          change={(value) => set({ action: value as WhatIfForm['action'] })}
          data-focus="whatif-action"
        />
        <ExpertSelect
          label={t('expert')}
          value={expert}
          options={experts}
          change={(value) => set({ expert: value })}
          data-focus="whatif-expert"
        />
        {form.action === 'logit-bias' && (
          <NumberField
            label={t('amount')}
            value={form.amount}
            range={{ min: -100, max: 100, step: 0.5 }}
            change={(amount) => set({ amount })}
            data-focus="whatif-amount"
          />
        )}
      </div>
      <div class="formRow">
        <Select
          label={t('where')}
          value={where}
          options={places}
          change={(value) => set({ where: value })}
          data-focus="whatif-where"
        />
        <Apply trace={trace} />
        <Check
          checked={form.tokenOnly && selection.token >= 0}
          disabled={selection.token < 0}
          change={() => set({ tokenOnly: !form.tokenOnly })}
          data-focus="whatif-token"
        >
          {onlyWords(trace, selection)}
        </Check>
      </div>
      {!hasEffect && <Whom trace={trace} />}
      {scope && (
        <Check
          checked={form.scopeOnly && !(form.tokenOnly && selection.token >= 0)}
          disabled={form.tokenOnly && selection.token >= 0}
          change={() => set({ scopeOnly: !form.scopeOnly })}
          data-focus="whatif-scope"
        >
          {t('scopeWhatIf', scopeCode.code.value!.scopeName(store, scope))}
        </Check>
      )}
      {hints.length > 0 && <p class="caption">{hints.map((hint) => t(hint, name)).join(' ')}</p>}
      {!hasEffect && <p class="caption">{t('whatIfIntro')}</p>}
    </div>
  );
}

/** What the form asks for, with what it fills in itself. */
function asked(store: Store, trace: Trace): { readonly form: WhatIfForm; readonly one: Intervention } {
  const [form, at] = [store.view.whatIf.value, store.view.selection.value];
  const { where, expert } = aim(trace, form, at, store.main.shownExperts.value);
  const one = interventionOf(trace, { ...form, where }, expert, at, partAt(trace, where, store.scope.value));
  return { form: { ...form, where, expert }, one };
}

function Apply({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const why = vain(trace, store.main.interventions.value, asked(store, trace).one);
  const since = chosenSince(store);
  const reason = since ? t('otherModel', since.ran, since.chosen) : (reasonAgainst(store, 'whatIf') ?? (why && t(why)));
  return (
    <>
      <Button
        press={() => {
          // The form as it is now, which may be later than what was drawn.
          const { form, one } = asked(store, trace);
          expectResult(store, 'effect');
          // What leads in the new run may be another expert: the form stays what was applied.
          store.set({ whatIf: form });
          store.route(withOneMore(store.main.interventions.value, one));
        }}
        primary
        reason={reason}
        data-focus="whatif-apply"
      >
        {t('apply')}
      </Button>
      {reason !== undefined && <span class="faint">{reason}</span>}
    </>
  );
}

/** Which rows and cells the map shows. Experts are filtered in the legend. */
import { kindsOf, layersOf } from '../../src/trace/model/access.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { Button, Field, NumberField, Select } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { fixed, kindName, t } from '../look/strings.js';

const marginSteps = [0.02, 0.05, 0.1, 0.2, 0.5, 1];

export function Filters() {
  const store = useStore();
  const trace = store.main.trace.value;
  if (!store.view.filterOpen.value || !trace) return null;
  const { weight, margin } = store.view.filter.value;
  const hasWeights = trace.blocks.every((block) => block.weight !== undefined);
  const hasScores = trace.blocks.some(({ score, selection }) => score ?? selection);
  return (
    <div class="filters" role="group" aria-label={t('filter')}>
      <LayersFilter trace={trace} />
      <KindsFilter trace={trace} />
      <Field label={t('filterWeight')}>
        <NumberField
          label={t('filterWeight')}
          value={weight}
          range={{ min: 0, max: 1, step: 0.05 }}
          change={(least) => store.setFilter({ weight: least })}
          reason={hasWeights ? undefined : t('weightNone')}
          data-focus="filter-weight"
        />
      </Field>
      {(hasScores || store.main.scoresFollow.value) && (
        <Field label={t('filterMargin')}>
          <Select
            label={t('filterMargin')}
            value={margin === null ? '' : String(margin)}
            options={[['', t('filterMarginAny')], ...marginSteps.map((x) => [String(x), fixed(x)] as const)]}
            change={(value) => store.setFilter({ margin: value === '' ? null : Number(value) })}
            data-focus="filter-margin"
          />
        </Field>
      )}
      <Button press={() => store.clearFilter()} class="link" data-focus="filter-reset">
        {t('filterReset')}
      </Button>
    </div>
  );
}

interface Props {
  readonly trace: Trace;
}

function LayersFilter({ trace }: Props) {
  const store = useStore();
  const layers = layersOf(trace).map(({ layer }) => layer);
  const range = { min: Math.min(...layers), max: Math.max(...layers), step: 1 };
  const [from, to] = store.view.filter.value.layers ?? [range.min, range.max];
  const set = (a: number, b: number): void => {
    const [low, high] = a <= b ? [a, b] : [b, a];
    store.setFilter({ layers: low === range.min && high === range.max ? null : [low, high] });
  };
  return (
    <span class="field">
      {t('layers')}
      <NumberField
        label={t('filterFrom')}
        value={from}
        range={range}
        change={(n) => set(n, to)}
        data-focus="filter-from"
      />
      –
      <NumberField label={t('filterTo')} value={to} range={range} change={(n) => set(from, n)} data-focus="filter-to" />
    </span>
  );
}

function KindsFilter({ trace }: Props) {
  const store = useStore();
  const chosen = store.view.filter.value.kinds;
  const kinds = kindsOf(trace);
  return (
    <span class="segmented" role="group" aria-label={t('filterKinds')}>
      {kinds.map((kind) => {
        const isOn = chosen.includes(kind);
        return (
          <Button
            key={kind}
            press={() =>
              store.setFilter({
                kinds: isOn
                  ? chosen.filter((one) => one !== kind)
                  : kinds.filter((one) => one === kind || chosen.includes(one)),
              })
            }
            aria-pressed={isOn}
            title={kindName(kind)}
            aria-label={`${kind}, ${kindName(kind)}`}
            data-focus={`filter-${kind}`}
          >
            {kind}
          </Button>
        );
      })}
    </span>
  );
}

/** Which rows and cells the grid shows. Experts are filtered in the legend. */
import { kindsOf, layersOf } from '../../src/trace/model/access.js';
import { Button, Field, NumberField, Select } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { fixed, kindName, t } from '../look/strings.js';

const marginSteps = [0.02, 0.05, 0.1, 0.2, 0.5, 1];

export function Filters() {
  const store = useStore();
  const trace = store.main.trace.value;
  if (!store.view.filterOpen.value || !trace) return null;
  const filter = store.view.filter.value;
  const layers = layersOf(trace).map(({ layer }) => layer);
  const range = { min: Math.min(...layers), max: Math.max(...layers), step: 1 };
  const [from, to] = filter.layers ?? [range.min, range.max];
  const setLayers = (a: number, b: number): void => {
    const [low, high] = a <= b ? [a, b] : [b, a];
    store.setFilter({ layers: low === range.min && high === range.max ? null : [low, high] });
  };
  const kinds = kindsOf(trace);
  const hasWeights = trace.blocks.every(({ weight }) => weight !== undefined);
  const hasScores = trace.blocks.some(({ score, selection }) => score ?? selection);
  return (
    <div class="filters" role="group" aria-label={t('filter')}>
      <span class="field">
        {t('layers')}
        <NumberField
          label={t('filterFrom')}
          value={from}
          range={range}
          change={(n) => {
            setLayers(n, to);
          }}
          data-focus="filter-from"
        />
        –
        <NumberField
          label={t('filterTo')}
          value={to}
          range={range}
          change={(n) => {
            setLayers(from, n);
          }}
          data-focus="filter-to"
        />
      </span>
      <span class="segmented" role="group" aria-label={t('filterKinds')}>
        {kinds.map((kind) => {
          const isOn = filter.kinds.includes(kind);
          return (
            <Button
              key={kind}
              press={() => {
                store.setFilter({
                  kinds: isOn
                    ? filter.kinds.filter((one) => one !== kind)
                    : kinds.filter((one) => one === kind || filter.kinds.includes(one)),
                });
              }}
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
      <Field label={t('filterWeight')}>
        <NumberField
          label={t('filterWeight')}
          value={filter.weight}
          range={{ min: 0, max: 1, step: 0.05 }}
          change={(weight) => {
            store.setFilter({ weight });
          }}
          reason={hasWeights ? undefined : t('weightNone')}
          data-focus="filter-weight"
        />
      </Field>
      {(hasScores || store.main.scoresFollow.value) && (
        <Field label={t('filterMargin')}>
          <Select
            label={t('filterMargin')}
            value={filter.margin === null ? '' : String(filter.margin)}
            options={[['', t('filterMarginAny')], ...marginSteps.map((x) => [String(x), fixed(x)] as const)]}
            change={(value) => {
              store.setFilter({ margin: value === '' ? null : Number(value) });
            }}
            data-focus="filter-margin"
          />
        </Field>
      )}
      <Button
        press={() => {
          store.clearFilter();
        }}
        class="link"
        data-focus="filter-reset"
      >
        {t('filterReset')}
      </Button>
    </div>
  );
}

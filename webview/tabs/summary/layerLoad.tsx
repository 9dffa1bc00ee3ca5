/** How evenly each layer uses its own experts: the figure that makes sense over layers whose experts are unrelated. */
import { layersOf, type Layer } from '../../../src/trace/model/access.js';
import { load } from '../../../src/statistics/load.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { useStore } from '../../components/context.js';
import { Figure } from '../../components/figure.js';
import { Lines } from '../../components/lines.js';
import { layerKey } from '../../../src/trace/model/shownExperts.js';
import { layerName } from '../../look/names.js';
import { Button } from '../../components/controls.js';
import { fixed, t } from '../../look/strings.js';
import { usageByLayerOf } from '../../store/sums.js';

export function LayersLoad({
  trace,
  sequence,
  layer,
}: {
  readonly trace: Trace;
  readonly sequence: number;
  /** The layer in sight. */
  readonly layer: Layer;
}) {
  const store = useStore();
  const layers = layersOf(trace, { sequence });
  const keys = layers.map(layerKey);
  const loads = usageByLayerOf(trace, sequence).map((usage) => usage && load(usage.share, usage.chance));
  const first = layers[0]?.layer ?? 0;
  const values = loads.map((one) => one?.entropyRatio ?? NaN);
  return (
    <Figure
      name="loadByLayer"
      title={t('loadByLayer')}
      caption={t('loadByLayerCaption')}
      hint={t('clickLayer')}
      plot={() => ({
        kind: 'lines',
        x: { title: t('layerHead'), first },
        y: { title: t('loadEntropy'), high: 1 },
        series: [{ name: t('loadEntropy'), values }],
      })}
      chart={() => (
        <Lines
          list={[{ values, class: 'main' }]}
          first={first}
          selected={keys.indexOf(layerKey(layer))}
          press={(i) => store.lookAtLayer(keys[i]!)}
        />
      )}
      table={() => ({
        head: [t('layerHead'), t('loadEffective'), t('loadDead'), t('loadCv'), t('loadEntropy')],
        count: layers.length,
        row: (i) => {
          const one = loads[i];
          return [
            <Button key="go" press={() => store.lookAtLayer(keys[i]!)} class="link" data-focus={`load-${keys[i]!}`}>
              {layerName(layers[i]!)}
            </Button>,
            one ? t('of', fixed(one.effective, 1), one.experts) : '–',
            one ? String(one.dead.length) : '–',
            fixed(one?.cv ?? NaN),
            fixed(one?.entropyRatio ?? NaN),
          ];
        },
      })}
    />
  );
}

/** How evenly each layer uses its own experts: what can be said over layers whose experts are strangers to each other. */
import { layersOf } from '../../src/trace/access.js';
import type { Trace } from '../../src/trace/trace.js';
import { load } from '../../src/statistics/load.js';
import { useStore } from '../components/context.js';
import { Figure } from '../components/figure.js';
import { Lines } from '../components/lines.js';
import { layerKey } from '../../src/trace/sight.js';
import { layerName } from '../look/names.js';
import { Button } from '../components/controls.js';
import { fixed, t } from '../look/strings.js';
import { usageByLayerOf } from './sums.js';

export function LayersOwnLoad({ trace, sequence }: { readonly trace: Trace; readonly sequence: number }) {
  const store = useStore();
  const layers = layersOf(trace, { sequence });
  const loads = usageByLayerOf(trace, sequence).map(
    (usage) => usage && { ...load(usage.share), of: usage.share.length },
  );
  return (
    <Figure
      name="loadByLayer"
      title={t('loadByLayer')}
      caption={t('loadByLayerCaption')}
      chart={() => (
        <Lines
          list={[{ values: loads.map((one) => one?.entropyRatio ?? NaN), class: 'main' }]}
          first={layers[0]?.layer ?? 0}
          press={(i) => {
            store.colourByLayer(layerKey(layers[i]!));
          }}
        />
      )}
      table={() => ({
        head: [t('layerHead'), t('loadEntropy'), t('loadEffective'), t('loadDead')],
        count: layers.length,
        row: (i) => {
          const one = loads[i];
          return [
            <Button
              key="go"
              press={() => {
                store.colourByLayer(layerKey(layers[i]!));
              }}
              class="link"
              data-focus={`load-${layerKey(layers[i]!)}`}
            >
              {layerName(layers[i]!)}
            </Button>,
            fixed(one?.entropyRatio ?? NaN),
            one ? t('of', fixed(one.effective, 1), one.of) : '–',
            one ? String(one.dead.length) : '–',
          ];
        },
      })}
    />
  );
}

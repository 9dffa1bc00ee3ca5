import { useState } from 'preact/hooks';
import { isObject } from '../../src/checks/plain.js';
import type { SimilarityMessage } from '../../src/protocol/similarity.js';
import { closestPairs } from '../../src/similarity/pairs.js';
import { type Measure, measures, planeOf } from '../../src/similarity/planes.js';
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { Field, Segmented, Select } from '../components/controls.js';
import { rowsOf, TableBox } from '../components/table.js';
import { layerName } from '../look/names.js';
import { t } from '../look/strings.js';
import { cosine, Square } from './square.js';

/** What the user is looking at: a layer's key, or '' for all layers. */
export interface Looking {
  readonly by: Measure;
  readonly layer: string;
}

interface Props extends Omit<SimilarityMessage, 'type'> {
  /** What the user was looking at before, if anything. */
  readonly first: unknown;
  readonly look: (looking: Looking) => void;
}

const named = { gate: 'byGate', adapter: 'byAdapter' } as const;
const hints = { gate: 'byGateHint', adapter: 'byAdapterHint' } as const;

export function SimilarityView({ name, similarity, first, look }: Props) {
  const [looking, setLooking] = useState<Looking>(() => lookingOf(first));
  const change = (part: Partial<Looking>): void => {
    const next = { ...looking, ...part };
    setLooking(next);
    look(next);
  };
  const { experts, layers } = similarity;
  const { by } = looking;
  const at = layers.findIndex((layer) => layerKey(layer) === looking.layer);
  const layer = at < 0 ? undefined : at;
  const planes = { gate: planeOf(similarity.gate, layer), adapter: planeOf(similarity.adapter, layer) };
  const pairs = closestPairs(planes[by]);
  const n = experts.length;
  return (
    <div class="similarity">
      <header>
        <h1>{t('similarityTitle', name)}</h1>
        <Segmented
          label={t('similarityBy')}
          parts={measures.map((measure) => ({
            label: t(named[measure]),
            title: t(hints[measure]),
            on: measure === by,
            press: () => change({ by: measure }),
          }))}
        />
        <Field label={t('layerHead')}>
          <Select
            label={t('layerHead')}
            value={layer === undefined ? '' : looking.layer}
            options={[['', t('allLayers')], ...layers.map((one) => [layerKey(one), layerName(one)] as const)]}
            change={(key) => change({ layer: key })}
          />
        </Field>
      </header>
      <p class="caption">{t(hints[by])}</p>
      <Square experts={experts} plane={planes[by]} caption={t('similarityCaption', t(named[by]))} />
      <h2>{t('closestPairs')}</h2>
      {pairs.length === 0 ? (
        <p class="caption">{t('noPairs')}</p>
      ) : (
        <TableBox
          caption={t('closestPairs')}
          rows={rowsOf(
            [t('expert'), t('expert'), t('byGate'), t('byAdapter')],
            pairs.map(({ a, b }) => [
              experts[a]!.name,
              experts[b]!.name,
              cosine(planes.gate[a * n + b]!),
              cosine(planes.adapter[a * n + b]!),
            ]),
          )}
        />
      )}
    </div>
  );
}

function lookingOf(kept: unknown): Looking {
  const { by, layer } = isObject(kept) ? kept : {};
  return { by: by === 'adapter' ? 'adapter' : 'gate', layer: typeof layer === 'string' ? layer : '' };
}

import { useState } from 'preact/hooks';
import { isObject } from '../../src/checks/plain.js';
import type { Plot } from '../../src/paper/plot.js';
import type { FigureMessage } from '../../src/protocol/panel.js';
import type { SimilarityMessage } from '../../src/protocol/similarity.js';
import { closestPairs } from '../../src/similarity/pairs.js';
import { type Measure, measures, planeOf } from '../../src/similarity/planes.js';
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { Field, Segmented, Select, Tool } from '../components/controls.js';
import { rowsOf, TableBox, wholeTable } from '../components/table.js';
import { layerName } from '../look/names.js';
import { t } from '../look/strings.js';
import { type Figure, FigureDialog } from '../saving/dialog.js';
import { say, sentences } from '../saving/strings.js';
import { cosine, Square, squarePlot } from './square.js';

/** What the user is looking at: a layer's key, or '' for all layers. */
export interface Looking {
  readonly by: Measure;
  readonly layer: string;
}

interface Props extends Omit<SimilarityMessage, 'type'> {
  /** What the user was looking at before, if anything. */
  readonly first: unknown;
  readonly look: (looking: Looking) => void;
  readonly send: (message: FigureMessage) => void;
}

const named = { gate: 'byGate', adapter: 'byAdapter' } as const;
const hints = { gate: 'byGateHint', adapter: 'byAdapterHint' } as const;

export function SimilarityView({ name, similarity, first, look, send }: Props) {
  const [looking, setLooking] = useState<Looking>(() => lookingOf(first));
  const [toSave, setToSave] = useState<Figure | undefined>(undefined);
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
  const title = t('similarityCaption', t(named[by]));
  const rows = rowsOf(
    [t('expert'), t('expert'), t('byGate'), t('byAdapter')],
    pairs.map(({ a, b }) => [
      experts[a]!.name,
      experts[b]!.name,
      cosine(planes.gate[a * n + b]!),
      cosine(planes.adapter[a * n + b]!),
    ]),
  );
  const place = layer === undefined ? t('allLayers') : layerName(layers[layer]!);
  const save = (what: string, plot: Plot): void =>
    setToSave({ title: what, plot, caption: sentences([what, t(hints[by]), `${say('ofModel', name)}; ${place}`]) });
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
        <SaveTool title={title} press={() => save(title, squarePlot(experts, planes[by]))} name="save-square" />
      </header>
      <p class="caption">{t(hints[by])}</p>
      <Square experts={experts} plane={planes[by]} caption={title} />
      <h2>
        {t('closestPairs')}
        {pairs.length > 0 && (
          <SaveTool
            title={t('closestPairs')}
            press={() => save(t('closestPairs'), wholeTable(rows))}
            name="save-pairs"
          />
        )}
      </h2>
      {pairs.length === 0 ? (
        <p class="caption">{t('noPairs')}</p>
      ) : (
        <TableBox caption={t('closestPairs')} rows={rows} />
      )}
      {toSave && <FigureDialog figure={toSave} send={send} close={() => setToSave(undefined)} />}
    </div>
  );
}

function SaveTool({
  title,
  press,
  name,
}: {
  readonly title: string;
  readonly press: () => void;
  readonly name: string;
}) {
  return <Tool label={t('saveFigureOf', title)} icon="save" press={press} data-focus={name} />;
}

function lookingOf(kept: unknown): Looking {
  const { by, layer } = isObject(kept) ? kept : {};
  return { by: by === 'adapter' ? 'adapter' : 'gate', layer: typeof layer === 'string' ? layer : '' };
}

/** Each layer's numbers beside what chance gives. */
import { useRef } from 'preact/hooks';
import { layerKeyIn, number } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { layerId, type LayerKey } from '../../src/protocol/atlas.js';
import { Button } from '../components/controls.js';
import { fixed, t } from '../look/strings.js';
import type { Atlas } from './model.js';
import { AtlasPart, SheetTable } from './part.js';
import { besideChance, saidLayer } from './said.js';
import type { Sheet } from './sheet.js';
import { Terms } from './terms.js';
import { useAtlas } from './store.js';

export function Layers({ atlas }: { readonly atlas: Atlas }) {
  const store = useAtlas();
  const box = useRef<HTMLDivElement>(null);
  const sheet = layersSheet(atlas);
  const at = Math.max(
    0,
    atlas.layers.findIndex((layer) => isAt(store.looking.value.cursor, layer)),
  );
  /** Puts the map's cursor into the layer, where its row can be read. */
  const go = (row: Row): void => {
    const unit = atlas.layers.find((layer) => isAt(layer, layerKeyIn(row)))?.units[0];
    if (unit) store.look({ cursor: unit.key });
  };
  return (
    <AtlasPart name="atlasLayers" title={sheet.title} caption={t('atlasLayersCaption')} sheet={sheet}>
      <div
        ref={box}
        onKeyDown={(event) => {
          const links = [...box.current!.querySelectorAll<HTMLElement>('tbody button')];
          const now = links.indexOf(event.target as HTMLElement);
          const last = links.length - 1;
          const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: last }[event.key];
          if (now < 0 || to === undefined) return;
          event.preventDefault();
          links[Math.min(last, Math.max(0, to))]!.focus();
        }}
      >
        <SheetTable
          sheet={sheet}
          first={(row) => (
            <Button
              class="link"
              press={() => go(row)}
              tabindex={sheet.rows.indexOf(row) === at ? 0 : -1}
              title={t('atlasLayerHint')}
              data-focus="layer"
            >
              {saidLayer(layerKeyIn(row))}
            </Button>
          )}
        />
      </div>
      <Terms of={['cv', 'effective', 'maxVio', 'information']} />
    </AtlasPart>
  );
}

const isAt = (one: LayerKey | null, layer: LayerKey) => one !== null && layerId(one) === layerId(layer);

const informations = ['label', 'token', 'class', 'place'] as const;

function layersSheet({ layers }: Atlas): Sheet {
  return {
    name: 'layers',
    title: t('atlasLayers'),
    head: [
      t('layerHead'),
      t('atlasDeadHead'),
      t('loadCv'),
      t('atlasEffective'),
      t('loadMaxVio'),
      ...informations.map((of) => t(`atlasInformation_${of}`)),
    ],
    rows: layers.flatMap(({ row }) => (row ? [row] : [])),
    cells: (row) => [
      saidLayer(layerKeyIn(row)),
      t('atlasBeside', t('of', number(row, 'dead'), number(row, 'experts')), fixed(number(row, 'deadChance'), 1)),
      besideChance(row, 'cv'),
      besideChance(row, 'effective', 1),
      fixed(number(row, 'maxVio')),
      ...informations.map((of) => besideChance(row, `${of}Information`, 3)),
    ],
  };
}

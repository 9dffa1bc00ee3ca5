import { isMeasure } from '../../src/trace/figures/colouring.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { Explain } from '../components/explain.js';
import { Segmented, Tool, classes } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { gridSources, initial } from '../store/state.js';
import { ScopeMenu } from '../scope/menu.js';
import { layerName } from '../look/names.js';
import { ends, t } from '../look/strings.js';
import { zoomStep, type Action } from './input.js';
import type { Raster } from './model.js';
import type { GridScene } from './scene.js';

const sourceNames = { main: 'gridMain', other: 'gridOther' } as const;

export function Toolbar({ scene, act }: { readonly scene: GridScene; readonly act: (action: Action) => void }) {
  const store = useStore();
  const { expanded, filter, filterOpen, fadeUnchanged, gridSource, lineColumns, tables, maximised } = store.view;
  if (!scene.trace.value) return null;
  const isComparing = store.other.trace.value !== undefined;
  const showsChange = scene.raster.value?.changed !== undefined;
  const isFiltered = JSON.stringify(filter.value) !== JSON.stringify(initial.filter);
  const asTable = tables.value.includes('grid');
  const isLines = scene.isLines.value;
  const showsLayers = !isLines || lineColumns.value === 'layers';
  const title = t(isLines ? 'gridLines' : scene.isFlat.value ? 'gridOwn' : 'grid');
  return (
    <div class={classes('toolbar', (showsChange || isComparing) && 'full')} role="toolbar" aria-label={t('grid')}>
      <h2>{title}</h2>
      <Segmented
        label={t('mapForm')}
        parts={(['grid', 'lines'] as const).map((map) => ({
          label: t(map === 'grid' ? 'mapGrid' : 'mapLines'),
          title: t(map === 'grid' ? 'mapGridHint' : 'mapLinesHint'),
          reason: map === 'lines' && !scene.lines.value ? t('mapLinesNone') : undefined,
          on: isLines === (map === 'lines'),
          press: () => {
            store.set({ map });
          },
        }))}
      />
      {(!scene.isFlat.value || isLines) && (
        <Segmented
          label={t(isLines ? 'columns' : 'rows')}
          parts={[
            {
              label: t('layers'),
              on: showsLayers && (scene.isFlat.value || expanded.value.length === 0),
              press: () => {
                store.set({ expanded: [], lineColumns: 'layers' });
                scene.setZoom(null);
                store.select({ site: -1 });
              },
            },
            ...(scene.isFlat.value
              ? []
              : [
                  {
                    label: t('modules'),
                    on: showsLayers && expanded.value === 'all',
                    press: () => {
                      store.set({ expanded: 'all', lineColumns: 'layers' });
                      scene.setZoom(null);
                    },
                  },
                ]),
            ...(isLines && scene.sight.value
              ? [
                  {
                    label: t('mapExperts'),
                    on: !showsLayers,
                    reason: scene.isChange.value ? t('mapExpertsNone') : undefined,
                    press: () => {
                      store.set({ lineColumns: 'experts' });
                      scene.setZoom(null);
                    },
                  },
                ]
              : []),
          ]}
        />
      )}
      {isComparing && (
        <Segmented
          label={t('gridShows')}
          parts={gridSources.map((source) => ({
            label: t(sourceNames[source]),
            on: !scene.isChange.value && gridSource.value === source,
            press: () => {
              store.set({ gridSource: source });
              store.overlay('');
            },
          }))}
        />
      )}
      {showsChange && (
        <label class="check" title={t('fadeHint')}>
          <input
            type="checkbox"
            checked={fadeUnchanged.value}
            data-focus="grid-fade"
            onChange={() => {
              store.set({ fadeUnchanged: !fadeUnchanged.value });
            }}
          />
          {t('fade')}
        </label>
      )}
      <span class="spring" />
      <span class="tools">
        {!store.isTextFolded.value && !maximised.value && (
          <Tool
            label={t('textFold')}
            icon="text"
            press={() => {
              store.set({ textPane: 'folded' });
            }}
            aria-pressed={true}
            data-focus="text-fold"
          />
        )}
        <ScopeMenu />
        <Tool
          label={t(isFiltered ? 'filterOn' : 'filter')}
          icon="filter"
          class={classes(isFiltered && 'on')}
          press={() => {
            store.set({ filterOpen: !filterOpen.value });
          }}
          aria-expanded={filterOpen.value}
          data-focus="grid-filter"
        />
        <Tool
          label={t('zoomOut')}
          icon="minus"
          press={() => {
            act({ do: 'zoom', by: 1 / zoomStep });
          }}
          data-focus="grid-zoomOut"
        />
        <Tool
          label={t('zoomIn')}
          icon="plus"
          press={() => {
            act({ do: 'zoom', by: zoomStep });
          }}
          data-focus="grid-zoomIn"
        />
        <Tool
          label={t(isLines ? 'zoomReadLines' : 'zoomRead')}
          icon="letter"
          press={() => {
            act({ do: 'read' });
          }}
          data-focus="grid-zoomRead"
        />
        <Tool
          label={t('zoomFit')}
          icon="fit"
          press={() => {
            act({ do: 'fit' });
          }}
          data-focus="grid-zoomFit"
        />
        <Explain name={`map_${store.colouredBy.value}`} title={title} />
        <Tool
          label={t('asTable')}
          icon="table"
          press={() => {
            const { value } = tables;
            store.set({ tables: asTable ? value.filter((one) => one !== 'grid') : [...value, 'grid'] });
          }}
          aria-pressed={asTable}
          data-focus="grid-asTable"
        />
        <Tool
          label={t(maximised.value ? 'maximised' : 'maximise')}
          icon="maximise"
          press={() => {
            store.set({ maximised: !maximised.value });
          }}
          aria-pressed={maximised.value}
          data-focus="grid-maximise"
        />
      </span>
    </div>
  );
}

export function GridCaption({ scene }: { readonly scene: GridScene }) {
  const trace = scene.trace.value;
  if (!trace) return null;
  const isAll = scene.store.view.expanded.value === 'all' && !scene.isFlat.value;
  const rows = t(isAll ? 'gridCaptionModules' : 'gridCaptionLayers');
  const isLines = scene.isLines.value;
  const isOwn = scene.sight.value?.layer && !scene.isChange.value && !scene.isByExpert.value;
  const caption = isLines ? lineCaption(scene, rows) : captionOf(trace, scene.raster.value, rows);
  return (
    <p class="caption" id="grid-caption">
      {caption}
      {isOwn && (isLines || !scene.measure.value) && ` ${t(isLines ? 'lineCaptionOwn' : 'gridCaptionOwn')}`}
    </p>
  );
}

function lineCaption({ isByExpert, sight, raster, margin }: GridScene, columns: string): string {
  const { shows } = raster.value ?? {};
  const layer = sight.value?.layer;
  const cells = isByExpert.value
    ? layer
      ? t('lineCaptionExpertsOf', layerName(layer))
      : t('lineCaptionExperts')
    : shows === 'difference'
      ? t('lineDifference', columns)
      : shows === 'change'
        ? t('lineLogProb', columns)
        : t('lineCaption', columns);
  const { shows: beside, measured } = margin.value ?? {};
  return beside && measured && isMeasure(beside)
    ? `${cells} ${t('lineMargin', t(`colour_${beside}`), ...ends(measured))}`
    : cells;
}

function captionOf(trace: Trace, raster: Raster | undefined, rows: string): string {
  const { shows = 'experts', measured } = raster ?? {};
  switch (shows) {
    case 'difference':
      return t('gridDifference', rows);
    case 'change':
      return t('gridLogProb', rows);
    case 'experts':
      if (trace.router.name === 'merged' && trace.interventions.length === 0) return t('gridCaptionEven', rows);
      return t(trace.blocks.every(({ weight }) => weight) ? 'gridCaption' : 'gridCaptionChosen', rows);
    default:
      return t('gridMeasure', rows, t(`colour_${shows}`), ...ends(measured!));
  }
}

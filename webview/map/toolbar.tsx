import { isMeasure } from '../../src/trace/figures/colouring.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { Explain } from '../components/explain.js';
import { Check, Segmented, Tool, classes } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { gridSources, initial, type View } from '../store/state.js';
import { ScopeMenu } from '../scope/menu.js';
import { layerName } from '../look/names.js';
import { ends, t } from '../look/strings.js';
import { zoomStep, type Action } from './input.js';
import type { Raster } from './model.js';
import type { GridScene } from './scene.js';

const sourceNames = { main: 'gridMain', other: 'gridOther' } as const;

interface Props {
  readonly scene: GridScene;
}

export function Toolbar({ scene, act }: Props & { readonly act: (action: Action) => void }) {
  const store = useStore();
  if (!scene.trace.value) return null;
  const isComparing = store.other.trace.value !== undefined;
  const showsChange = scene.raster.value?.changed !== undefined;
  const isLines = scene.isLines.value;
  const title = mapTitle(scene);
  return (
    <div class={classes('toolbar', (showsChange || isComparing) && 'full')} role="toolbar" aria-label={t('grid')}>
      <h2>{title}</h2>
      <FormSwitch scene={scene} />
      {(!scene.isFlat.value || isLines) && <RowSwitch scene={scene} />}
      {isComparing && <RunSwitch scene={scene} />}
      {showsChange && (
        <Check
          title={t('fadeHint')}
          checked={store.view.fadeUnchanged.value}
          change={(fadeUnchanged) => store.set({ fadeUnchanged })}
          data-focus="grid-fade"
        >
          {t('fade')}
        </Check>
      )}
      <span class="spring" />
      <span class="tools">
        <TextTool />
        <ScopeMenu />
        <FilterTool />
        {zooms.map(({ name, icon, action }) => (
          <Tool
            key={name}
            label={t(isLines && name === 'zoomRead' ? 'zoomReadLines' : name)}
            icon={icon}
            press={() => act(action)}
            data-focus={`grid-${name}`}
          />
        ))}
        <Explain name={`map_${store.colouredBy.value}`} title={title} />
        <TableTool />
        <MaximiseTool />
      </span>
    </div>
  );
}

const zooms = [
  { name: 'zoomOut', icon: 'minus', action: { do: 'zoom', by: 1 / zoomStep } },
  { name: 'zoomIn', icon: 'plus', action: { do: 'zoom', by: zoomStep } },
  { name: 'zoomRead', icon: 'letter', action: { do: 'read' } },
  { name: 'zoomFit', icon: 'fit', action: { do: 'fit' } },
] as const;

export function mapTitle({ isLines, isFlat }: GridScene): string {
  return t(isLines.value ? 'gridLines' : isFlat.value ? 'gridOwn' : 'grid');
}

/** Tokens across, or lines down. */
function FormSwitch({ scene }: Props) {
  return (
    <Segmented
      label={t('mapForm')}
      parts={(['grid', 'lines'] as const).map((map) => ({
        label: t(map === 'grid' ? 'mapGrid' : 'mapLines'),
        title: t(map === 'grid' ? 'mapGridHint' : 'mapLinesHint'),
        reason: map === 'lines' && !scene.lines.value ? t('mapLinesNone') : undefined,
        on: scene.isLines.value === (map === 'lines'),
        press: () => scene.store.set({ map }),
      }))}
    />
  );
}

/** What the rows (or the columns beside lines) are: layers, modules or experts. */
function RowSwitch({ scene }: Props) {
  const { store } = scene;
  const { expanded, lineColumns } = store.view;
  const isLines = scene.isLines.value;
  const showsLayers = !isLines || lineColumns.value === 'layers';
  const show = (rows: Partial<View>): void => {
    store.set(rows);
    scene.setZoom(null);
  };
  const layers = {
    label: t('layers'),
    on: showsLayers && (scene.isFlat.value || expanded.value.length === 0),
    press: () => {
      show({ expanded: [], lineColumns: 'layers' });
      store.select({ module: -1 });
    },
  };
  const modules = {
    label: t('modules'),
    on: showsLayers && expanded.value === 'all',
    press: () => show({ expanded: 'all', lineColumns: 'layers' }),
  };
  const experts = {
    label: t('mapExperts'),
    on: !showsLayers,
    reason: scene.isChange.value ? t('mapExpertsNone') : undefined,
    press: () => show({ lineColumns: 'experts' }),
  };
  const parts = [layers, !scene.isFlat.value && modules, isLines && scene.shownExperts.value !== undefined && experts];
  return <Segmented label={t(isLines ? 'columns' : 'rows')} parts={parts.filter((part) => part !== false)} />;
}

/** Which of two runs is shown. */
function RunSwitch({ scene }: Props) {
  const { store } = scene;
  return (
    <Segmented
      label={t('gridShows')}
      parts={gridSources.map((gridSource) => ({
        label: t(sourceNames[gridSource]),
        on: !scene.isChange.value && store.view.gridSource.value === gridSource,
        press: () => {
          store.set({ gridSource });
          store.overlay('');
        },
      }))}
    />
  );
}

function TextTool() {
  const store = useStore();
  if (store.isTextFolded.value || store.view.maximised.value) return null;
  return (
    <Tool
      label={t('textFold')}
      icon="text"
      press={() => store.set({ textPane: 'folded' })}
      aria-pressed={true}
      data-focus="text-fold"
    />
  );
}

function FilterTool() {
  const store = useStore();
  const { filter, filterOpen } = store.view;
  const isFiltered = JSON.stringify(filter.value) !== JSON.stringify(initial.filter);
  return (
    <Tool
      label={t(isFiltered ? 'filterOn' : 'filter')}
      icon="filter"
      class={classes(isFiltered && 'on')}
      press={() => store.set({ filterOpen: !filterOpen.value })}
      aria-expanded={filterOpen.value}
      data-focus="grid-filter"
    />
  );
}

function TableTool() {
  const store = useStore();
  const { tables } = store.view;
  const isTable = tables.value.includes('grid');
  return (
    <Tool
      label={t('asTable')}
      icon="table"
      press={() =>
        store.set({ tables: isTable ? tables.value.filter((one) => one !== 'grid') : [...tables.value, 'grid'] })
      }
      aria-pressed={isTable}
      data-focus="grid-asTable"
    />
  );
}

function MaximiseTool() {
  const store = useStore();
  const { maximised } = store.view;
  return (
    <Tool
      label={t(maximised.value ? 'maximised' : 'maximise')}
      icon="maximise"
      press={() => store.set({ maximised: !maximised.value })}
      aria-pressed={maximised.value}
      data-focus="grid-maximise"
    />
  );
}

export function GridCaption({ scene }: { readonly scene: GridScene }) {
  const trace = scene.trace.value;
  return (
    trace && (
      <p class="caption" id="grid-caption">
        {mapCaption(scene, trace)}
      </p>
    )
  );
}

/** What a cell of the map is, and what its colour says. */
export function mapCaption(scene: GridScene, trace: Trace): string {
  const isAll = scene.store.view.expanded.value === 'all' && !scene.isFlat.value;
  const rows = t(isAll ? 'gridCaptionModules' : 'gridCaptionLayers');
  const isLines = scene.isLines.value;
  const hasLayerExperts = scene.shownExperts.value?.layer && !scene.isChange.value && !scene.isByExpert.value;
  const caption = isLines ? lineCaption(scene, rows) : captionOf(trace, scene.raster.value, rows);
  const isOwn = hasLayerExperts && (isLines || !scene.measure.value);
  return isOwn ? `${caption} ${t(isLines ? 'lineCaptionOwn' : 'gridCaptionOwn')}` : caption;
}

function lineCaption({ isByExpert, shownExperts, raster, margin }: GridScene, columns: string): string {
  const { shows } = raster.value ?? {};
  const layer = shownExperts.value?.layer;
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

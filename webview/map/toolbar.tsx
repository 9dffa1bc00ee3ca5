import { isByLayer, isMeasure } from '../../src/trace/figures/colouring.js';
import { isEven } from '../../src/trace/model/fixed.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { Explain } from '../components/explain.js';
import { Check, Icon, Segmented, Tool, classes, type Segment } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Menu, underHeading, type Item } from '../components/menu.js';
import { Toolbar } from '../components/toolbar.js';
import { gridSources, initial, type View } from '../store/state.js';
import type { Store } from '../store/store.js';
import { scopeCode } from '../scope/load.js';
import { scopeItems, ScopeMenu } from '../scope/menu.js';
import { layerName, plainName } from '../look/names.js';
import { isCompact, isNarrow } from '../look/room.js';
import { ends as endsOf, t } from '../look/strings.js';
import { zoomStep } from './input.js';
import { isOnlyChosen, type Raster } from './model.js';
import type { GridScene } from './scene.js';
import { explainedAs, textScaleOf } from './words.js';

const sourceNames = { main: 'gridMain', other: 'gridOther' } as const;

interface Props {
  readonly scene: GridScene;
}

/** What is done with the map, beside it. */
export function MapToolbar({ scene }: Props) {
  const store = useStore();
  if (!scene.trace.value || isCompact.value) return null;
  const [rows, runs] = [rowParts(scene), runParts(scene)];
  const showsChange = scene.raster.value?.changed !== undefined;
  const isFull = showsChange || runs.length > 0;
  const title = mapTitle(scene);
  return (
    <Toolbar class={classes('toolbar', isFull && 'full')} label={title}>
      <h2>{title}</h2>
      <Segmented label={t('mapForm')} parts={formParts(scene)} />
      {rows.length > 0 && <Segmented label={rowsLabel(scene)} parts={rows} />}
      {runs.length > 0 && <Segmented label={t('gridShows')} parts={runs} />}
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
        {zooms(scene).map(({ icon, ...tool }) => (
          <Tool key={tool.name} label={tool.label} icon={icon} press={tool.press} data-focus={tool.name} />
        ))}
        <Explain name={explainedAs(store)} title={title} />
        <Tool
          label={t('asTable')}
          icon="table"
          press={() => toggleTable(store)}
          aria-pressed={isTable(store)}
          data-focus="grid-asTable"
        />
        <Tool
          label={t(store.view.maximised.value ? 'maximised' : 'maximise')}
          icon="maximise"
          press={() => store.set({ maximised: !store.view.maximised.peek() })}
          aria-pressed={store.view.maximised.value}
          data-focus="grid-maximise"
        />
      </span>
    </Toolbar>
  );
}

/** The same in the header, where there is no room beside the map. */
export function MapMenu({ scene }: Props) {
  const store = useStore();
  if (!scene.trace.value || !isCompact.value) return null;
  const form = t(scene.isLines.value ? 'mapLines' : 'mapGrid');
  return (
    <>
      {!isNarrow.value && <TextTool />}
      <Menu
        label={`${t('mapForm')}: ${form}`}
        face={
          <span>
            {form}
            <Icon name="down" />
          </span>
        }
        items={mapItems(scene, store)}
        opened={() => void scopeCode.want()}
        name="head-map"
      />
    </>
  );
}

function mapItems(scene: GridScene, store: Store): Item[] {
  const { view } = store;
  return [
    ...choices(t('mapForm'), formParts(scene)),
    ...choices(rowsLabel(scene), rowParts(scene)),
    ...choices(t('gridShows'), runParts(scene)),
    ...underHeading(t('scope'), scopeItems(store)),
    ...underHeading(t('mapView'), [...(isNarrow.value ? textItems(store) : []), ...zooms(scene)]),
    {
      label: t('asTable'),
      isChecked: isTable(store),
      press: () => toggleTable(store),
      name: 'grid-asTable',
    },
    ...(scene.raster.value?.changed === undefined
      ? []
      : [
          {
            label: t('fade'),
            isChecked: view.fadeUnchanged.value,
            press: () => store.set({ fadeUnchanged: !view.fadeUnchanged.peek() }),
            name: 'grid-fade',
          },
        ]),
    {
      label: t('filter'),
      isChecked: view.filterOpen.value,
      press: () => store.set({ filterOpen: !view.filterOpen.peek() }),
      name: 'grid-filter',
    },
    {
      label: t('maximise'),
      isChecked: view.maximised.value,
      press: () => store.set({ maximised: !view.maximised.peek() }),
      name: 'grid-maximise',
    },
  ];
}

const choices = (heading: string, parts: readonly Segment[]): Item[] =>
  underHeading(
    heading,
    parts.map(({ label, press, reason, on }) => ({ label, press, reason, isOn: on, name: `segment-${label}` })),
  );

const zooms = (scene: GridScene) =>
  (
    [
      { name: 'zoomOut', icon: 'minus', action: { do: 'zoom', by: 1 / zoomStep } },
      { name: 'zoomIn', icon: 'plus', action: { do: 'zoom', by: zoomStep } },
      { name: 'zoomRead', icon: 'letter', action: { do: 'read' } },
      { name: 'zoomFit', icon: 'fit', action: { do: 'fit' } },
    ] as const
  ).map(({ name, icon, action }) => ({
    name: `grid-${name}`,
    icon,
    label: t(scene.isLines.value && name === 'zoomRead' ? 'zoomReadLines' : name),
    press: () => scene.act(action),
  }));

/** What colours the map, and by what. */
export function mapTitle({ isLines, isFlat, raster }: GridScene): string {
  const shows = raster.value?.shows ?? 'experts';
  const form = isLines.value ? 'Lines' : isFlat.value ? 'Own' : '';
  return shows === 'experts' ? t(`grid${form}`) : t(`gridBy${form}`, t(`drawn_${shows}`));
}

/** Tokens across, or lines down. */
const formParts = ({ store, lines, isLines }: GridScene): Segment[] =>
  (['grid', 'lines'] as const).map((map) => ({
    label: t(map === 'grid' ? 'mapGrid' : 'mapLines'),
    title: t(map === 'grid' ? 'mapGridHint' : 'mapLinesHint'),
    reason: map === 'lines' && !lines.value ? t('mapLinesNone') : undefined,
    on: isLines.value === (map === 'lines'),
    press: () => store.set({ map }),
  }));

const rowsLabel = ({ isLines }: GridScene): string => t(isLines.value ? 'columns' : 'rows');

/** What the rows (or the columns beside lines) are: layers, modules or experts; nothing if there is no choice. */
function rowParts(scene: GridScene): Segment[] {
  const { store } = scene;
  const { expanded, lineColumns } = store.view;
  const isLines = scene.isLines.value;
  if (scene.isFlat.value && !isLines) return [];
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
  return parts.filter((part) => part !== false);
}

/** Which of two runs is shown; nothing if there is one. */
function runParts({ store, isChange }: GridScene): Segment[] {
  if (store.other.trace.value === undefined) return [];
  return gridSources.map((gridSource) => ({
    label: t(sourceNames[gridSource]),
    on: !isChange.value && store.view.gridSource.value === gridSource,
    press: () => {
      store.set({ gridSource });
      store.overlay('');
    },
  }));
}

/** Folds the text, or shows it here although it can be read elsewhere. */
function TextTool() {
  const store = useStore();
  const where = store.isTextVisible.value ? t('textShown', store.main.title.value) : t('textFolded');
  return textItems(store).map(({ label, press, name }) => (
    <Tool
      key="text"
      label={label}
      {...(store.isTextFolded.value && { title: `${where} · ${label}` })}
      icon="text"
      class={classes(!store.isTextFolded.value && 'on')}
      press={press}
      data-focus={name}
    />
  ));
}

/** None where the map is all that is shown. */
function textItems(store: Store) {
  if (store.view.maximised.value) return [];
  const isFolded = store.isTextFolded.value;
  return [
    {
      label: t(isFolded ? 'textShow' : 'textFold'),
      press: () => store.set({ textPane: isFolded ? 'shown' : 'folded' }),
      name: isFolded ? 'text-show' : 'text-fold',
    },
  ];
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

const isTable = ({ view }: Store): boolean => view.tables.value.includes('grid');

function toggleTable(store: Store): void {
  const tables = store.view.tables.peek();
  store.set({ tables: isTable(store) ? tables.filter((one) => one !== 'grid') : [...tables, 'grid'] });
}

export function GridCaption({ scene }: { readonly scene: GridScene }) {
  const trace = scene.trace.value;
  return (
    trace && (
      <p class={classes('caption', isCompact.value && 'unseen')} id="grid-caption">
        {[mapCaption(scene, trace), ...besideMap(scene)].join(' ')}
      </p>
    )
  );
}

/** What the colours beside the map mean, where they are others. */
function besideMap(scene: GridScene): string[] {
  const { isByExpert, isLines, measure, scale, store } = scene;
  const text = textScaleOf(scene);
  return [
    ...(isByExpert.value && measure.value && scale.value
      ? [t('lineMargin', t(`colour_${measure.value}`), ...endsOf(scale.value))]
      : []),
    ...(text ? [t('captionText', ...text)] : []),
    ...(store.colouredBy.value === 'attribution'
      ? [t(isLines.value ? 'lineCaptionAttribution' : 'gridCaptionAttribution')]
      : []),
  ];
}

/** What a cell of the map is, and what its colour says. @param raster default: what is in sight */
export function mapCaption(scene: GridScene, trace: Trace, raster = scene.raster.value): string {
  const isAll = scene.store.view.expanded.value === 'all' && !scene.isFlat.value;
  const rows = t(isAll ? 'gridCaptionModules' : 'gridCaptionLayers');
  const isLines = scene.isLines.value;
  const hasLayerExperts = scene.shownExperts.value?.layer && !scene.isChange.value && !scene.isByExpert.value;
  const caption = isLines ? lineCaption(scene, rows, raster) : captionOf(scene, trace, rows, raster);
  const isOwn = hasLayerExperts && !scene.measure.value;
  const only = isOwn ? chosenNames(scene) : '';
  return [
    caption,
    isOwn && t(isLines ? 'lineCaptionOwn' : 'gridCaptionOwn'),
    only !== '' && t('captionOnlyIn', layerName(scene.shownExperts.value!.layer!), only),
  ]
    .filter(Boolean)
    .join(' ');
}

/** Of the experts that alone are shown; empty: all are. */
function chosenNames({ store, shownExperts }: GridScene): string {
  const set = shownExperts.value?.set;
  const chosen = store.view.filter.value.experts;
  return (set?.experts ?? []).flatMap(({ id }, e) => (chosen.includes(id) ? [plainName(set!, e)] : [])).join(', ');
}

function lineCaption(scene: GridScene, columns: string, raster: Raster | undefined): string {
  const { isByExpert, shownExperts } = scene;
  const { shows } = raster ?? {};
  if (raster?.scale && shows && isMeasure(shows))
    return [
      t('lineMeasure', columns, t(`colour_${shows}`), ...endsOf(raster.scale)),
      isByLayer(shows) ? '' : t('lineMeasureAlike'),
    ].join(' ');
  const only = raster && isOnlyChosen(raster) ? chosenNames(scene) : '';
  const layer = shownExperts.value?.layer;
  return isByExpert.value
    ? layer
      ? t('lineCaptionExpertsOf', layerName(layer))
      : t('lineCaptionExperts')
    : shows === 'difference'
      ? t('lineDifference', columns)
      : shows === 'change'
        ? t('lineLogProb', columns)
        : only !== ''
          ? t('lineCaptionOnly', columns, only)
          : t('lineCaption', columns);
}

function captionOf(scene: GridScene, trace: Trace, rows: string, raster: Raster | undefined): string {
  const { shownExperts } = scene;
  const only = shownExperts.value?.layer ? '' : chosenNames(scene);
  const shows = raster?.shows ?? 'experts';
  switch (shows) {
    case 'difference':
      return t('gridDifference', rows);
    case 'change':
      return t('gridLogProb', rows);
    case 'experts':
      if (only !== '') return t('gridCaptionOnly', rows, only);
      if (isEven(trace)) return t('gridCaptionEven', rows);
      return t(trace.blocks.every(({ weight }) => weight) ? 'gridCaption' : 'gridCaptionChosen', rows);
    default:
      return [
        t('gridMeasure', rows, t(`colour_${shows}`), ...endsOf(raster!.scale!)),
        isByLayer(shows) ? '' : t('gridMeasureAlike'),
      ].join(' ');
  }
}

/** What the grid shows now, as signals: everything between the store and the canvas. */
import { computed } from '@preact/signals';
import type { Side } from '../../src/shared/panelProtocol.js';
import { tokenLabel } from '../../src/trace/label.js';
import type { Trace } from '../../src/trace/trace.js';
import { isMeasure } from '../../src/trace/colouring.js';
import { layersOf } from '../../src/trace/access.js';
import { layerKey } from '../../src/trace/sight.js';
import { initial, type Filter } from '../app/state.js';
import type { Store } from '../app/store.js';
import { theme } from '../look/theme.js';
import { changeRaster, differenceRaster } from './change.js';
import { columnOf, columnsOf } from './columns.js';
import type { Frame, Place } from './geometry.js';
import { loadsOf } from './loads.js';
import { measureRaster, rasterOf, rowAt, rowsOf, type Raster, type Row } from './model.js';
import { makePaper, type Paper } from './paint.js';

export class GridScene {
  /** Whose columns these are: the other run's only when the grid shows it. */
  readonly isChange = computed(() => this.store.colouredBy.value === 'change');
  readonly side = computed<Side>(() => (this.isChange.value ? 'main' : this.store.gridSource.value));
  /** Each cell's own, where a number colours them. */
  readonly measure = computed(() => {
    const by = this.store.colouredBy.value;
    return isMeasure(by) ? by : undefined;
  });
  readonly trace = computed<Trace | undefined>(() => {
    const side = this.store.side(this.side.value);
    // Scores come last.
    const isByScores = this.measure.value !== undefined || this.store.view.filter.value.margin !== null;
    return isByScores ? side.trace.value : side.choices.value;
  });
  readonly sight = computed(() => this.store.side(this.side.value).sight.value);
  readonly before = computed(() => (this.side.value === 'main' ? this.store.main.before.value : undefined));
  readonly columns = computed(() => this.trace.value && columnsOf(this.trace.value));
  /** Each layer has experts of its own and one router: there is nothing in it to open. */
  readonly isFlat = computed(() => {
    const [trace, sight] = [this.trace.value, this.sight.value];
    return trace !== undefined && sight?.layer !== undefined && layersOf(trace).length === trace.sites.length;
  });
  readonly rows = computed(() => this.rowsFor(this.store.view.filter.value));
  readonly raster = computed(() => this.rasterFor(this.rows.value, this.store.view.filter.value));
  readonly labels = computed(() => {
    const [trace, columns] = [this.trace.value, this.columns.value];
    const labels = new Array<string>(columns?.count ?? 0).fill('');
    for (const { sequence, from, count } of columns?.spans ?? [])
      for (let t = 0; t < count; t++) labels[from + t] = tokenLabel(trace!.sequences[sequence]!, t);
    return labels;
  });
  readonly loads = computed(() => loadsOf(this.trace.value!, this.rows.value ?? []));
  readonly paper = computed(() => this.raster.value && this.paperFor(this.raster.value));
  /** The selected cell. */
  readonly place = computed<Place>(() => {
    const raster = this.raster.value;
    if (!raster) return { column: -1, row: -1 };
    const side = this.side.value;
    const { sequence, token } = this.store.placeIn[side].value;
    return {
      column: columnOf(raster.columns, sequence, token),
      row: rowAt(raster.rows, this.store.view.selection.value.layer, this.store.siteIn[side].value),
    };
  });

  /** How it lies on the screen, for pictures; the view says it. */
  frame: () => Frame | undefined = () => undefined;

  constructor(readonly store: Store) {}

  /** All of the trace, whatever the filter hides and wherever one has scrolled. */
  whole(): Paper | undefined {
    const raster = this.rasterFor(this.rowsFor(initial.filter), initial.filter);
    return raster && this.paperFor(raster);
  }

  private rowsFor(filter: Filter): Row[] | undefined {
    return (
      this.trace.value && rowsOf(this.trace.value, filter, this.isFlat.value ? [] : this.store.view.expanded.value)
    );
  }

  private rasterFor(rows: readonly Row[] | undefined, filter: Filter): Raster | undefined {
    const [trace, columns] = [this.trace.value, this.columns.value];
    if (!trace || !rows || !columns) return undefined;
    if (this.measure.value) return measureRaster(trace, rows, columns, this.measure.value);
    if (!this.isChange.value) return rasterOf(trace, rows, columns, filter, this.sight.value?.set, this.before.value);
    const { against, changes, partners } = this.store;
    if (!against.value || !changes.value || !partners.value) return undefined;
    return changes.value[0]?.by === 'logProb'
      ? changeRaster(changes.value, rows, columns)
      : differenceRaster(trace, against.value, rows, columns, partners.value);
  }

  private paperFor(raster: Raster): Paper {
    const { difference, gain } = theme.value;
    const hues = raster.shows === 'experts' ? undefined : [difference, gain];
    const isFading = this.store.view.fadeUnchanged.value && raster.changed !== undefined;
    const looks = this.store.side(this.side.value).looks.value;
    const heads = this.isFlat.value ? this.loads.value : undefined;
    const layer = this.sight.value?.layer;
    const inSight = layer && layerKey(layer);
    return makePaper({ raster, theme: theme.value, looks, labels: this.labels.value, hues, heads, inSight }, isFading);
  }
}

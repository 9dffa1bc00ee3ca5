/** What the grid shows now, as signals: everything between the store and the canvas. */
import { computed } from '@preact/signals';
import type { Side } from '../../src/shared/panelProtocol.js';
import { tokenLabel } from '../../src/trace/label.js';
import type { Trace } from '../../src/trace/trace.js';
import type { Store } from '../app/store.js';
import { theme } from '../look/theme.js';
import { columnOf, columnsOf } from './columns.js';
import type { Frame, Place } from './geometry.js';
import { changeRaster, differenceRaster, rasterOf, rowAt, rowsOf } from './model.js';
import { makePaper } from './paint.js';

export class GridScene {
  /** Whose columns these are: the other run's only when the grid shows it. */
  readonly side = computed<Side>(() => (this.store.gridSource.value === 'other' ? 'other' : 'main'));
  readonly isDifference = computed(() => this.store.gridSource.value === 'difference');
  readonly isByLogProb = computed(() => this.isDifference.value && this.store.differBy.value === 'logProb');
  readonly trace = computed<Trace | undefined>(() => {
    const side = this.store.side(this.side.value);
    // A margin comes of scores, which come last.
    return this.store.view.filter.value.margin === null ? side.choices.value : side.trace.value;
  });
  readonly before = computed(() => (this.store.gridSource.value === 'main' ? this.store.main.before.value : undefined));
  readonly columns = computed(() => this.trace.value && columnsOf(this.trace.value));
  readonly rows = computed(
    () => this.trace.value && rowsOf(this.trace.value, this.store.view.filter.value, this.store.view.expanded.value),
  );
  readonly raster = computed(() => {
    const [trace, rows, columns] = [this.trace.value, this.rows.value, this.columns.value];
    if (!trace || !rows || !columns) return undefined;
    if (!this.isDifference.value) {
      const inSight = this.store.side(this.side.value).sight.value?.set;
      return rasterOf(trace, rows, columns, this.store.view.filter.value, inSight, this.before.value);
    }
    const { other, partners } = this.store;
    const there = this.isByLogProb.value ? other.trace.value : other.choices.value;
    if (!there || !partners.value) return undefined;
    return (this.isByLogProb.value ? changeRaster : differenceRaster)(trace, there, rows, columns, partners.value);
  });
  readonly labels = computed(() => {
    const [trace, columns] = [this.trace.value, this.columns.value];
    const labels = new Array<string>(columns?.count ?? 0).fill('');
    for (const { sequence, from, count } of columns?.spans ?? [])
      for (let t = 0; t < count; t++) labels[from + t] = tokenLabel(trace!.sequences[sequence]!, t);
    return labels;
  });
  readonly paper = computed(() => {
    const raster = this.raster.value;
    if (!raster) return undefined;
    const isFading = this.store.view.fadeUnchanged.value && raster.changed !== undefined;
    return makePaper(
      {
        raster,
        theme: theme.value,
        looks: this.store.side(this.side.value).looks.value,
        labels: this.labels.value,
        hues: this.isDifference.value
          ? this.isByLogProb.value
            ? [theme.value.difference, theme.value.gain]
            : [theme.value.difference]
          : undefined,
      },
      isFading,
    );
  });
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
}

/** What the map shows now, as signals: everything between store and canvas. */
import { computed, signal } from '@preact/signals';
import type { Side } from '../../src/protocol/panel.js';
import { tokenLabel } from '../../src/trace/text/label.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { isMeasure, type Scale, type TextMeasure } from '../../src/trace/figures/colouring.js';
import { layersOf } from '../../src/trace/model/access.js';
import { documentLine } from '../../src/trace/text/lines.js';
import { layerKey, layerOf } from '../../src/trace/model/shownExperts.js';
import { initial, type Filter, type Zoom } from '../store/state.js';
import type { Store } from '../store/store.js';
import { measuredOf } from '../store/sums.js';
import { isStacked } from '../look/room.js';
import { theme } from '../look/theme.js';
import { changeRaster, differenceRaster, withAbsent } from './change.js';
import { columnOf, columnsBeyond, columnsOf, lineColumns, tokenAt, type Columns } from './columns.js';
import type { Frame, Place } from './geometry.js';
import type { Action } from './input.js';
import { byLines, expertRaster, expertRows } from './lineRaster.js';
import type { Lines } from './lines.js';
import { loadsOf } from './loads.js';
import { marginOf } from './margin.js';
import { measureRaster, rasterOf, rowAt, rowsFrom, rowsOf, spread, type Raster, type Row } from './model.js';
import { makeContent, type MapContent } from './content.js';

export class GridScene {
  /** The map shows how two runs differ. */
  readonly isChange = computed(() => this.store.colouredBy.value === 'change');
  /** The run whose tokens are the columns: the other one only if the map shows it. */
  readonly side = computed<Side>(() => (this.isChange.value ? 'main' : this.store.gridSource.value));
  /** The number that colours the cells, if one does. */
  readonly measure = computed(() => {
    const by = this.store.colouredBy.value;
    return isMeasure(by) ? by : undefined;
  });
  /** The scale of that number in the map, or beside it where the cells are experts. */
  readonly scale = computed<Scale | undefined>(() => this.raster.value?.scale ?? this.margin.value?.scale);
  /** The scale of that number in the text that was selected in: of means over layers, or of one layer. */
  readonly textScale = computed<Scale | undefined>(() => {
    const [by, trace] = [this.measure.value, this.store.side(this.side.value).trace.value];
    const { selection, measureLayer } = this.store.view;
    return by && trace && measuredOf(trace, selection.value.sequence, by, layerOf(trace, measureLayer.value));
  });
  readonly trace = computed<Trace | undefined>(() => {
    const side = this.store.side(this.side.value);
    // Scores arrive last.
    const isByScores = this.measure.value !== undefined || this.store.view.filter.value.margin !== null;
    return isByScores ? side.trace.value : side.choices.value;
  });
  readonly shownExperts = computed(() => this.store.side(this.side.value).shownExperts.value);
  readonly before = computed(() => (this.side.value === 'main' ? this.store.main.before.value : undefined));
  private readonly tokens = computed(() => this.trace.value && columnsOf(this.trace.value));
  /** Undefined if the text of the tokens is unknown. */
  readonly lines = computed(() => this.trace.value && lineColumns(this.trace.value));
  /** The map shows lines, not tokens. */
  readonly isLines = computed(() => {
    const form = this.store.view.map.value;
    return this.lines.value !== undefined && (form === 'auto' ? isStacked.value : form === 'lines');
  });
  /** The model's rows, which are columns beside the lines, are the experts in sight. */
  readonly isByExpert = computed(
    () =>
      this.isLines.value &&
      !this.isChange.value &&
      this.shownExperts.value !== undefined &&
      this.store.view.lineColumns.value === 'experts',
  );
  readonly columns = computed(() => (this.isLines.value ? this.lines.value : this.tokens.value));
  readonly zoom = computed<Zoom | null>(() => this.store.view[this.zoomField()].value);
  /** Each layer has its own experts and one router, so that there is nothing to open. */
  readonly isFlat = computed(() => {
    const [trace, shownExperts] = [this.trace.value, this.shownExperts.value];
    return trace !== undefined && shownExperts?.layer !== undefined && layersOf(trace).length === trace.modules.length;
  });
  readonly rows = computed(() => this.rowsFor(this.store.view.filter.value));
  readonly raster = computed(() => this.rasterFor(this.rows.value, this.store.view.filter.value));
  readonly labels = computed(() => this.labelsFor(this.columns.value));
  /** Whether the text of the first sequence is the document's. */
  readonly isOfDocument = computed(() => {
    const { lines, main } = this.store;
    const own = this.trace.value?.sequences[0]?.text;
    return lines.value !== undefined && own === main.choices.value?.sequences[0]?.text;
  });
  readonly loads = computed(() => loadsOf(this.trace.value!, this.rows.value ?? []));
  readonly content = computed(
    () => this.raster.value && this.contentFor(this.raster.value, this.labels.value, this.margin.value),
  );
  /** What colours the text, line by line. */
  readonly margin = computed(() => {
    const [trace, tokens, lines] = [this.trace.value, this.tokens.value, this.lines.value];
    if (!this.isLines.value || !trace || !tokens || !lines) return undefined;
    const found = marginOf(this.store, this.side.value, trace, tokens);
    // Beside cells of the same number, on their scale.
    return found && this.seen(byLines(found, lines, this.raster.value?.scale), this.raster.value?.most);
  });
  /** [C] 1 for each column outside the scope; undefined if there is no scope. */
  readonly beyond = computed(() => {
    const [scope, columns] = [this.store.scope.value, this.columns.value];
    return scope && columns && this.side.value === 'main'
      ? columnsBeyond(columns, scope.sequence, scope.ranges)
      : undefined;
  });
  /** The expert whose column was selected, if columns are experts. */
  readonly expert = signal(-1);
  /** The selected cell. */
  readonly place = computed<Place>(() => {
    const raster = this.raster.value;
    if (!raster) return { column: -1, row: -1 };
    const side = this.side.value;
    const { sequence, token } = this.store.placeIn[side].value;
    return {
      column: columnOf(raster.columns, sequence, token),
      row: this.isByExpert.value
        ? raster.rows.findIndex(({ expert }) => expert === this.expert.value)
        : rowAt(raster.rows, this.store.view.selection.value.layer, this.store.moduleIn[side].value),
    };
  });

  /** How many rows are selected, from the place on: more than one for an open layer as a whole. */
  readonly covered = computed(() => {
    const rows = this.raster.value?.rows;
    if (!rows || this.isByExpert.value) return 1;
    return rowsFrom(rows, this.store.view.selection.value.layer, this.store.moduleIn[this.side.value].value);
  });
  private readonly wholeLayer = computed(() => (this.covered.value > 1 ? this.store.view.selection.value.layer : ''));
  /** The selected layer in one row, where its modules have rows of their own; none if nothing can be summed up. */
  private readonly layerRaster = computed(() => {
    const [trace, key, filter] = [this.trace.value, this.wholeLayer.value, this.store.view.filter.value];
    const rows = trace && key !== '' ? rowsOf(trace, filter, []).filter((row) => layerKey(row) === key) : [];
    return rows.length === 1 ? this.rasterFor(rows, filter) : undefined;
  });
  /** Where the words for the selection are: in the map or, of an open layer as a whole, in the layer's one row. */
  readonly told = computed<{ readonly raster: Raster | undefined; readonly at: Place }>(() => {
    const [raster, at, layer] = [this.raster.value, this.place.value, this.layerRaster.value];
    if (this.wholeLayer.value === '') return { raster, at };
    return layer ? { raster: layer, at: { ...at, row: 0 } } : { raster, at: { ...at, row: -1 } };
  });

  /** The layout on the screen, for pictures; the view sets it. */
  frame: () => Frame | undefined = () => undefined;
  /** Does what a tool requests; the view sets it. */
  act: (action: Action) => void = () => undefined;

  constructor(readonly store: Store) {}

  setZoom(zoom: Zoom | null): void {
    this.store.set({ [this.zoomField()]: zoom });
  }

  private zoomField(): 'zoom' | 'lineZoom' {
    return this.isLines.value ? 'lineZoom' : 'zoom';
  }

  /** All of the text and the model in the map's form, wherever it is scrolled to; of the filter, only the chosen experts. */
  whole(): MapContent | undefined {
    const filter = { ...initial.filter, experts: this.store.view.filter.value.experts };
    const raster = this.rasterFor(this.rowsFor(filter), filter);
    return raster && this.contentFor(raster, this.labels.value);
  }

  private labelsFor(columns: Columns | undefined): string[] {
    const trace = this.trace.value;
    const labels = new Array<string>(columns?.count ?? 0).fill('');
    for (const { sequence, from, count, lines } of columns?.spans ?? [])
      for (let i = 0; i < count; i++)
        labels[from + i] = lines ? this.numberOf(sequence, lines, i) : tokenLabel(trace!.sequences[sequence]!, i);
    return labels;
  }

  /**
   * A line's number in its document, or in its text if there is none; empty for a line that continues the one above, or that
   * the model wrote.
   */
  private numberOf(sequence: number, lines: Lines, row: number): string {
    const line = lines.line[row]!;
    if (row > 0 && lines.line[row - 1] === line) return '';
    if (sequence > 0 || !this.isOfDocument.value) return String(line + 1);
    const given = this.trace.value!.sequences.length > 1 ? undefined : this.store.main.given.value;
    if (given !== undefined && lines.start[row]! > given) return '';
    return String(documentLine(this.store.lines.value!.runs, line) + 1);
  }

  private rowsFor(filter: Filter): readonly Row[] | undefined {
    const [trace, shownExperts] = [this.trace.value, this.shownExperts.value];
    return (
      trace && (this.isByExpert.value ? expertRows(shownExperts!, filter.experts) : this.modulesFor(trace, filter))
    );
  }

  private modulesFor(trace: Trace, filter: Filter): Row[] {
    return rowsOf(trace, filter, this.isFlat.value ? [] : this.store.view.expanded.value);
  }

  private rasterFor(rows: readonly Row[] | undefined, filter: Filter): Raster | undefined {
    const [trace, tokens, lines] = [this.trace.value, this.tokens.value, this.lines.value];
    if (!trace || !rows || !tokens) return undefined;
    if (lines && this.isByExpert.value) return expertRaster(trace, rows, lines);
    const raster = this.tokenRaster(trace, rows, tokens, filter, this.measure.value);
    return raster && this.seen(lines && this.isLines.value ? byLines(raster, lines) : raster);
  }

  /** With the strengths of one expert’s shares, where it alone is shown. @param most as in `spread` */
  private seen(raster: Raster, most?: number): Raster {
    const { experts } = this.store.view.filter.value;
    const isOne = this.shownExperts.value?.set.experts.filter(({ id }) => experts.includes(id)).length === 1;
    return raster.shows === 'experts' && isOne ? spread(raster, most) : raster;
  }

  private tokenRaster(
    trace: Trace,
    rows: readonly Row[],
    columns: Columns,
    filter: Filter,
    measure: TextMeasure | undefined,
  ): Raster | undefined {
    if (measure) return measureRaster(trace, rows, columns, measure);
    if (!this.isChange.value)
      return rasterOf(trace, rows, columns, filter, this.shownExperts.value?.set, this.before.value);
    const { against, changes, partners } = this.store;
    if (!against.value || !changes.value || !partners.value) return undefined;
    const raster =
      changes.value[0]?.by === 'logProb'
        ? changeRaster(changes.value, rows, columns)
        : differenceRaster(trace, against.value, rows, columns, partners.value);
    return withAbsent(raster, { here: trace, there: against.value }, partners.value);
  }

  private contentFor(raster: Raster, labels: readonly string[], margin?: Raster): MapContent {
    const isFading = this.store.view.fadeUnchanged.value && raster.changed !== undefined;
    const looks = this.store.side(this.side.value).looks.value;
    const heads = this.isFlat.value && !raster.isTurned ? this.loads.value : undefined;
    const layer = this.shownExperts.value?.layer;
    const shownLayer = layer && layerKey(layer);
    const { difference, gain } = theme.value;
    const huesOf = ({ shows }: Raster) => (shows === 'experts' ? undefined : [difference, gain]);
    const fresh = this.side.value === 'main' ? this.store.main.fresh.value : Infinity;
    const isOutdated = (column: number): boolean =>
      raster.isTurned && (tokenAt(raster.columns, column)?.end ?? 0) > fresh;
    const same = { theme: theme.value, looks, labels, heads, shownLayer, isOutdated };
    const beside = margin && makeContent({ ...same, raster: margin, hues: huesOf(margin) }, false);
    return makeContent({ ...same, raster, hues: huesOf(raster), margin: beside }, isFading);
  }
}

/** What the map shows now, as signals: everything between the store and the canvas. */
import { computed, signal } from '@preact/signals';
import type { Side } from '../../src/shared/panelProtocol.js';
import { tokenLabel } from '../../src/trace/label.js';
import type { Trace } from '../../src/trace/trace.js';
import { isMeasure } from '../../src/trace/colouring.js';
import { layersOf } from '../../src/trace/access.js';
import { documentLine } from '../../src/trace/lines.js';
import { layerKey } from '../../src/trace/sight.js';
import { initial, type Filter, type Zoom } from '../app/state.js';
import type { Store } from '../app/store.js';
import { isNarrow } from '../look/room.js';
import { theme } from '../look/theme.js';
import { changeRaster, differenceRaster } from './change.js';
import { columnOf, columnsOf, tokenAt, type Columns } from './columns.js';
import type { Frame, Place } from './geometry.js';
import { byLines, expertRaster, expertRows, lineColumns } from './lines.js';
import { loadsOf } from './loads.js';
import { marginOf } from './margin.js';
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
  private readonly tokens = computed(() => this.trace.value && columnsOf(this.trace.value));
  /** Undefined where the text of the tokens is not known. */
  readonly lines = computed(() => this.trace.value && lineColumns(this.trace.value));
  /** Lines are drawn, and not tokens. */
  readonly isLines = computed(() => {
    const form = this.store.view.map.value;
    return this.lines.value !== undefined && (form === 'auto' ? isNarrow.value : form === 'lines');
  });
  /** The rows of the model are its experts in sight: columns beside the lines. */
  readonly isByExpert = computed(
    () =>
      this.isLines.value &&
      !this.isChange.value &&
      this.sight.value !== undefined &&
      this.store.view.lineColumns.value === 'experts',
  );
  readonly columns = computed(() => (this.isLines.value ? this.lines.value : this.tokens.value));
  readonly zoom = computed<Zoom | null>(() => this.store.view[this.zoomField()].value);
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
    for (const { sequence, from, count, lines } of columns?.spans ?? [])
      for (let t = 0; t < count; t++)
        labels[from + t] = lines ? this.numberOf(from + t) : tokenLabel(trace!.sequences[sequence]!, t);
    return labels;
  });
  readonly loads = computed(() => loadsOf(this.trace.value!, this.rows.value ?? []));
  readonly paper = computed(() => this.raster.value && this.paperFor(this.raster.value, this.margin.value));
  /** What colours the text, line by line. */
  readonly margin = computed(() => {
    const [trace, tokens, lines] = [this.trace.value, this.tokens.value, this.lines.value];
    if (!this.isLines.value || !trace || !tokens || !lines) return undefined;
    const found = marginOf(this.store, this.side.value, trace, tokens);
    return found && byLines(found, lines);
  });
  /** The expert whose column was chosen, where columns are experts. */
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
        : rowAt(raster.rows, this.store.view.selection.value.layer, this.store.siteIn[side].value),
    };
  });

  /** How it lies on the screen, for pictures; the view says it. */
  frame: () => Frame | undefined = () => undefined;

  constructor(readonly store: Store) {}

  setZoom(zoom: Zoom | null): void {
    this.store.set({ [this.zoomField()]: zoom });
  }

  private zoomField(): 'zoom' | 'lineZoom' {
    return this.isLines.value ? 'lineZoom' : 'zoom';
  }

  /** All of the trace, whatever the filter hides and wherever one has scrolled. */
  whole(): Paper | undefined {
    const raster = this.rasterFor(this.rowsFor(initial.filter), initial.filter);
    return raster && this.paperFor(raster, this.margin.value);
  }

  /** Of a line in its document, or in its text where there is none; empty for what goes on with the line above, or was written by the model. */
  numberOf(column: number): string {
    const trace = this.trace.value;
    const span = this.columns.value?.spans.find(({ from, count }) => column >= from && column < from + count);
    if (!trace || !span?.lines) return '';
    const { sequence, lines } = span;
    const row = column - span.from;
    const line = lines.line[row]!;
    if (row > 0 && lines.line[row - 1] === line) return '';
    if (!this.isOfDocument(sequence)) return String(line + 1);
    const given = trace.sequences.length > 1 ? undefined : this.store.main.given.value;
    if (given !== undefined && lines.start[row]! > given) return '';
    return String(documentLine(this.store.lines.value!.runs, line) + 1);
  }

  /** Whether a sequence's text is the document's. */
  isOfDocument(sequence: number): boolean {
    const { lines, main } = this.store;
    const own = this.trace.value?.sequences[0]?.text;
    return lines.value !== undefined && sequence === 0 && own === main.trace.value?.sequences[0]?.text;
  }

  private rowsFor(filter: Filter): Row[] | undefined {
    const [trace, sight] = [this.trace.value, this.sight.value];
    if (!trace) return undefined;
    if (this.isByExpert.value && sight) return expertRows(sight, filter.experts);
    return rowsOf(trace, filter, this.isFlat.value ? [] : this.store.view.expanded.value);
  }

  private rasterFor(rows: readonly Row[] | undefined, filter: Filter): Raster | undefined {
    const [trace, tokens] = [this.trace.value, this.tokens.value];
    if (!trace || !rows || !tokens) return undefined;
    if (!this.isLines.value) return this.tokenRaster(trace, rows, tokens, filter);
    const lines = this.lines.value!;
    if (this.isByExpert.value) return expertRaster(trace, rows, lines);
    const raster = this.tokenRaster(trace, rows, tokens, filter);
    return raster && byLines(raster, lines);
  }

  private tokenRaster(trace: Trace, rows: readonly Row[], columns: Columns, filter: Filter): Raster | undefined {
    // Beside lines there is a margin for numbers.
    if (this.measure.value && !this.isLines.value) return measureRaster(trace, rows, columns, this.measure.value);
    if (!this.isChange.value) return rasterOf(trace, rows, columns, filter, this.sight.value?.set, this.before.value);
    const { against, changes, partners } = this.store;
    if (!against.value || !changes.value || !partners.value) return undefined;
    return changes.value[0]?.by === 'logProb'
      ? changeRaster(changes.value, rows, columns)
      : differenceRaster(trace, against.value, rows, columns, partners.value);
  }

  private paperFor(raster: Raster, margin?: Raster): Paper {
    const isFading = this.store.view.fadeUnchanged.value && raster.changed !== undefined;
    const looks = this.store.side(this.side.value).looks.value;
    const heads = this.isFlat.value ? this.loads.value : undefined;
    const layer = this.sight.value?.layer;
    const inSight = layer && layerKey(layer);
    const labels = this.labels.value;
    const { difference, gain } = theme.value;
    const huesOf = ({ shows }: Raster) => (shows === 'experts' ? undefined : [difference, gain]);
    const same = { theme: theme.value, looks, labels, heads, inSight };
    const fresh = this.side.value === 'main' ? this.store.main.fresh.value : Infinity;
    const isOutdated = (column: number): boolean =>
      raster.isTurned && (tokenAt(raster.columns, column)?.end ?? 0) > fresh;
    return makePaper(
      {
        ...same,
        raster,
        hues: huesOf(raster),
        ...(margin && { margin: makePaper({ ...same, raster: margin, hues: huesOf(margin) }, false, isOutdated) }),
      },
      isFading,
      isOutdated,
    );
  }
}

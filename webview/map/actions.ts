/** What keys and the pointer do on the map: select, open, zoom. */
import { batch, type Signal } from '@preact/signals';
import { firstWritten, layersOf } from '../../src/trace/model/access.js';
import { columnOf, onToken, tokenAt } from './columns.js';
import { hit, type Hit, type Place, type Point } from './geometry.js';
import { keyAction, type Action, type PointerActions } from './input.js';
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { turn, type Raster } from './model.js';
import { extentOf } from './paint.js';
import { allLayers } from '../store/state.js';
import type { GridScene } from './scene.js';
import type { Stage } from './stage.js';

/** Does what a key, a tool or the pointer requests. */
export function perform(scene: GridScene, stage: Stage, action: Action): void {
  const { store } = scene;
  const raster = scene.raster.peek();
  if (!raster) return;
  switch (action.do) {
    case 'go':
      go(scene, raster, action.to, action.isWhole);
      break;
    case 'toggle':
      toggle(scene, raster, action.row);
      break;
    case 'zoom': {
      const { width, height } = stage.cell();
      const selected = stage.selected();
      // Lines stay as wide as the room allows.
      stage.zoom({ width: raster.isTurned ? width : width * action.by, height: height * action.by }, selected);
      // What was out of view stays there: the user looks at something else.
      if (selected) stage.reveal();
      break;
    }
    case 'fit':
      stage.fit();
      break;
    case 'read':
      stage.read();
      break;
    case 'showScope':
      showScope(scene, stage, raster);
      break;
    case 'showWritten':
      showWritten(scene, stage, raster);
      break;
    case 'leave':
      if (store.view.maximised.peek() || store.view.selection.peek().layer === '') store.leave();
      else store.select(allLayers);
      break;
  }
}

/** What a key requests; undefined if the map ignores it. */
export function asked(scene: GridScene, stage: Stage, event: KeyboardEvent): Action | undefined {
  const raster = scene.raster.peek();
  if (!raster || raster.rows.length === 0 || event.altKey) return undefined;
  const place = scene.place.peek();
  const action = keyAction(event.key, turn(raster, place), {
    ...extentOf(raster),
    page: stage.page(),
    all: event.ctrlKey || event.metaKey,
  });
  if (action?.do === 'go') return from(scene, place, turn(raster, action.to));
  return action?.do === 'toggle' ? { do: 'toggle', row: Math.max(0, place.row) } : action;
}

/** From an open layer as a whole, the text is walked with the layer selected, and the next row is its first module. */
function from({ covered }: GridScene, { row }: Place, to: Place): Action {
  if (covered.peek() < 2) return { do: 'go', to };
  return to.row === row + 1 ? { do: 'go', to: { ...to, row } } : { do: 'go', to, isWhole: to.row === row };
}

/** Where the pointer is, and what it is doing. */
export interface Pointing {
  /** The cell under it. */
  readonly cell: Signal<Place | undefined>;
  readonly isOverGutter: Signal<boolean>;
  readonly isDragging: Signal<boolean>;
  /** Where it was last. */
  last: Point | undefined;
  /** Where it was when a key hid what is said of it: nothing is said until it moves. */
  silent: Point | undefined;
}

/** Hides what is said of the cell under the pointer: a key may have put another there. */
export function silence(pointing: Pointing): void {
  pointing.silent = pointing.last;
  pointing.cell.value = undefined;
}

/** @param focus gives the selected cell the focus */
export function pointerActions(scene: GridScene, stage: Stage, pointing: Pointing, focus: () => void): PointerActions {
  const { cell, isOverGutter, isDragging } = pointing;
  const under = (at: Point) => {
    const [frame, raster] = [stage.frame(), scene.raster.peek()];
    return frame && raster && hit(frame, at, extentOf(raster));
  };
  return {
    hover: (at) => {
      // The browser reports a move without one when what lies under the pointer has changed.
      if (at && at.x === pointing.silent?.x && at.y === pointing.silent.y) return;
      pointing.silent = undefined;
      pointing.last = at;
      const found = at && under(at);
      const raster = scene.raster.peek();
      const on = found && raster && placeOf(raster, found);
      // A token's number or label above a grid does nothing; a line's number beside the map selects the line.
      const now = on && (raster.isTurned || on.row >= 0) ? on : undefined;
      isOverGutter.value = now !== undefined && found?.on !== 'cell';
      if (now?.column !== cell.peek()?.column || now?.row !== cell.peek()?.row) cell.value = now;
    },
    press: (at, how) => {
      const [found, raster] = [under(at), scene.raster.peek()];
      if (!found || !raster) return;
      const to = placeOf(raster, found);
      if (to.column < 0) toggle(scene, raster, to.row);
      else if (to.row >= 0 || raster.isTurned) {
        if (how === 'extend') extend(scene, raster, to);
        else go(scene, raster, to);
        focus();
      }
    },
    zoom: (by, both, at) => {
      const { width, height } = stage.cell();
      const isHigher = both && scene.isLines.peek();
      stage.zoom({ width: isHigher ? width : width * by, height: both ? height * by : height }, at);
    },
    dragging: (now) => {
      isDragging.value = now;
    },
  };
}

/** Where something on the screen is in the map; −1: beside or above all cells. */
function placeOf(raster: Raster, found: Hit): Place {
  return turn(raster, { column: -1, row: -1, ...found });
}

function go(
  { store, side, shownExperts, place, expert, isByExpert }: GridScene,
  { rows, columns, isTurned }: Raster,
  to: Place,
  isWhole = false,
): void {
  const row = rows[Math.min(rows.length - 1, Math.max(0, to.row))];
  const found = tokenAt(columns, onToken(columns, to.column, place.peek().column));
  if (!row || !found) return;
  const { sequence, token, end } = found;
  const line = { sequence, token, ...(isTurned && { end }) };
  // A line's number selects it for the whole model; an expert's column selects the layer that the expert belongs to, if any.
  const own = to.row < 0 ? undefined : isByExpert.peek() ? shownExperts.peek()?.layer : row;
  const layer = own ? layerKey(own) : '';
  batch(() => {
    expert.value = to.row < 0 ? -1 : (row.expert ?? -1);
    store.selectIn(side.peek(), line, { layer, module: own === row && !isWhole ? row.module : -1 });
    if (layer) store.lookAtLayer(layer);
    if (layer) store.aimWhatIf(layer);
  });
}

/** Scrolls to the scope. A selection outside it moves to its beginning: what is said of the selection is then of the scope, too. */
function showScope(scene: GridScene, stage: Stage, raster: Raster): void {
  const beyond = scene.beyond.peek();
  const first = beyond?.indexOf(0) ?? -1;
  if (!beyond || first < 0) return;
  const next = beyond.indexOf(1, first);
  const { column, row } = scene.place.peek();
  if (column >= 0 && beyond[column]) go(scene, raster, { column: first, row }, scene.covered.peek() > 1);
  stage.showColumns(first, next < 0 ? beyond.length - 1 : next - 1);
}

function showWritten({ store, trace }: GridScene, stage: Stage, { columns }: Raster): void {
  const { sequences } = trace.peek()!;
  const [last, given] = [sequences.length - 1, store.main.given.peek()];
  if (given === undefined) return;
  const { tokens } = sequences[last]!;
  const [from, to] = [firstWritten(sequences[last]!, given), tokens.count - 1].map((token) =>
    columnOf(columns, last, token),
  );
  if (from! >= 0 && to! >= 0) stage.showColumns(from!, to!);
}

function extend({ store, side }: GridScene, { columns }: Raster, { column }: Place): void {
  const found = tokenAt(columns, column);
  if (found) store.extend(side.peek(), found);
}

function toggle({ store, trace: shown, isFlat }: GridScene, { rows }: Raster, at: number): void {
  const [trace, row] = [shown.peek(), rows[at]];
  if (!trace || !row) return;
  if (row.expert !== undefined) return;
  if (isFlat.peek()) {
    store.lookAtLayer(layerKey(row));
    return;
  }
  const layers = layersOf(trace).map(layerKey);
  const { expanded, selection } = store.view;
  const open = expanded.peek() === 'all' ? layers : (expanded.peek() as readonly string[]);
  const key = layerKey(row);
  const isOpen = open.includes(key);
  const next = isOpen ? open.filter((one) => one !== key) : [...open, key];
  batch(() => {
    store.set({ expanded: next.length === layers.length ? 'all' : next });
    // The selected module is now part of its layer's row.
    if (isOpen && selection.peek().layer === key) store.select({ module: -1 });
  });
}

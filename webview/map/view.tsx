/** The map of text × sites: a canvas that stays put in a scroller, and one real element for the cell that has the focus. */
import { batch, useSignal, type Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { layersOf } from '../../src/trace/model/access.js';
import { Button, classes } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { t } from '../look/strings.js';
import { columnOf, onToken, tokenAt } from './columns.js';
import { Filters } from './filter.js';
import { hit, type Hit, type Place, type Point } from './geometry.js';
import { keyAction, listenToPointer, type Action } from './input.js';
import { layerKey } from '../../src/trace/model/sight.js';
import { turn, type Raster } from './model.js';
import { extentOf } from './paint.js';
import type { GridScene } from './scene.js';
import { Stage } from './stage.js';
import { GridCaption, Toolbar } from './toolbar.js';
import { Twin } from './twin.js';
import { stepFor, windowAt, within, type Window } from './cells.js';
import { WindowTip } from './windowTip.js';
import { CellTip, describe, describeToken, LineTip, RowTip } from './words.js';
import { LinesTwin } from './linesTwin.js';

export function Grid({ scene }: { readonly scene: GridScene }) {
  const store = useStore();
  const scroller = useRef<HTMLDivElement>(null);
  const focus = useRef<HTMLDivElement>(null);
  const stage = useRef<Stage>(undefined);
  /** The cell under the pointer. */
  const pointer = useSignal<Place | undefined>(undefined);
  const isDragging = useSignal(false);
  const isOverGutter = useSignal(false);
  const said = useSignal('');

  const act = (action: Action): void => {
    const raster = scene.raster.peek();
    if (!raster) return;
    switch (action.do) {
      case 'go':
        go(scene, raster, action.to);
        break;
      case 'toggle':
        toggle(scene, raster, action.row);
        break;
      case 'zoom': {
        const { width, height } = stage.current!.cell();
        // Lines stay as wide as there is room for them.
        stage.current!.zoom({ width: raster.isTurned ? width : width * action.by, height: height * action.by });
        break;
      }
      case 'fit':
        stage.current!.fit();
        break;
      case 'read':
        stage.current!.read();
        break;
      case 'leave':
        if (store.view.maximised.peek() || store.view.selection.peek().layer === '') store.leave();
        else store.select({ layer: '', site: -1 });
        break;
    }
  };

  useLayoutEffect(() => {
    const made = new Stage(scene, scroller.current!, pointer);
    stage.current = made;
    const under = (at: Point) => {
      const [frame, raster] = [made.frame(), scene.raster.peek()];
      return frame && raster && hit(frame, at, extentOf(raster));
    };
    const stop = listenToPointer(scroller.current!, {
      hover: (at) => {
        const found = at && under(at);
        const raster = scene.raster.peek();
        const on = found && raster && placeOf(raster, found);
        // The text's own numbers and labels do nothing above a grid; beside lines they choose one.
        const cell = on && (raster.isTurned || on.row >= 0) ? on : undefined;
        isOverGutter.value = cell !== undefined && found?.on !== 'cell';
        if (cell?.column !== pointer.peek()?.column || cell?.row !== pointer.peek()?.row) pointer.value = cell;
      },
      press: (at, how) => {
        const [found, raster] = [under(at), scene.raster.peek()];
        if (!found || !raster) return;
        const to = placeOf(raster, found);
        if (to.column < 0) act({ do: 'toggle', row: to.row });
        else if (to.row >= 0 || raster.isTurned) {
          if (how === 'extend') extend(scene, raster, to);
          else act({ do: 'go', to });
          focus.current!.focus({ preventScroll: true });
        }
      },
      zoom: (by, both, at) => {
        const { width, height } = made.cell();
        const isHigher = both && scene.isLines.peek();
        made.zoom({ width: isHigher ? width : width * by, height: both ? height * by : height }, at);
      },
      dragging: (now) => {
        isDragging.value = now;
      },
    });
    return () => {
      stop();
      made.end();
    };
  }, [scene]);

  const trace = scene.trace.value;
  const raster = scene.raster.value;
  const { rows, columns } = raster ? extentOf(raster) : { rows: 0, columns: 0 };
  useLayoutEffect(() => {
    scroller.current!.closest<HTMLElement>('.work')!.style.setProperty('--rows', String(rows));
  }, [rows]);
  const asTable = store.view.tables.value.includes('grid');
  const isEmpty = raster?.rows.length === 0;
  return (
    <section class="gridView" aria-label={t('grid')}>
      <Toolbar scene={scene} act={act} />
      <Filters />
      <GridCaption scene={scene} />
      <p class="unseen" id="grid-keys">
        {t('gridKeys')}
      </p>
      <div class={classes('plot', asTable && 'unseen')} hidden={!trace}>
        <div
          ref={scroller}
          class={classes('scroller', isDragging.value && 'dragging', isOverGutter.value && 'overGutter')}
          tabindex={-1}
          onScroll={() => {
            stage.current?.scrolled();
          }}
        >
          <div class="stage">
            <canvas class="base" aria-hidden="true" />
            <canvas class="over" aria-hidden="true" />
            <div
              class="cells"
              role="grid"
              aria-label={t('gridRole')}
              aria-describedby="grid-keys"
              aria-rowcount={rows}
              aria-colcount={columns}
            >
              <FocusCell
                scene={scene}
                cell={focus}
                said={said}
                onKeyDown={(event) => {
                  const now = scene.raster.peek();
                  if (!now || now.rows.length === 0 || event.altKey) return;
                  const action = keyAction(event.key, turn(now, scene.place.peek()), {
                    ...extentOf(now),
                    page: stage.current!.page(),
                    all: event.ctrlKey || event.metaKey,
                  });
                  if (!action) return;
                  event.preventDefault();
                  if (action.do === 'go') act({ do: 'go', to: turn(now, action.to) });
                  else if (action.do === 'toggle') act({ do: 'toggle', row: Math.max(0, scene.place.peek().row) });
                  else act(action);
                }}
              />
            </div>
          </div>
          <div class="spacer" />
        </div>
        {pointer.value && !isDragging.value && (
          <Tip
            scene={scene}
            at={pointer.value}
            drawn={() => {
              stage.current?.placeTip();
            }}
          />
        )}
        {isEmpty && <p class="empty">{t('nothingLeft')}</p>}
      </div>
      {asTable && (scene.isLines.value ? <LinesTwin scene={scene} /> : <Twin scene={scene} />)}
      <Strip scene={scene} />
      <div class="unseen" role="status" aria-live="polite">
        {said}
      </div>
    </section>
  );
}

/** The one cell that is an element: it has the focus, and the words for all. */
function FocusCell({
  scene,
  cell,
  said,
  onKeyDown,
}: {
  readonly scene: GridScene;
  readonly cell: RefObject<HTMLDivElement | null>;
  /** What is said aloud. */
  readonly said: Signal<string>;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}) {
  const [trace, raster] = [scene.trace.value, scene.raster.value];
  const at = scene.place.value;
  const words =
    trace && raster && at.column >= 0 && at.row >= 0 ? describe(trace, raster, at, scene.labels.value) : t('gridRole');
  const { column, row } = raster ? turn(raster, at) : at;
  useLayoutEffect(() => {
    // Only what one moves to by hand.
    if (document.activeElement === cell.current) said.value = words;
  }, [words]);
  return (
    <div role="row" aria-rowindex={Math.max(0, row) + 1}>
      <div
        ref={cell}
        class="cell"
        role="gridcell"
        tabindex={0}
        aria-label={words}
        aria-colindex={Math.max(0, column) + 1}
        onKeyDown={onKeyDown}
        onFocus={() => {
          said.value = words;
        }}
      />
    </div>
  );
}

/** What is selected, in one line, while another view than its own is open; before that, what can be done here. */
function Strip({ scene }: { readonly scene: GridScene }) {
  const { store } = scene;
  const [trace, raster] = [scene.trace.value, scene.raster.value];
  const { column, row } = scene.place.value;
  const { tab, maximised } = store.view;
  if (!trace || !raster) return null;
  if (column < 0) {
    return (
      <p class="strip faint">{t(`stripHow${scene.isLines.value ? 'Lines' : ''}${scene.isFlat.value ? 'Own' : ''}`)}</p>
    );
  }
  if (tab.value === 'cell' && !maximised.value) return null;
  return (
    <Button
      press={() => {
        store.set({ tab: 'cell', maximised: false });
      }}
      class="strip"
      title={t('stripHint')}
      data-focus="grid-strip"
    >
      {row < 0
        ? describeToken(trace, raster, column, scene.labels.value)
        : describe(trace, raster, { column, row }, scene.labels.value)}
    </Button>
  );
}

function Tip({ scene, at, drawn }: { readonly scene: GridScene; readonly at: Place; readonly drawn: () => void }) {
  const [trace, raster] = [scene.trace.value, scene.raster.value];
  useLayoutEffect(drawn);
  const row = raster?.rows[at.row];
  const cell = scene.frame()?.cell;
  if (!trace || !raster || !cell) return null;
  const looks = scene.store.side(scene.side.value).looks.value;
  const step = stepFor(cell);
  const labels = scene.labels.value;
  return (
    <div class="tip" aria-hidden="true">
      {!row ? (
        <LineTip trace={trace} scene={scene} column={at.column} />
      ) : at.column < 0 ? (
        <RowTip
          trace={trace}
          row={row}
          load={scene.isFlat.value && row.expert === undefined ? scene.loads.value[at.row] : undefined}
          hint={
            row.expert !== undefined
              ? undefined
              : scene.isFlat.value
                ? 'rowHint'
                : row.site < 0
                  ? 'rowOpen'
                  : 'rowClose'
          }
        />
      ) : step.columns * step.rows > 1 && row.expert === undefined ? (
        <WindowTip trace={trace} raster={raster} window={windowAt(raster, at, step)} labels={labels} looks={looks} />
      ) : raster.tokens && tokenAt(raster.columns, at.column) ? (
        <WindowTip
          trace={trace}
          raster={raster.tokens}
          window={tokensOf(raster, raster.tokens, at)}
          title={describeToken(trace, raster, at.column, labels)}
          labels={labels}
          looks={looks}
        />
      ) : (
        <CellTip trace={trace} raster={raster} at={at} labels={labels} looks={looks} />
      )}
    </div>
  );
}

/** Where something on the screen is in the map; −1: beside or above all of it. */
function placeOf(raster: Raster, found: Hit): Place {
  return turn(raster, { column: -1, row: -1, ...found });
}

/** The cells of a line's tokens. */
function tokensOf({ columns }: Raster, tokens: Raster, { column, row }: Place): Window {
  const { sequence, token, end } = tokenAt(columns, column)!;
  return within(
    tokens,
    { column: columnOf(tokens.columns, sequence, token), row },
    { column: columnOf(tokens.columns, sequence, end - 1), row },
  );
}

function go(
  { store, side, sight, place, expert, isByExpert }: GridScene,
  { rows, columns, isTurned }: Raster,
  to: Place,
): void {
  const row = rows[Math.min(rows.length - 1, Math.max(0, to.row))];
  const found = tokenAt(columns, onToken(columns, to.column, place.peek().column));
  if (!row || !found) return;
  const { sequence, token, end } = found;
  const line = { sequence, token, ...(isTurned && { end }) };
  // A line's number is of the whole model; an expert's column is of the layer whose expert it is, if of any.
  const own = to.row < 0 ? undefined : isByExpert.peek() ? sight.peek()?.layer : row;
  const layer = own ? layerKey(own) : '';
  batch(() => {
    expert.value = to.row < 0 ? -1 : (row.expert ?? -1);
    store.selectIn(side.peek(), line, { layer, site: own === row ? row.site : -1 });
    if (layer) store.lookAtLayer(layer);
  });
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
    // The selected site has become part of its layer's row.
    if (isOpen && selection.peek().layer === key) store.select({ site: -1 });
  });
}

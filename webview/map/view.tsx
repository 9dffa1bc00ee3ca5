/** The map of text × routed modules: a canvas that stays put in a scroller, and one real element for the cell that has the focus. */
import { useSignal, type Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { isBaseAlone, isEven } from '../../src/trace/model/fixed.js';
import { Button, classes } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { isCompact, isStacked } from '../look/room.js';
import { t } from '../look/strings.js';
import { incomparable } from '../store/sides.js';
import { asked, perform, pointerActions, silence, type Pointing } from './actions.js';
import { Filters } from './filter.js';
import { leastHeight, type Place } from './geometry.js';
import { listenToPointer } from './input.js';
import { nothing, turn } from './model.js';
import { extentOf } from './paint.js';
import type { GridScene } from './scene.js';
import { Stage } from './stage.js';
import { Tip } from './tip.js';
import { GridCaption, MapToolbar, mapTitle } from './toolbar.js';
import { GridTable } from './gridTable.js';
import { describe, describeToken, inBrief, tokenInBrief } from './words.js';
import { LinesTable } from './linesTable.js';

export function Grid({ scene }: { readonly scene: GridScene }) {
  const store = useStore();
  const scroller = useRef<HTMLDivElement>(null);
  const focus = useRef<HTMLDivElement>(null);
  const stage = useRef<Stage>(undefined);
  const pointing = usePointing();
  const said = useSignal('');

  useLayoutEffect(() => {
    const made = new Stage(scene, scroller.current!, pointing.cell);
    stage.current = made;
    scene.act = (action) => perform(scene, made, action);
    const focused = () => focus.current!.focus({ preventScroll: true });
    const stop = listenToPointer(scroller.current!, pointerActions(scene, made, pointing, focused));
    return () => {
      stop();
      made.end();
    };
  }, [scene]);

  const trace = scene.trace.value;
  useHeights(scene, scroller);
  useScope(scene);
  useWritten(scene);
  useForm(scene);
  const asTable = store.view.tables.value.includes('grid');
  const empty = emptiness(scene);
  return (
    <section class="gridView" aria-label={mapTitle(scene)}>
      <MapToolbar scene={scene} />
      <Filters />
      <GridCaption scene={scene} />
      <p class="unseen" id="grid-keys">
        {t('gridKeys')} {t('howKeys')}
      </p>
      <div class={classes('plot', asTable && 'unseen')} hidden={!trace}>
        <div
          ref={scroller}
          class={classes(
            'scroller',
            pointing.isDragging.value && 'dragging',
            pointing.isOverGutter.value && 'overGutter',
          )}
          tabindex={-1}
          onScroll={() => stage.current?.scrolled()}
        >
          <div class="stage">
            <canvas class="base" aria-hidden="true" />
            <canvas class="over" aria-hidden="true" />
            <FocusCell
              scene={scene}
              cell={focus}
              said={said}
              onKeyDown={(event) => {
                const action = asked(scene, stage.current!, event);
                if (!action) return;
                event.preventDefault();
                silence(pointing);
                scene.act(action);
              }}
            />
          </div>
          <div class="spacer" />
        </div>
        {pointing.cell.value && !pointing.isDragging.value && (
          <Tip scene={scene} at={pointing.cell.value} drawn={() => stage.current?.placeTip()} />
        )}
        {empty !== undefined && <p class="empty">{empty}</p>}
      </div>
      {asTable && (scene.isLines.value ? <LinesTable scene={scene} /> : <GridTable scene={scene} />)}
      <Strip scene={scene} />
      <div class="unseen" role="status" aria-live="polite">
        {said}
      </div>
    </section>
  );
}

function usePointing(): Pointing {
  const cell = useSignal<Place | undefined>(undefined);
  const [isOverGutter, isDragging] = [useSignal(false), useSignal(false)];
  return useMemo(() => ({ cell, isOverGutter, isDragging, last: undefined, silent: undefined }), []);
}

/** Why there is nothing in the map; undefined if there is something. */
function emptiness({ store, raster, trace, isChange }: GridScene): string | undefined {
  const [drawn, run] = [raster.value, trace.value];
  if (drawn?.rows.length === 0) return t('nothingLeft');
  if (isChange.value) return incomparable(store);
  if (!run || drawn?.shows !== 'experts' || drawn.expert.some((kind) => kind !== nothing)) return undefined;
  if (isBaseAlone(run)) return t('gridBase');
  return isEven(run) ? t('gridEven') : undefined;
}

/** Shows a part of the text once the user has chosen to look at it. */
function useScope(scene: GridScene): void {
  const { scope } = scene.store.view;
  const before = useRef(scope.value);
  useEffect(() => {
    if (before.current !== scope.value && scope.value !== '') scene.act({ do: 'showScope' });
    before.current = scope.value;
  }, [scope.value]);
}

/** Shows what the model wrote once that is done, as the text does. */
function useWritten(scene: GridScene): void {
  const isWriting = scene.store.main.running.value?.what === 'generate';
  const before = useRef(isWriting);
  useEffect(() => {
    if (before.current && !isWriting && scene.side.peek() === 'main') scene.act({ do: 'showWritten' });
    before.current = isWriting;
  }, [isWriting]);
}

/** The room at the first run decides the map's form; after that only the user does, however wide the panel becomes. */
function useForm({ store, lines }: GridScene): void {
  const isOpen = store.view.map.value === 'auto' && lines.value !== undefined;
  useLayoutEffect(() => {
    if (isOpen) store.set({ map: isStacked.peek() ? 'lines' : 'grid' });
  }, [isOpen]);
}

/** Tells the styles how high the map may want to be. */
function useHeights(scene: GridScene, scroller: RefObject<HTMLDivElement | null>): void {
  const raster = scene.raster.value;
  const isLines = scene.isLines.value;
  const rows = raster ? extentOf(raster).rows : 0;
  useLayoutEffect(() => {
    const { style } = scroller.current!.closest<HTMLElement>('.work')!;
    style.setProperty('--rows', String(rows));
    // Lines are as high as they are, and scroll.
    style.setProperty('--least', String(isLines ? 0 : leastHeight(rows)));
  }, [rows, isLines]);
}

/** The only cell that is an element: it has the focus, and the words for screen readers. */
function FocusCell({
  scene,
  cell,
  said,
  onKeyDown,
}: {
  readonly scene: GridScene;
  readonly cell: RefObject<HTMLDivElement | null>;
  /** What is read out. */
  readonly said: Signal<string>;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}) {
  const [trace, raster] = [scene.trace.value, scene.raster.value];
  const at = scene.place.value;
  const told = scene.told.value;
  const words =
    trace && told.raster && told.at.column >= 0 && told.at.row >= 0
      ? describe(trace, told.raster, told.at, scene.labels.value)
      : t('gridRole');
  const { column, row } = raster ? turn(raster, at) : at;
  const { rows, columns } = raster ? extentOf(raster) : { rows: 0, columns: 0 };
  useLayoutEffect(() => {
    // Only when the user moves to a cell; elsewhere nothing is said, and nothing old is left to be read.
    said.value = document.activeElement === cell.current ? words : '';
  }, [words]);
  return (
    <div
      class="cells"
      role="grid"
      aria-label={t('gridRole')}
      aria-describedby="grid-keys"
      aria-rowcount={rows}
      aria-colcount={columns}
    >
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
    </div>
  );
}

/** The selection in one line, while a tab other than its own is open; before there is one, what can be done here. */
function Strip({ scene }: { readonly scene: GridScene }) {
  const { store } = scene;
  const trace = scene.trace.value;
  const { raster, at } = scene.told.value;
  const { tab, maximised } = store.view;
  if (!trace || !raster) return null;
  if (at.column < 0) {
    const how = t(`stripHow${scene.isLines.value ? 'Lines' : ''}${scene.isFlat.value ? 'Own' : ''}`);
    // Where there is no room for the tools, they are in a menu.
    const read = isCompact.value ? t('stripReadMenu', t('mapGrid'), t('zoomRead')) : t('stripRead');
    return <p class="strip faint">{scene.isLines.value ? how : `${how} ${read}`}</p>;
  }
  if (tab.value === 'cell' && !maximised.value) return null;
  const labels = scene.labels.value;
  const here = store.placeIn[scene.side.value].value;
  const { tokens } = raster;
  const say = (isBrief: boolean): string => {
    if (tokens && here.end === undefined) return tokenInBrief(trace, { ...raster, tokens }, at, here, labels, isBrief);
    return at.row < 0 ? describeToken(trace, raster, at.column, labels) : inBrief(trace, raster, at, labels, isBrief);
  };
  return (
    <Button
      press={() => store.open('cell')}
      class={classes('strip', !scene.isLines.value && 'long')}
      title={`${say(false)} · ${t('stripHint')}`}
      data-focus="grid-strip"
    >
      {say(true)}
    </Button>
  );
}

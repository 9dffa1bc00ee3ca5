/** The map: a canvas, and one real element for the unit that the cursor is on. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { UnitKey } from '../../src/atlas/protocol.js';
import { theme } from '../look/theme.js';
import { t } from '../look/strings.js';
import { boxOf, frameOf, mapShapes, placeUnder, type Frame } from './mapShapes.js';
import type { Atlas, Place, Unit } from './model.js';
import type { Coloured } from './colouring.js';
import { draw, onScreen } from './shapes.js';
import { useAtlas } from './store.js';

interface Props {
  readonly atlas: Atlas;
  readonly coloured: Coloured;
  readonly lit: ReadonlySet<string>;
  /** A unit and what its colour says. */
  readonly say: (unit: Unit) => string;
}

export function UnitMap({ atlas, coloured, lit, say }: Props) {
  const store = useAtlas();
  const scroller = useRef<HTMLDivElement>(null);
  const room = useWidth(scroller);
  const [hovered, hover] = useState<Unit | undefined>(undefined);
  const [said, setSaid] = useState('');
  const frame = frameOf(atlas, room);
  const at = cursorOf(atlas, store.looking.value.cursor);
  const unit = atlas.at(at)!;
  const words = say(unit);
  const canvas = useDrawn(frame, () => mapShapes({ atlas, coloured, lit, frame, inks: onScreen(theme.value) }), [
    atlas,
    coloured,
    lit,
    room,
    theme.value,
  ]);
  const under = ({ offsetX: x, offsetY: y }: MouseEvent) => {
    const place = placeUnder(frame, { x, y });
    return place && atlas.at(place);
  };
  return (
    <>
      <p class="unseen" id="atlas-keys">
        {t('atlasKeys')}
      </p>
      <div ref={scroller} class="unitMap" tabindex={-1}>
        <div class="sheet" style={{ width: `${frame.width}px`, height: `${frame.height}px` }}>
          <canvas
            ref={canvas}
            aria-hidden="true"
            onPointerMove={(event) => hover(under(event))}
            onPointerLeave={() => hover(undefined)}
            onClick={(event) => {
              const found = under(event);
              if (found) store.open(found.key);
            }}
          />
          <Cursor atlas={atlas} at={at} frame={frame} words={words} said={setSaid} moved={() => hover(undefined)} />
        </div>
      </div>
      <p class="readout">{hovered ? say(hovered) : words}</p>
      <div class="unseen" role="status" aria-live="polite">
        {said}
      </div>
    </>
  );
}

/** The only unit that is an element: it has the focus, and the words for screen readers. */
function Cursor({
  atlas,
  at,
  frame,
  words,
  said,
  moved,
}: {
  readonly atlas: Atlas;
  readonly at: Place;
  readonly frame: Frame;
  readonly words: string;
  /** Reads it out. */
  readonly said: (words: string) => void;
  readonly moved: () => void;
}) {
  const store = useAtlas();
  const cell = useRef<HTMLDivElement>(null);
  const { x, y, width, height } = boxOf(frame, at);
  useLayoutEffect(() => {
    if (document.activeElement !== cell.current) return;
    said(words);
    cell.current!.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [words]);
  useLayoutEffect(() => {
    if (!store.hasMoved) return;
    store.hasMoved = false;
    cell.current!.focus();
  }, []);
  const press = (event: KeyboardEvent): void => {
    // Not where it was drawn: keys may come faster than frames.
    const now = cursorOf(atlas, store.looking.peek().cursor);
    const to = placeBy(event, now, atlas);
    if (event.key === 'Enter' || event.key === ' ') store.open(atlas.at(now)!.key);
    else if (to) store.look({ cursor: atlas.at(to)!.key });
    else return;
    event.preventDefault();
    moved();
  };
  return (
    <div
      role="grid"
      aria-label={t('atlasMap')}
      aria-describedby="atlas-keys"
      aria-rowcount={atlas.layers.length}
      aria-colcount={atlas.columns}
    >
      <div role="row" aria-rowindex={at.row + 1}>
        <div
          ref={cell}
          class="cell"
          role="gridcell"
          tabindex={0}
          aria-label={words}
          aria-colindex={at.column + 1}
          style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
          onFocus={() => said(words)}
          onKeyDown={press}
        />
      </div>
    </div>
  );
}

const cursorOf = (atlas: Atlas, cursor: UnitKey | null): Place =>
  (cursor && atlas.placeOf(cursor)) ?? { row: 0, column: 0 };

/** Where a key leads; undefined if the map ignores it. */
export function placeBy(
  { key, ctrlKey }: { readonly key: string; readonly ctrlKey: boolean },
  { row, column }: Place,
  { layers }: Pick<Atlas, 'layers'>,
): Place | undefined {
  const last = layers.length - 1;
  const to = {
    ArrowLeft: { row, column: column - 1 },
    ArrowRight: { row, column: column + 1 },
    ArrowUp: { row: row - 1, column },
    ArrowDown: { row: row + 1, column },
    Home: { row: ctrlKey ? 0 : row, column: 0 },
    End: { row: ctrlKey ? last : row, column: Infinity },
    PageUp: { row: 0, column },
    PageDown: { row: last, column },
  }[key];
  if (!to) return undefined;
  const next = Math.min(last, Math.max(0, to.row));
  return { row: next, column: Math.min(layers[next]!.units.length - 1, Math.max(0, to.column)) };
}

/** Of an element, as it changes. */
function useWidth(of: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const look = () => setWidth(of.current!.clientWidth);
    look();
    const resized = new ResizeObserver(look);
    resized.observe(of.current!);
    return () => resized.disconnect();
  }, []);
  return width;
}

function useDrawn(frame: Frame, shapes: () => Parameters<typeof draw>[1], changes: readonly unknown[]) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const ratio = devicePixelRatio;
    const { width, height } = frame;
    Object.assign(canvas.current!, { width: Math.ceil(width * ratio), height: Math.ceil(height * ratio) });
    Object.assign(canvas.current!.style, { width: `${width}px`, height: `${height}px` });
    const context = canvas.current!.getContext('2d')!;
    context.scale(ratio, ratio);
    draw(context, shapes(), theme.value.font);
  }, changes);
  return canvas;
}

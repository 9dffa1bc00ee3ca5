/** What keys and the pointer request on the map. */
import type { Place, Point } from './geometry.js';

export type Action =
  /** `isWhole`: an open layer stays selected as a whole. */
  | { readonly do: 'go'; readonly to: Place; readonly isWhole?: boolean }
  /** Opens or closes the row's layer. */
  | { readonly do: 'toggle'; readonly row: number }
  | { readonly do: 'zoom'; readonly by: number }
  | { readonly do: 'fit' }
  /** Zooms in until the tokens can be read. */
  | { readonly do: 'read' }
  /** Scrolls to the part of the text that is looked at. */
  | { readonly do: 'showScope' }
  /** Scrolls to what the model wrote. */
  | { readonly do: 'showWritten' }
  /** Back to the whole token. */
  | { readonly do: 'leave' };

export const zoomStep = 1.4;

/**
 * What a key requests; undefined if the map ignores it. Pure.
 * @param at the selected cell, −1 if there is none
 * @param page rows per screen
 * @param all with Ctrl: to the ends of the whole map, not of the row
 */
export function keyAction(
  key: string,
  at: Place,
  { page, all, columns, rows }: { page: number; all: boolean; columns: number; rows: number },
): Action | undefined {
  const column = Math.max(0, at.column);
  const row = Math.max(0, at.row);
  // The first arrow key only enters the map.
  const isIn = at.column >= 0 && at.row >= 0;
  const go = (to: Place): Action => ({ do: 'go', to: isIn ? to : { column, row } });
  switch (key) {
    case 'ArrowLeft':
      return go({ column: column - 1, row });
    case 'ArrowRight':
      return go({ column: column + 1, row });
    case 'ArrowUp':
      return go({ column, row: row - 1 });
    case 'ArrowDown':
      return go({ column, row: row + 1 });
    case 'PageUp':
      return go({ column, row: row - page });
    case 'PageDown':
      return go({ column, row: row + page });
    case 'Home':
      return go({ column: 0, row: all ? 0 : row });
    case 'End':
      return go({ column: columns - 1, row: all ? rows - 1 : row });
    case 'Enter':
    case ' ':
      return { do: 'toggle', row };
    case '+':
    case '=':
      return { do: 'zoom', by: zoomStep };
    case '-':
      return { do: 'zoom', by: 1 / zoomStep };
    case '0':
      return { do: 'fit' };
    case 'Escape':
      return { do: 'leave' };
    default:
      return undefined;
  }
}

export interface PointerActions {
  hover(at: Point | undefined): void;
  /** `extend`: with Shift, extends the selection to here. */
  press(at: Point, how: 'choose' | 'extend'): void;
  /** @param both false: stretches only the tokens */
  zoom(by: number, both: boolean, at: Point): void;
  dragging(now: boolean): void;
}

/** Listens to the pointer on a scroller: dragging pans, Ctrl and the wheel zoom. Returns a function that stops it. */
export function listenToPointer(scroller: HTMLElement, actions: PointerActions): () => void {
  let grip: { x: number; y: number; left: number; top: number; moved: boolean } | undefined;
  const over = new AbortController();
  const { signal } = over;
  const pointOf = (event: MouseEvent): Point => {
    const box = scroller.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  // On the scroll bars the browser does the dragging.
  const isInside = ({ x, y }: Point): boolean => x < scroller.clientWidth && y < scroller.clientHeight;
  const letGo = (): void => {
    if (grip?.moved) actions.dragging(false);
    grip = undefined;
  };

  scroller.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 0 || !isInside(pointOf(event))) return;
      const { scrollLeft: left, scrollTop: top } = scroller;
      grip = { x: event.clientX, y: event.clientY, left, top, moved: false };
    },
    { signal },
  );
  scroller.addEventListener(
    'pointermove',
    (event) => {
      if (grip) {
        const [dx, dy] = [event.clientX - grip.x, event.clientY - grip.y];
        if (!grip.moved && Math.hypot(dx, dy) > 4) {
          grip.moved = true;
          scroller.setPointerCapture(event.pointerId);
          actions.dragging(true);
        }
        if (grip.moved) scroller.scrollTo(grip.left - dx, grip.top - dy);
      }
      const at = pointOf(event);
      actions.hover(isInside(at) ? at : undefined);
    },
    { signal },
  );
  scroller.addEventListener(
    'pointerup',
    (event) => {
      const isPress = grip && !grip.moved;
      letGo();
      if (isPress) actions.press(pointOf(event), event.shiftKey ? 'extend' : 'choose');
    },
    { signal },
  );
  scroller.addEventListener('pointercancel', letGo, { signal });
  scroller.addEventListener('pointerleave', () => actions.hover(undefined), { signal });
  scroller.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const by = Math.exp(-event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 0.05 : 0.003));
      actions.zoom(by, !event.altKey, pointOf(event));
    },
    { signal, passive: false },
  );
  return () => over.abort();
}

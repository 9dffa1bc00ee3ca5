/** The map's canvas in its scroller. */
import { effect, type ReadonlySignal, type Signal } from '@preact/signals';
import { theme } from '../look/theme.js';
import {
  beside,
  besideEditor,
  comfortable,
  contentSize,
  fitted,
  gutterOf,
  readable,
  revealed,
  xOf,
  yOf,
  zoomed,
  type Area,
  type Extent,
  type Frame,
  type Place,
  type Point,
  type Size,
} from './geometry.js';
import { untilLast } from './columns.js';
import { Following } from './following.js';
import { turn, type Raster } from './model.js';
import { extentOf, paint, paintOver } from './paint.js';
import type { GridScene } from './scene.js';

/** Height of a line if no editor gives one, in CSS pixels. */
const defaultLine = 18;

/** Draws once per frame, however often it is asked to. */
function oncePerFrame(draw: () => void): { ask: () => void; stop: () => void } {
  let asked = 0;
  return {
    ask: () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
    },
    stop: () => cancelAnimationFrame(asked),
  };
}

/** Acts at the start, and whenever one of the signals has changed. */
function whenever(signals: readonly ReadonlySignal<unknown>[], act: () => void): () => void {
  return effect(() => {
    signals.forEach((one) => one.value);
    act();
  });
}

/** The canvas and what it shows of the scene: laid out, scrolled and painted once per frame. */
export class Stage {
  readonly #base: HTMLCanvasElement;
  readonly #over: HTMLCanvasElement;
  readonly #spacer: HTMLElement;
  readonly #focus: HTMLElement;
  #size: Size = { width: 0, height: 0 };
  /** The form of the map that was last scrolled to where it had been left. */
  #restored: boolean | undefined;
  #revealing = false;
  /** Columns to scroll to. */
  #shown: { readonly first: number; readonly last: number } | undefined;
  readonly #following: Following;
  #keeping: ReturnType<typeof setTimeout> | undefined;
  readonly #frames = oncePerFrame(() => this.#draw());
  readonly #overFrames = oncePerFrame(() => this.#drawOver());
  readonly #end: (() => void)[] = [];

  constructor(
    private readonly scene: GridScene,
    private readonly scroller: HTMLElement,
    private readonly pointer: Signal<Place | undefined>,
  ) {
    this.#base = scroller.querySelector('canvas.base')!;
    this.#over = scroller.querySelector('canvas.over')!;
    this.#spacer = scroller.querySelector('.spacer')!;
    this.#focus = scroller.querySelector('.cell')!;
    this.#following = new Following(scene, scroller);
    scene.frame = () => this.frame();
    const resized = new ResizeObserver(() => {
      // As large as it was: what was in view stays in view.
      this.#revealing ||= this.selected() !== undefined;
      this.#draw();
    });
    resized.observe(scroller);
    this.#end.push(
      () => resized.disconnect(),
      // Only these signals: drawing reads more, and must not start again because of those.
      whenever([scene.content, scene.zoom], () => this.#frames.ask()),
      whenever([scene.store.visible, scene.isLines], () => {
        this.#following.editorMoved();
        this.#frames.ask();
      }),
      whenever([scene.place, scene.covered, scene.rows], () => {
        this.#revealing = true;
        this.#frames.ask();
      }),
      whenever([pointer, theme, scene.beyond], () => this.#overFrames.ask()),
    );
  }

  end(): void {
    clearTimeout(this.#keeping);
    this.#frames.stop();
    this.#overFrames.stop();
    for (const end of this.#end) end();
  }

  /** Draws what has come into view, and remembers the position. */
  scrolled(): void {
    this.#frames.ask();
    this.#following.scrolled();
    const { scene } = this;
    if (!scene.zoom.peek()) return;
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => {
      const zoom = scene.zoom.peek();
      const { scrollLeft, scrollTop } = this.scroller;
      if (zoom) scene.setZoom({ ...zoom, token: scrollLeft / zoom.width, row: scrollTop / zoom.height });
    }, 200);
  }

  cell(): Size {
    const { scene } = this;
    const kept = scene.zoom.peek();
    if (kept) return kept;
    const extent = this.#extent();
    return scene.isLines.peek()
      ? besideEditor(this.#size, extent, scene.store.lines.peek()?.height ?? defaultLine)
      : comfortable(this.#size, extent);
  }

  #extent(): Extent {
    const raster = this.scene.raster.peek();
    return raster ? extentOf(raster) : { columns: 1, rows: 1 };
  }

  /** Rows per screen. */
  page(): number {
    const cell = this.cell();
    return Math.max(1, Math.floor((this.#size.height - gutterOf(cell, this.#extent()).top) / cell.height) - 1);
  }

  frame(): Frame | undefined {
    const { width, height } = this.#size;
    if (!this.scene.raster.peek() || width === 0 || height === 0) return undefined;
    const cell = this.cell();
    return {
      ...this.#size,
      ratio: devicePixelRatio,
      gutter: gutterOf(cell, this.#extent()),
      cell,
      scroll: { x: this.scroller.scrollLeft, y: this.scroller.scrollTop },
    };
  }

  zoom(wanted: Size, anchor?: Point): void {
    const frame = this.frame();
    if (!frame) return;
    const { zoom, scroll } = zoomed(frame, wanted, anchor, this.#extent().gutters);
    this.scene.setZoom(zoom);
    this.#layOut();
    this.#following.scrollTo(scroll);
  }

  /** The middle of the selected cell, as far as it is in view; undefined: it is not, or nothing is selected. */
  selected(): Point | undefined {
    const [frame, raster] = [this.frame(), this.scene.raster.peek()];
    if (!frame || !raster) return undefined;
    const { column, row } = turn(raster, this.scene.place.peek());
    const { gutter, cell } = frame;
    const along = (at: number, start: number, size: number, from: number, to: number): number | undefined => {
      if (at < 0) return (from + to) / 2;
      const [low, high] = [Math.max(from, start), Math.min(to, start + size)];
      return low < high ? (low + high) / 2 : undefined;
    };
    const x = along(column, xOf(frame, column), cell.width, gutter.left, frame.width);
    const y = along(row, yOf(frame, row), cell.height, gutter.top, frame.height);
    return (column < 0 && row < 0) || x === undefined || y === undefined ? undefined : { x, y };
  }

  /** Scrolls to the selected cell in the next frame. */
  reveal(): void {
    this.#revealing = this.scene.place.peek().column >= 0;
    this.#frames.ask();
  }

  /** Scrolls so that these columns of the map are in view or, if not all have room, the first of them. */
  showColumns(first: number, last: number): void {
    this.#shown = { first, last };
    this.#frames.ask();
  }

  /** Enlarges cells until they can be read, from the first visible one on or with the selected one in view. */
  read(): void {
    const frame = this.frame();
    if (!frame) return;
    const { cell, scroll } = frame;
    const width = Math.max(readable.width, cell.width);
    const height = Math.max(readable.height, cell.height);
    this.zoom({ width, height });
    this.#following.scrollTo({ x: (scroll.x / cell.width) * width, y: (scroll.y / cell.height) * height });
    this.reveal();
  }

  fit(): void {
    const raster = this.scene.raster.peek();
    if (!raster) return;
    const { clientWidth: width, clientHeight: height } = this.scroller;
    this.scene.setZoom(fitted({ width, height }, extentOf(raster)));
    this.#layOut();
    this.#following.scrollTo({ x: 0, y: 0 });
  }

  #layOut(): void {
    const raster = this.scene.raster.peek();
    this.#size = { width: this.scroller.clientWidth, height: this.scroller.clientHeight };
    if (!raster) return;
    const { width, height } = contentSize(this.cell(), extentOf(raster));
    this.#spacer.style.width = `${width}px`;
    this.#spacer.style.height = `${height}px`;
    const ratio = devicePixelRatio;
    for (const canvas of [this.#base, this.#over]) {
      const [w, h] = [Math.round(this.#size.width * ratio), Math.round(this.#size.height * ratio)];
      if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
      canvas.style.width = `${this.#size.width}px`;
      canvas.style.height = `${this.#size.height}px`;
    }
  }

  #draw(): void {
    const content = this.scene.content.peek();
    if (!content) return;
    this.#layOut();
    this.#scrollToKept();
    if (this.#revealing) this.#reveal();
    this.#revealing = false;
    if (this.#shown) for (const column of [this.#shown.last, this.#shown.first]) this.#reveal({ column, row: -1 });
    this.#shown = undefined;
    const laidOut = this.frame();
    if (laidOut) this.#following.follow(laidOut);
    const frame = this.frame();
    if (!frame) return;
    paint(this.#base.getContext('2d', { alpha: false })!, content, frame);
    this.#drawOver();
  }

  #drawOver(): void {
    const frame = this.frame();
    const raster = this.scene.raster.peek();
    if (!frame || !raster) return;
    const at = this.#selected(raster);
    const pointer = this.pointer.peek();
    paintOver(
      this.#over.getContext('2d')!,
      theme.peek(),
      frame,
      extentOf(raster),
      at,
      pointer && turn(raster, pointer),
      this.#following.inEditor(),
      this.scene.beyond.peek(),
      raster.isTurned ? untilLast(raster.columns) : undefined,
    );
    const { column, row, columns, rows } =
      at.column >= 0 && at.row >= 0 ? at : { column: 0, row: 0, columns: 1, rows: 1 };
    this.#focus.style.transform = `translate(${xOf(frame, column)}px, ${yOf(frame, row)}px)`;
    this.#focus.style.width = `${Math.max(3, columns * frame.cell.width)}px`;
    this.#focus.style.height = `${Math.max(3, rows * frame.cell.height)}px`;
    this.placeTip();
  }

  /** What is framed. A layer stays chosen for the next run, but without a token there is nothing to frame. */
  #selected(raster: Raster): Area {
    const { column, row } = this.scene.place.peek();
    const at = turn(raster, column < 0 ? { column, row: -1 } : { column, row });
    const size = turn(raster, { column: 1, row: this.scene.covered.peek() });
    return { ...at, columns: size.column, rows: size.row };
  }

  /** Puts the tip beside the cell under the pointer; also when its words, and so its size, have changed. */
  placeTip(): void {
    const frame = this.frame();
    const [raster, pointer] = [this.scene.raster.peek(), this.pointer.peek()];
    const tip = this.scroller.parentElement!.querySelector<HTMLElement>('.tip');
    if (!frame || !raster || !pointer || !tip) return;
    const { top } = this.scroller.getBoundingClientRect();
    const room = { from: -top, to: innerHeight - top };
    const { x, y } = beside(frame, turn(raster, pointer), { width: tip.offsetWidth, height: tip.offsetHeight }, room);
    tip.style.transform = `translate(${x}px, ${y}px)`;
  }

  #scrollToKept(): void {
    const isLines = this.scene.isLines.peek();
    if (this.#restored === isLines) return;
    this.#restored = isLines;
    const zoom = this.scene.zoom.peek();
    if (zoom) this.#following.scrollTo({ x: zoom.token * zoom.width, y: zoom.row * zoom.height });
  }

  #reveal(place: Place = this.scene.place.peek()): void {
    const [frame, raster] = [this.frame(), this.scene.raster.peek()];
    if (!frame || !raster) return;
    const { clientWidth: width, clientHeight: height } = this.scroller;
    const { x, y } = revealed(frame, { width, height }, turn(raster, place));
    if (x !== frame.scroll.x || y !== frame.scroll.y) this.#following.scrollTo({ x, y });
  }
}

/** Map and editor scroll together while the map shows lines: each goes where the other was taken by the person. */
import { revealed, type Frame, type Point } from './geometry.js';
import type { GridScene } from './scene.js';

/** Rows of at least so much of the editor's line height lie beside its lines; smaller ones are an overview. */
const beside = 0.75;

export class Following {
  /** Where the page itself scrolled to last: not the person's doing. */
  #own: number | undefined;
  #moved = false;
  #told: number | undefined;

  constructor(
    private readonly scene: GridScene,
    private readonly scroller: HTMLElement,
  ) {}

  scrollTo({ x, y }: Point): void {
    this.scroller.scrollTo(x, y);
    // It may have stopped at an end.
    this.#own = this.scroller.scrollTop;
  }

  editorMoved(): void {
    if (this.scene.store.visible.peek()?.isLed) return;
    this.#moved = true;
    this.#told = undefined;
  }

  /** The rows that are in sight in the editor; the second is past the last. */
  inEditor(): { readonly from: number; readonly to: number } | undefined {
    const seen = this.scene.store.visible.peek();
    const lines = this.#lines();
    if (!seen || !lines) return undefined;
    // Pieces of a line go with it.
    const from = lines.line.findIndex((line) => line >= seen.from);
    const past = lines.line.findIndex((line) => line > seen.to);
    return from < 0 ? undefined : { from, to: past < 0 ? lines.count : past };
  }

  /** Once the map is laid out: to where the editor went. */
  follow(frame: Frame): void {
    const seen = this.#moved ? this.inEditor() : undefined;
    if (!seen) return;
    this.#moved = false;
    const { x } = frame.scroll;
    if (frame.cell.height >= beside * this.scene.store.lines.peek()!.height) {
      this.scrollTo({ x, y: seen.from * frame.cell.height });
      return;
    }
    const inner = { width: this.scroller.clientWidth, height: this.scroller.clientHeight };
    const last = revealed(frame, inner, { column: -1, row: seen.to - 1 });
    this.scrollTo({ x, y: revealed({ ...frame, scroll: last }, inner, { column: -1, row: seen.from }).y });
  }

  /** The map was scrolled: if by the person, the editor is told to what line. */
  scrolled(): void {
    const { scrollTop } = this.scroller;
    const isOwn = this.#own !== undefined && Math.abs(scrollTop - this.#own) < 1;
    const [lines, frame] = [this.#lines(), this.scene.frame()];
    if (isOwn || !lines || !frame || !this.scene.store.visible.peek()) return;
    this.#own = undefined;
    const line = lines.line[Math.round(scrollTop / frame.cell.height)];
    if (line === undefined || line === this.#told) return;
    this.#told = line;
    this.scene.store.send({ type: 'reveal', line });
  }

  /** The document's; undefined where the map shows others, or none. */
  #lines() {
    const { scene } = this;
    const first = scene.isLines.peek() && scene.isOfDocument.peek() ? scene.columns.peek()?.spans[0] : undefined;
    return first?.sequence === 0 ? first.lines : undefined;
  }
}

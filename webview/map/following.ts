/** A map of lines and the editor scroll together: each follows where the user scrolled the other. */
import { revealed, type Frame, type Point } from './geometry.js';
import type { GridScene } from './scene.js';

/** Rows of at least this share of the editor's line height are aligned with its lines; smaller ones are an overview. */
const beside = 0.75;

export class Following {
  /** Where the page itself last scrolled to, which is not the user's doing. */
  #own: number | undefined;
  #moved = false;
  #told: number | undefined;

  constructor(
    private readonly scene: GridScene,
    private readonly scroller: HTMLElement,
  ) {}

  scrollTo({ x, y }: Point): void {
    this.scroller.scrollTo(x, y);
    // The scroller may have stopped at an end.
    this.#own = this.scroller.scrollTop;
  }

  editorMoved(): void {
    if (this.scene.store.visible.peek()?.isLed) return;
    this.#moved = true;
    this.#told = undefined;
  }

  /** The rows that are visible in the editor; the second is past the last. */
  inEditor(): { readonly from: number; readonly to: number } | undefined {
    const seen = this.scene.store.visible.peek();
    const lines = this.#lines();
    if (!seen || !lines) return undefined;
    // Pieces of a long line go with it.
    const from = lines.line.findIndex((line) => line >= seen.from);
    const past = lines.line.findIndex((line) => line > seen.to);
    return from < 0 ? undefined : { from, to: past < 0 ? lines.count : past };
  }

  /** Scrolls to where the editor went; called once the map is laid out. */
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

  /** If the user scrolled the map, tells the editor which line to show. */
  scrolled(): void {
    const { scrollTop } = this.scroller;
    const hasLayerExperts = this.#own !== undefined && Math.abs(scrollTop - this.#own) < 1;
    const [lines, frame] = [this.#lines(), this.scene.frame()];
    if (hasLayerExperts || !lines || !frame || !this.scene.store.visible.peek()) return;
    this.#own = undefined;
    const line = lines.line[Math.round(scrollTop / frame.cell.height)];
    if (line === undefined || line === this.#told) return;
    this.#told = line;
    this.scene.store.send({ type: 'reveal', line });
  }

  /** The document's lines; undefined if the map shows others, or none. */
  #lines() {
    const { scene } = this;
    const first = scene.isLines.peek() && scene.isOfDocument.peek() ? scene.columns.peek()?.spans[0] : undefined;
    return first?.sequence === 0 ? first.lines : undefined;
  }
}

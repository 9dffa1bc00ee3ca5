import * as vscode from 'vscode';
import { documentOf, editorsOf } from '../host/texts.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import type { DocumentLines, VisibleLines } from '../protocol/panel.js';
import { documentLine, lineStarts, runsNow, textLine } from '../trace/text/lines.js';

/** How long an editor may take to scroll to where it is told to, in steps. Milliseconds. */
const longestGlide = 300;

/** A routed text's lines in its document and in the editor that shows it, which scrolls with the page. */
export class EditorLines {
  /** When the page last scrolled the editor. */
  #led = -Infinity;

  constructor(private readonly store: RoutingStore) {}

  lines({ id, uri, span, stale, main }: Routed): DocumentLines | undefined {
    const document = documentOf(uri);
    if (!document) return undefined;
    const lineAt = (offset: number) => document.positionAt(offset).line;
    const [spans, starts] = [this.store.tokenSpans(id), main.trace?.sequences[0]?.tokens.start];
    const first = lineAt(span.start);
    const runs =
      stale && spans && starts
        ? runsNow(lineStarts(main.text), starts, spans.start, lineAt, first)
        : ([[0, first]] as const);
    return { runs, height: lineHeight(document) };
  }

  visible(routed: Routed): VisibleLines | undefined {
    const ranges = editorsOf(routed.uri)[0]?.visibleRanges;
    const lines = this.lines(routed);
    const [first, last] = [ranges?.[0], ranges?.at(-1)];
    if (!lines || !first || !last) return undefined;
    const [from, to] = [textLine(lines.runs, first.start.line), textLine(lines.runs, last.end.line)];
    return { from, to, ...(Date.now() - this.#led < longestGlide && { isLed: true }) };
  }

  /** Scrolls the editor to a line of the text; the caret stays where it is. */
  reveal(routed: Routed, line: number): void {
    const editor = editorsOf(routed.uri)[0];
    const lines = this.lines(routed);
    if (!editor || !lines) return;
    this.#led = Date.now();
    const at = new vscode.Position(documentLine(lines.runs, line) + keptAbove(editor), 0);
    editor.revealRange(new vscode.Range(at, at), vscode.TextEditorRevealType.AtTop);
  }
}

/** Lines that VS Code leaves above one that it scrolls to the top: it keeps room for sticky scroll even if that is not needed. */
function keptAbove({ document, visibleRanges }: vscode.TextEditor): number {
  const settings = vscode.workspace.getConfiguration('editor', document);
  const sticky = settings.get<boolean>('stickyScroll.enabled', true)
    ? settings.get<number>('stickyScroll.maxLineCount', 5)
    : 0;
  const shownLayer = visibleRanges.reduce((sum, { start, end }) => sum + end.line - start.line + 1, 0);
  return Math.min(Math.floor(shownLayer / 2), Math.max(sticky, settings.get<number>('cursorSurroundingLines', 0)));
}

/** As VS Code computes it: a setting below 8 is a multiple of the font size, 0 the platform's default. */
function lineHeight(document: vscode.TextDocument): number {
  const settings = vscode.workspace.getConfiguration('editor', document);
  const size = settings.get<number>('fontSize', 14);
  const own = settings.get<number>('lineHeight', 0);
  const set = own === 0 ? (process.platform === 'darwin' ? 1.5 : 1.35) : own;
  return Math.max(8, Math.round(set < 8 ? set * size : set));
}

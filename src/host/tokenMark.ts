import * as vscode from 'vscode';
import type { Span } from '../routing/positions.js';
import { editorsOf, rangeOf } from './texts.js';

/**
 * Marks the token that is selected in a panel, in the editors of its document. With a mark and the caret, not a selection, because
 * the person's next Route Selection must not route just that token.
 */
export class TokenMark implements vscode.Disposable {
  readonly #decoration = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor('editor.findMatchHighlightBackground'),
    borderColor: new vscode.ThemeColor('contrastActiveBorder'),
    borderStyle: 'solid',
    borderWidth: '1px',
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });

  /** Where a panel last put the caret: the event that follows is not from the person. */
  #placed: { readonly uri: string; readonly offset: number } | undefined;

  /** Only in editors that are visible. */
  show(uri: string, span: Span): void {
    for (const [i, editor] of editorsOf(uri).entries()) {
      const range = rangeOf(editor.document, span);
      editor.setDecorations(this.#decoration, [range]);
      if (i > 0) continue;
      this.#placed = { uri, offset: span.start };
      editor.selection = new vscode.Selection(range.start, range.start);
      reveal(editor, range.start.line);
    }
  }

  clear(editor: vscode.TextEditor): void {
    editor.setDecorations(this.#decoration, []);
  }

  /** Whether `show` put the caret where it is. Asked once. */
  isEcho(editor: vscode.TextEditor): boolean {
    const placed = this.#placed;
    if (placed?.uri !== editor.document.uri.toString()) return false;
    this.#placed = undefined;
    return editor.document.offsetAt(editor.selection.active) === placed.offset;
  }

  dispose(): void {
    this.#decoration.dispose();
  }
}

/** Scrolls to a line that is out of sight, and never sideways: a token far to the right would take the rest of the text away. */
function reveal(editor: vscode.TextEditor, line: number): void {
  if (editor.visibleRanges.some(({ start, end }) => start.line <= line && line <= end.line)) return;
  editor.revealRange(new vscode.Range(line, 0, line, 0), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

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

  /** By document: VS Code forgets the mark while the editor is out of sight. */
  readonly #shown = new Map<string, Span>();
  readonly #subscriptions = [
    vscode.window.onDidChangeVisibleTextEditors((editors) => {
      for (const editor of editors) this.#mark(editor);
    }),
    vscode.workspace.onDidChangeTextDocument(({ document }) => this.#shown.delete(document.uri.toString())),
  ];

  /** Where a panel last put the caret: the event that follows is not from the person. */
  #placed: { readonly uri: string; readonly offset: number } | undefined;

  /** Only in editors that are visible. */
  show(uri: string, span: Span): void {
    this.#shown.set(uri, span);
    for (const [i, editor] of editorsOf(uri).entries()) {
      this.#mark(editor);
      if (i > 0) continue;
      const caret = firstLetter(editor.document, rangeOf(editor.document, span));
      this.#placed = { uri, offset: editor.document.offsetAt(caret) };
      editor.selection = new vscode.Selection(caret, caret);
      reveal(editor, caret.line);
    }
  }

  clear(editor: vscode.TextEditor): void {
    this.#shown.delete(editor.document.uri.toString());
    editor.setDecorations(this.#decoration, []);
  }

  /** Whether `show` put the caret where it is. Asked once. */
  isEcho(editor: vscode.TextEditor): boolean {
    const placed = this.#placed;
    if (placed?.uri !== editor.document.uri.toString()) return false;
    this.#placed = undefined;
    return editor.document.offsetAt(editor.selection.active) === placed.offset;
  }

  #mark(editor: vscode.TextEditor): void {
    const span = this.#shown.get(editor.document.uri.toString());
    if (span) editor.setDecorations(this.#decoration, [rangeOf(editor.document, span)]);
  }

  dispose(): void {
    for (const one of this.#subscriptions) one.dispose();
    this.#decoration.dispose();
  }
}

/** Past the space that many tokens begin with: at its other side, VS Code would highlight the word before. */
function firstLetter(document: vscode.TextDocument, range: vscode.Range): vscode.Position {
  const space = /^\s+(?=\S)/.exec(document.getText(range))?.[0].length ?? 0;
  return document.positionAt(document.offsetAt(range.start) + space);
}

/** Scrolls to a line that is out of sight, and never sideways: a token far to the right would take the rest of the text away. */
function reveal(editor: vscode.TextEditor, line: number): void {
  if (editor.visibleRanges.some(({ start, end }) => start.line <= line && line <= end.line)) return;
  editor.revealRange(new vscode.Range(line, 0, line, 0), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

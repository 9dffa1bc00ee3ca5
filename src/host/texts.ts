import * as vscode from 'vscode';
import { GanderError } from '../errors/errors.js';
import type { Span } from '../routing/positions.js';
import { counted } from './words.js';

/** In ordinary text, no token of a byte-level vocabulary has more characters. A text too long even by this need not be tokenized. */
const longestToken = 16;

function spanOf(document: vscode.TextDocument, range: vscode.Range): Span {
  return { start: document.offsetAt(range.start), end: document.offsetAt(range.end) };
}

export function rangeOf(document: vscode.TextDocument, { start, end }: Span): vscode.Range {
  return new vscode.Range(document.positionAt(start), document.positionAt(end));
}

export function documentOf(uri: string): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri);
}

/** Editors that show the document, the active one first. */
export function editorsOf(uri: string): vscode.TextEditor[] {
  const active = vscode.window.activeTextEditor;
  return vscode.window.visibleTextEditors
    .filter((editor) => editor.document.uri.toString() === uri)
    .sort((a, b) => Number(b === active) - Number(a === active));
}

/**
 * The editor with the focus, or the only visible one if the focus is elsewhere, as in the walkthrough. A window that has just
 * opened has a file's tab before its editor, so the editor is asked for.
 */
export async function activeEditor(): Promise<vscode.TextEditor | undefined> {
  if (vscode.window.activeTextEditor) return vscode.window.activeTextEditor;
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (!(input instanceof vscode.TabInputText)) return onlyEditor();
  try {
    return await vscode.window.showTextDocument(input.uri);
  } catch {
    return onlyEditor(); // the file of the tab is not text after all
  }
}

function onlyEditor(): vscode.TextEditor | undefined {
  const [first, ...more] = vscode.window.visibleTextEditors.filter(({ document }) => document.uri.scheme !== 'output');
  return more.length === 0 ? first : undefined;
}

/** The selections that are not empty, in the order of the text, or else the whole document. */
export function spansToRoute(editor: vscode.TextEditor): Span[] {
  const { document } = editor;
  const chosen = editor.selections.filter((selection) => !selection.isEmpty);
  if (chosen.length === 0) return [{ start: 0, end: document.getText().length }];
  return chosen.map((selection) => spanOf(document, selection)).sort((a, b) => a.start - b.start);
}

/**
 * The text selected in a visible editor, preferably the active one. If none is selected, all text of the active editor or of the
 * only one, as for routing.
 *
 * @param than the text that it is to be compared with
 * @throws GanderError
 */
export async function presentSelection(
  than: string,
  most?: number,
): Promise<{ readonly text: string; readonly title: string }> {
  const selected = vscode.window.visibleTextEditors.filter((e) => e.selections.some((s) => !s.isEmpty));
  const isActive = (editor: vscode.TextEditor) => editor === vscode.window.activeTextEditor;
  const editor = selected.find(isActive) ?? selected[0] ?? (await activeEditor());
  if (!editor) throw nothingSelected();
  const span = spansToRoute(editor)[0]!;
  const text = editor.document.getText(rangeOf(editor.document, span));
  checkText(text, most);
  // With nothing selected, the editor gives all of the text that was routed.
  if (text === than) throw nothingSelected();
  return { text, title: titleOf(editor.document, span) };
}

function nothingSelected(): GanderError {
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('No other text is selected in an editor.'),
    vscode.l10n.t('Select the text to compare with, then compare again.'),
  );
}

/** Throws an error about an unusable text before a source is asked. @param most in tokens, if known */
export function checkText(text: string, most = Infinity): void {
  if (text.trim() === '') {
    throw new GanderError(
      'text-empty',
      vscode.l10n.t('There is no text to route.'),
      vscode.l10n.t('Write or select some text, then run Route Selection again.'),
    );
  }
  // The beginning is enough: pictures and archives have a NUL early.
  if (text.slice(0, 8192).includes('\0')) {
    throw new GanderError(
      'request-invalid',
      vscode.l10n.t('This looks like a binary file.'),
      vscode.l10n.t('Open a text file, or select the readable part.'),
    );
  }
  if (text.length > most * longestToken) {
    throw new GanderError(
      'text-too-long',
      counted('textTooLong', text.length, most),
      vscode.l10n.t('Select a shorter part.'),
    );
  }
}

/** The beginning of a text, no longer than `characters`, cut at a line end if there is one in its second half. */
export function firstPart(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const cut = text.lastIndexOf('\n', characters);
  const end = cut > characters / 2 ? cut : characters;
  // Never between the two halves of a surrogate pair.
  return text.slice(0, /[\uD800-\uDBFF]/.test(text[end - 1] ?? '') ? end - 1 : end);
}

/**
 * A range's title: the document's name, and the lines unless the range is the whole document. A range that ends with a line break has
 * nothing of the line after it.
 */
export function titleOf(document: vscode.TextDocument, span: Span): string {
  const name = document.uri.path.split('/').at(-1) ?? document.uri.toString();
  if (span.start === 0 && span.end === document.getText().length) return name;
  const { start, end } = rangeOf(document, span);
  const last = end.character === 0 && end.line > start.line ? end.line - 1 : end.line;
  return start.line === last ? `${name}:${start.line + 1}` : `${name}:${start.line + 1}–${last + 1}`;
}

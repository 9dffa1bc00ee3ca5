import * as vscode from 'vscode';
import { section } from '../host/settings.js';
import type { RoutingStore } from '../routing/store.js';
import { expertStyle, type Pattern, quiet } from '../shared/palette.js';
import { underlines } from './underlines.js';

/** Drawn again at most so often. Milliseconds. */
const every = 100;

/** Line styles stand in for the page's patterns: colour is not the only channel. */
const lines: Record<Pattern, { readonly style: string; readonly width: string }> = {
  solid: { style: 'solid', width: '2px' },
  rising: { style: 'dashed', width: '2px' },
  dots: { style: 'dotted', width: '2px' },
  cross: { style: 'double', width: '3px' },
};

const quietLine = { style: 'dotted', width: '1px' };

/** The colour of a slot of the palette as contributed in package.json, where themes may change it. */
export function expertColour(slot: number): vscode.ThemeColor {
  return new vscode.ThemeColor(`gander.expert${expertStyle(slot).letter}`);
}

/** Underlines each routed token in the colour of its leading expert; what has gone stale is dimmed and struck through. */
export class RoutingDecorations implements vscode.Disposable {
  /** By slot of the palette; `quiet`: all experts that have no colour of their own. */
  readonly #bySlot = new Map<number, vscode.TextEditorDecorationType>();
  readonly #stale = vscode.window.createTextEditorDecorationType({
    opacity: '0.55',
    textDecoration: 'line-through',
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  readonly #subscriptions: vscode.Disposable[];
  readonly #dirty = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly store: RoutingStore) {
    this.#subscriptions = [
      // While a text is routed the panel shows how far it is; to redraw all else with it would take the engine its cores.
      new vscode.Disposable(store.onChange(({ routed }) => !routed.main.running && this.#soon(routed.uri))),
      vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((editor) => this.#draw(editor))),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(`${section}.decorations`)) this.#drawAll();
      }),
    ];
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions, this.#stale, ...this.#bySlot.values()).dispose();
  }

  #soon(uri: string): void {
    this.#dirty.add(uri);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const uris = new Set(this.#dirty);
      this.#dirty.clear();
      for (const editor of vscode.window.visibleTextEditors)
        if (uris.has(editor.document.uri.toString())) this.#draw(editor);
    }, every);
  }

  #drawAll(): void {
    for (const editor of vscode.window.visibleTextEditors) this.#draw(editor);
  }

  #draw(editor: vscode.TextEditor): void {
    const { bySlot, stale } = underlines(this.store, editor.document);
    for (const slot of bySlot.keys()) this.#typeOf(slot);
    for (const [slot, type] of this.#bySlot) editor.setDecorations(type, bySlot.get(slot) ?? []);
    editor.setDecorations(this.#stale, stale);
  }

  #typeOf(slot: number): vscode.TextEditorDecorationType {
    let type = this.#bySlot.get(slot);
    if (!type) {
      const { style, width } = slot === quiet ? quietLine : lines[expertStyle(slot).pattern];
      type = vscode.window.createTextEditorDecorationType({
        borderColor: slot === quiet ? new vscode.ThemeColor('disabledForeground') : expertColour(slot),
        borderStyle: style,
        borderWidth: `0 0 ${width} 0`,
        rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
      });
      this.#bySlot.set(slot, type);
    }
    return type;
  }
}

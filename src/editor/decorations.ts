import * as vscode from 'vscode';
import type { Colours } from '../host/colours.js';
import { section } from '../host/settings.js';
import type { RoutingStore } from '../routing/store.js';
import { expertStyle, type Pattern, quiet } from '../look/palette.js';
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

/** The colour of a slot of the palette as contributed in package.json, where themes may change it. */
function expertColour(slot: number): vscode.ThemeColor {
  return new vscode.ThemeColor(`gander.expert${expertStyle(slot).letter}`);
}

/** Underlines each routed token in the colour of its leading expert, or by what was chosen; what an edit has made stale is grey. */
export class RoutingDecorations implements vscode.Disposable {
  /** By slot of the palette; `quiet`: all experts that have no colour of their own. */
  readonly #bySlot = new Map<number, vscode.TextEditorDecorationType>();
  /** By strength of a measure: the stronger, the thicker. */
  readonly #byLevel = new Map<number, vscode.TextEditorDecorationType>();
  readonly #stale = underline(new vscode.ThemeColor('disabledForeground'), 'dotted', '1px');
  readonly #subscriptions: vscode.Disposable[];
  readonly #dirty = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: RoutingStore,
    private readonly colours: Colours,
  ) {
    this.#subscriptions = [
      colours.onDidChange(() => this.#drawAll()),
      colours.onDidOverlay(() => this.#drawAll()),
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
    vscode.Disposable.from(
      ...this.#subscriptions,
      this.#stale,
      ...this.#bySlot.values(),
      ...this.#byLevel.values(),
    ).dispose();
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
    const { bySlot, byLevel, stale } = underlines(this.store, editor.document, this.colours);
    apply(editor, bySlot, this.#bySlot, ofExpert);
    apply(editor, byLevel, this.#byLevel, ofLevel);
    editor.setDecorations(this.#stale, stale);
  }
}

/** Types are made when they are first needed; those with nothing to draw are cleared. */
function apply(
  editor: vscode.TextEditor,
  ranges: ReadonlyMap<number, readonly vscode.Range[]>,
  types: Map<number, vscode.TextEditorDecorationType>,
  make: (tone: number) => vscode.TextEditorDecorationType,
): void {
  for (const tone of ranges.keys()) if (!types.has(tone)) types.set(tone, make(tone));
  for (const [tone, type] of types) editor.setDecorations(type, ranges.get(tone) ?? []);
}

function underline(
  borderColor: vscode.ThemeColor,
  borderStyle: string,
  width: string,
): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    borderColor,
    borderStyle,
    borderWidth: `0 0 ${width} 0`,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
}

function ofExpert(slot: number): vscode.TextEditorDecorationType {
  if (slot === quiet) return underline(new vscode.ThemeColor('disabledForeground'), 'dotted', '1px');
  const { style, width } = lines[expertStyle(slot).pattern];
  return underline(expertColour(slot), style, width);
}

const ofLevel = (level: number) => underline(new vscode.ThemeColor('charts.orange'), 'solid', `${level}px`);

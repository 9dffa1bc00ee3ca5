import * as vscode from 'vscode';
import type { Colours } from '../host/colours.js';
import { section } from '../host/settings.js';
import type { RoutingStore } from '../routing/store.js';
import { expertStyle, type Pattern, quiet } from '../look/palette.js';
import { underlines } from './underlines.js';

/** Least time between two drawings, in milliseconds. */
const every = 100;

/** Line styles replace the page's patterns, so that colour is not the only channel. */
const lines: Record<Pattern, { readonly style: string; readonly width: string }> = {
  solid: { style: 'solid', width: '2px' },
  rising: { style: 'dashed', width: '2px' },
  dots: { style: 'dotted', width: '2px' },
  cross: { style: 'double', width: '3px' },
};

/** The colour of a palette slot. It is contributed in package.json, so that themes can change it. */
function expertColour(slot: number): vscode.ThemeColor {
  return new vscode.ThemeColor(`gander.expert${expertStyle(slot).letter}`);
}

/** Underlines each routed token in the colour of its leading expert, or as a person chose; text that an edit made stale is grey. */
export class RoutingDecorations implements vscode.Disposable {
  /** By palette slot; `quiet` is for all experts without a colour of their own. */
  readonly #bySlot = new Map<number, vscode.TextEditorDecorationType>();
  /** By strength of a measure: the stronger, the thicker the line. */
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
      // While a text is being routed, the panel shows its progress; redrawing here too would take cores from the engine.
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

/** Creates types when they are first needed, and clears those with nothing to draw. */
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

const ofLevel = (level: number) => underline(new vscode.ThemeColor('gander.measure'), 'solid', `${level}px`);

import * as vscode from 'vscode';
import { readSettings, section } from '../host/settings.js';
import { rangeOf } from '../host/texts.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { colourCount, expertStyle, type Pattern } from '../shared/palette.js';
import { tokenLeaders } from '../trace/leaders.js';
import type { Trace } from '../trace/trace.js';

/** Drawn again at most so often. Milliseconds. */
const every = 100;

/** Line styles stand in for the page's patterns: colour is not the only channel. */
const lines: Record<Pattern, { readonly style: string; readonly width: string }> = {
  solid: { style: 'solid', width: '2px' },
  rising: { style: 'dashed', width: '2px' },
  dots: { style: 'dotted', width: '2px' },
  cross: { style: 'double', width: '3px' },
};

/** The colour of expert `index` as contributed in package.json, where themes may change it. */
export function expertColour(index: number): vscode.ThemeColor {
  return new vscode.ThemeColor(`gander.expert${expertStyle(index % colourCount).letter}`);
}

/** Underlines each routed token in the colour of its leading expert; what has gone stale is dimmed and struck through. */
export class RoutingDecorations implements vscode.Disposable {
  readonly #byExpert = new Map<number, vscode.TextEditorDecorationType>();
  readonly #stale = vscode.window.createTextEditorDecorationType({
    opacity: '0.55',
    textDecoration: 'line-through',
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  readonly #leaders = new WeakMap<Trace, Int16Array>();
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
    vscode.Disposable.from(...this.#subscriptions, this.#stale, ...this.#byExpert.values()).dispose();
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
    const ranges = new Map<number, vscode.Range[]>();
    const stale: vscode.Range[] = [];
    if (readSettings().decorations) {
      for (const routed of this.store.of(editor.document.uri.toString())) {
        this.#collect(routed, editor.document, ranges);
        if (routed.stale && routed.main.trace) stale.push(rangeOf(editor.document, routed.span));
      }
    }
    for (const index of ranges.keys()) this.#typeOf(index);
    for (const [index, type] of this.#byExpert) editor.setDecorations(type, ranges.get(index) ?? []);
    editor.setDecorations(this.#stale, stale);
  }

  /** Neighbours with the same leader are one range. */
  #collect(routed: Routed, document: vscode.TextDocument, into: Map<number, vscode.Range[]>): void {
    const { trace } = routed.main;
    const spans = this.store.tokenSpans(routed.id);
    if (!trace || !spans) return;
    const leaders = this.#leadersOf(trace);
    for (let t = 0; t < trace.done;) {
      const expert = leaders[t]!;
      const start = spans.start[t]!;
      let end = spans.end[t]!;
      t++;
      if (expert < 0 || start < 0) continue;
      for (; t < trace.done && leaders[t] === expert && spans.start[t] === end; t++) end = spans.end[t]!;
      const index = expert % colourCount;
      const list = into.get(index) ?? [];
      list.push(rangeOf(document, { start, end }));
      into.set(index, list);
    }
  }

  #leadersOf(trace: Trace): Int16Array {
    let leaders = this.#leaders.get(trace);
    if (!leaders) this.#leaders.set(trace, (leaders = tokenLeaders(trace).expert));
    return leaders;
  }

  #typeOf(index: number): vscode.TextEditorDecorationType {
    let type = this.#byExpert.get(index);
    if (!type) {
      const { style, width } = lines[expertStyle(index).pattern];
      type = vscode.window.createTextEditorDecorationType({
        borderColor: expertColour(index),
        borderStyle: style,
        borderWidth: `0 0 ${width} 0`,
        rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
      });
      this.#byExpert.set(index, type);
    }
    return type;
  }
}

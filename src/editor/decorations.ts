import * as vscode from 'vscode';
import { readSettings, section } from '../host/settings.js';
import { rangeOf } from '../host/texts.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { expertStyle, type Pattern, quiet } from '../shared/palette.js';
import { sharedSites } from '../trace/access.js';
import { slotsIn } from '../trace/colours.js';
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

const quietLine = { style: 'dotted', width: '1px' };

/** The colour of a slot of the palette as contributed in package.json, where themes may change it. */
export function expertColour(slot: number): vscode.ThemeColor {
  return new vscode.ThemeColor(`gander.expert${expertStyle(slot).letter}`);
}

/** [T] the slot of each token's leading expert; undefined where none leads, or where no expert is the same in all layers. */
type TokenSlots = readonly (number | undefined)[];

function leadingSlots(trace: Trace): TokenSlots {
  // An editor has no room to say of which layer the colours are: experts of one layer alone do not colour a text.
  const sites = sharedSites(trace, { sequence: 0 });
  if (!sites) return [];
  const leaders = tokenLeaders(trace, sites).expert;
  const slots = slotsIn(trace, sites.set);
  return Array.from(leaders, (e) => (e < 0 ? undefined : slots[e]!));
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
  readonly #slots = new WeakMap<Trace, TokenSlots>();
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
    const ranges = new Map<number, vscode.Range[]>();
    const stale: vscode.Range[] = [];
    if (readSettings().decorations) {
      for (const routed of this.store.of(editor.document.uri.toString())) {
        this.#collect(routed, editor.document, ranges);
        if (routed.stale && routed.main.trace) stale.push(rangeOf(editor.document, routed.span));
      }
    }
    for (const slot of ranges.keys()) this.#typeOf(slot);
    for (const [slot, type] of this.#bySlot) editor.setDecorations(type, ranges.get(slot) ?? []);
    editor.setDecorations(this.#stale, stale);
  }

  /** Neighbours with the same leader are one range. */
  #collect(routed: Routed, document: vscode.TextDocument, into: Map<number, vscode.Range[]>): void {
    const { trace } = routed.main;
    const spans = this.store.tokenSpans(routed.id);
    if (!trace || !spans) return;
    const slots = this.#slotsOf(trace);
    const { done } = trace.sequences[0]!;
    for (let t = 0; t < done;) {
      const slot = slots[t];
      const start = spans.start[t]!;
      let end = spans.end[t]!;
      t++;
      if (slot === undefined || start < 0) continue;
      for (; t < done && slots[t] === slot && spans.start[t] === end; t++) end = spans.end[t]!;
      const list = into.get(slot) ?? [];
      list.push(rangeOf(document, { start, end }));
      into.set(slot, list);
    }
  }

  #slotsOf(trace: Trace): TokenSlots {
    let slots = this.#slots.get(trace);
    if (!slots) this.#slots.set(trace, (slots = leadingSlots(trace)));
    return slots;
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

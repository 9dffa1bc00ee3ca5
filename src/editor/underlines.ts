/** What is underlined in a document, and how. */
import type * as vscode from 'vscode';
import { readSettings } from '../host/settings.js';
import { rangeOf } from '../host/texts.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import type { ColourChoice } from '../trace/colouring.js';
import { tonesOf } from './tones.js';

interface Ranges {
  /** By slot of the palette: neighbouring tokens with the same leader are one range. */
  readonly bySlot: Map<number, vscode.Range[]>;
  /** By strength of a measure, where one was chosen. */
  readonly byLevel: Map<number, vscode.Range[]>;
}

export interface Underlines extends Ranges {
  /** Texts that have changed since they were routed, from the change on. */
  readonly stale: readonly vscode.Range[];
}

/** @param choice what colours the text */
export function underlines(store: RoutingStore, document: vscode.TextDocument, choice: ColourChoice): Underlines {
  const ranges: Ranges = { bySlot: new Map(), byLevel: new Map() };
  const stale: vscode.Range[] = [];
  if (readSettings().decorations) {
    for (const routed of store.of(document.uri.toString())) {
      collect(store, routed, document, choice, ranges);
      const { span, fresh, main } = routed;
      if (routed.stale && main.trace) stale.push(rangeOf(document, { start: span.start + fresh, end: span.end }));
    }
  }
  return { ...ranges, stale };
}

function collect(
  store: RoutingStore,
  { id, span, fresh, main: { trace } }: Routed,
  document: vscode.TextDocument,
  choice: ColourChoice,
  { bySlot, byLevel }: Ranges,
): void {
  const spans = store.tokenSpans(id);
  if (!trace || !spans) return;
  const { slots, levels } = tonesOf(trace, choice);
  const tones = levels ?? slots ?? [];
  const into = levels ? byLevel : bySlot;
  const { done } = trace.sequences[0]!;
  for (let t = 0; t < done;) {
    const tone = tones[t];
    const start = spans.start[t]!;
    let end = spans.end[t]!;
    t++;
    if (tone === undefined || start < 0) continue;
    if (end > span.start + fresh) break;
    for (; t < done && tones[t] === tone && spans.start[t] === end && spans.end[t]! <= span.start + fresh; t++)
      end = spans.end[t]!;
    const list = into.get(tone) ?? [];
    list.push(rangeOf(document, { start, end }));
    into.set(tone, list);
  }
}

/** What is underlined in a document, and how. */
import type * as vscode from 'vscode';
import { type Colours, colourWords } from '../host/colours.js';
import { readSettings } from '../host/settings.js';
import { rangeOf } from '../host/texts.js';
import { word } from '../host/words.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { overlaid } from './overlaid.js';
import { tonesOf } from './tones.js';

type DrawnBy = Pick<Colours, 'of' | 'overlayOf'>;

interface Ranges {
  /** By palette slot; neighbouring tokens with the same leader form one range. */
  readonly bySlot: Map<number, vscode.Range[]>;
  /** By strength of a measure or a change, if one colours the text; below 0: likelier. */
  readonly byLevel: Map<number, vscode.Range[]>;
}

export interface Underlines extends Ranges {
  /** Texts that have changed since they were routed, from the change to the end. */
  readonly stale: readonly vscode.Range[];
}

export function underlines(store: RoutingStore, document: vscode.TextDocument, colours: DrawnBy): Underlines {
  const ranges: Ranges = { bySlot: new Map(), byLevel: new Map() };
  const stale: vscode.Range[] = [];
  if (readSettings().decorations) {
    for (const routed of store.of(document.uri.toString())) {
      collect(store, routed, document, colours, ranges);
      const { span, fresh, main } = routed;
      if (routed.stale && main.trace) stale.push(rangeOf(document, { start: span.start + fresh, end: span.end }));
    }
  }
  return { ...ranges, stale };
}

/** What underlines a routed range, in a few words; undefined for the leading experts of a pool without an overlay. */
export function drawnBy(routed: Routed, colours: DrawnBy): string | undefined {
  const { main, other, id } = routed;
  const overlay = colours.overlayOf(id);
  const chosen = main.trace && colourWords(main.trace, colours.of(routed));
  if (overlay === '') return chosen;
  // The panel shows an overlay that the editor cannot, so say what is drawn here instead.
  if (!overlaid(routed, overlay)) return chosen ?? word('colour_leader');
  if (overlay === 'attribution') return word('colour_attribution');
  return word(other?.trace ? 'colour_change' : 'colour_changed');
}

function collect(
  store: RoutingStore,
  routed: Routed,
  document: vscode.TextDocument,
  colours: DrawnBy,
  { bySlot, byLevel }: Ranges,
): void {
  const { id, span, fresh } = routed;
  const { trace } = routed.main;
  const spans = store.tokenSpans(id);
  if (!trace || !spans) return;
  const { slots, levels } = overlaid(routed, colours.overlayOf(id)) ?? tonesOf(trace, colours.of(routed));
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

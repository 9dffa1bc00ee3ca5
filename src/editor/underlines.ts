/** What is underlined in a document, and in the colour of which slot of the palette. */
import type * as vscode from 'vscode';
import { readSettings } from '../host/settings.js';
import { rangeOf } from '../host/texts.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { sharedSites } from '../trace/access.js';
import { slotsIn } from '../trace/colours.js';
import { tokenLeaders } from '../trace/leaders.js';
import type { Trace } from '../trace/trace.js';

export interface Underlines {
  /** Neighbouring tokens with the same leader are one range. */
  readonly bySlot: ReadonlyMap<number, readonly vscode.Range[]>;
  /** Texts that have changed since they were routed. */
  readonly stale: readonly vscode.Range[];
}

export function underlines(store: RoutingStore, document: vscode.TextDocument): Underlines {
  const bySlot = new Map<number, vscode.Range[]>();
  const stale: vscode.Range[] = [];
  if (readSettings().decorations) {
    for (const routed of store.of(document.uri.toString())) {
      collect(store, routed, document, bySlot);
      if (routed.stale && routed.main.trace) stale.push(rangeOf(document, routed.span));
    }
  }
  return { bySlot, stale };
}

function collect(
  store: RoutingStore,
  { id, main: { trace } }: Routed,
  document: vscode.TextDocument,
  into: Map<number, vscode.Range[]>,
): void {
  const spans = store.tokenSpans(id);
  if (!trace || !spans) return;
  const slots = slotsOf(trace);
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

/** [T] the slot of each token's leading expert; undefined where none leads, or where no expert is the same in all layers. */
type TokenSlots = readonly (number | undefined)[];

const known = new WeakMap<Trace, TokenSlots>();

function slotsOf(trace: Trace): TokenSlots {
  let slots = known.get(trace);
  if (!slots) known.set(trace, (slots = leadingSlots(trace)));
  return slots;
}

function leadingSlots(trace: Trace): TokenSlots {
  // An editor has no room to say of which layer the colours are: experts of one layer alone do not colour a text.
  const sites = sharedSites(trace, { sequence: 0 });
  if (!sites) return [];
  const leaders = tokenLeaders(trace, sites).expert;
  const slots = slotsIn(trace, sites.set);
  return Array.from(leaders, (e) => (e < 0 ? undefined : slots[e]!));
}

import * as vscode from 'vscode';
import type { Command } from './parts.js';
import { target } from './target.js';

/**
 * Opens the panel of the range under the cursor; where nothing was routed, routes first. A hover's link names a range and a
 * token of it instead.
 */
export const openPanel: Command = {
  id: 'gander.openPanel',
  async run(parts, id, at) {
    const named = typeof id === 'number' ? parts.store.get(id) : undefined;
    const routed = named ?? parts.desk.current();
    if (!routed) return vscode.commands.executeCommand('gander.routeSelection');
    const spans = named && parts.store.tokenSpans(named.id);
    const start = typeof at === 'number' ? (spans?.start[at] ?? -1) : -1;
    // By the caret a page that is new finds its token.
    if (start >= 0) parts.mark.show(routed.uri, { start, end: spans!.end[at as number]! });
    const { page, scene } = parts.panels.show(routed, false);
    // A new page asks for it by itself.
    const token = scene.token();
    if (token !== undefined) page.post({ type: 'select', token });
    return undefined;
  },
};

export const pinPanel: Command = {
  id: 'gander.pinPanel',
  run(parts) {
    const routed = target(parts);
    parts.panels.togglePin(parts.panels.find(routed.id) ?? parts.panels.show(routed));
  },
};

/** Stops a run that takes too long. */
export const stop: Command = {
  id: 'gander.stop',
  run(parts) {
    parts.runs.stop(target(parts).id);
  },
};

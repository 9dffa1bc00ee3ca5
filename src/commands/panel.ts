import * as vscode from 'vscode';
import type { Command } from './parts.js';
import { target } from './target.js';

/**
 * Opens the panel of the range under the cursor, and routes first if nothing was routed. The link in a hover gives the range and
 * a token instead.
 */
export const openPanel: Command = {
  id: 'gander.openPanel',
  async run(parts, id, at) {
    const named = typeof id === 'number' ? parts.store.get(id) : undefined;
    const routed = named ?? parts.desk.current();
    if (!routed) return vscode.commands.executeCommand('gander.routeSelection');
    const spans = named && parts.store.tokenSpans(named.id);
    const start = typeof at === 'number' ? (spans?.start[at] ?? -1) : -1;
    // A new page finds its token by this mark.
    if (start >= 0) parts.mark.show(routed.uri, { start, end: spans!.end[at as number]! });
    const { page, scene } = parts.panels.show(routed, false);
    // For a page that is already open; a new one asks by itself.
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

import * as vscode from 'vscode';
import { GanderError } from '../errors/errors.js';
import type { Command } from './services.js';
import { target } from './target.js';

/**
 * Opens the panel of the range under the cursor, and routes first if nothing was routed. The link in a hover gives the range and
 * a token instead.
 */
export const openPanel: Command = {
  id: 'gander.openPanel',
  async run(services, id, at) {
    const named = typeof id === 'number' ? services.store.get(id) : undefined;
    const routed = named ?? services.documentRouter.current();
    if (!routed) return vscode.commands.executeCommand('gander.routeSelection');
    const spans = named && services.store.tokenSpans(named.id);
    const start = typeof at === 'number' ? (spans?.start[at] ?? -1) : -1;
    // A new page finds its token by this mark.
    if (start >= 0) services.mark.show(routed.uri, { start, end: spans!.end[at as number]! });
    const { page, scene } = services.panels.show(routed, false);
    // For a page that is already open; a new one asks by itself.
    const token = scene.token();
    if (token !== undefined) page.post({ type: 'select', token });
    return undefined;
  },
};

export const pinPanel: Command = {
  id: 'gander.pinPanel',
  run(services) {
    const { panels } = services;
    panels.pin(panels.active ?? panels.following ?? panels.show(target(services)), true);
  },
};

/** Of the panel that has the focus, or else of the pinned one that was opened last. */
export const unpinPanel: Command = {
  id: 'gander.unpinPanel',
  run({ panels }) {
    const open = panels.active ?? panels.pinned.at(-1);
    if (open) panels.pin(open, false);
    else
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('No routing panel is pinned.'),
        vscode.l10n.t('The open one follows the editor already.'),
      );
  },
};

/** Stops a run that takes too long. */
export const stop: Command = {
  id: 'gander.stop',
  run(services) {
    services.runs.stop(target(services).id);
  },
};

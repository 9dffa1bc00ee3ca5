import * as vscode from 'vscode';
import type { Command } from './parts.js';
import { target } from './target.js';

/** Opens the panel of the range under the cursor; where nothing was routed, routes first. */
export const openPanel: Command = {
  id: 'gander.openPanel',
  async run(parts) {
    const routed = parts.desk.current();
    if (!routed) return vscode.commands.executeCommand('gander.routeSelection');
    const { page, scene } = parts.panels.show(routed, false);
    // A page that is new asks for it itself.
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

/** What a run takes too long for. */
export const stop: Command = {
  id: 'gander.stop',
  run(parts) {
    parts.runs.stop(target(parts).id);
  },
};

import * as vscode from 'vscode';
import type { Command } from './services.js';

/** Explains the panel on a routed text; if nothing has been routed, on the sample. */
export const takeTour: Command = {
  id: 'gander.takeTour',
  async run({ panels, documentRouter, traces }) {
    if (!panels.active && traces.active) {
      traces.active.page.startTour();
      return;
    }
    let routed = panels.active?.scene.routed ?? documentRouter.current();
    if (!routed) {
      const sample = vscode.l10n.t('Open a Sample and Route It');
      const chosen = await vscode.window.showInformationMessage(
        vscode.l10n.t('The tour explains a routed text, and nothing has been routed yet.'),
        sample,
      );
      if (chosen !== sample) return;
      await vscode.commands.executeCommand('gander.openSample');
      await vscode.commands.executeCommand('gander.routeSelection');
      routed = documentRouter.current();
    }
    if (routed) panels.show(routed, false).page.startTour();
  },
};

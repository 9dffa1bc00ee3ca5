import * as vscode from 'vscode';
import { withPatientProgress } from './progress.js';
import { section } from '../host/settings.js';
import { asking } from './asking.js';
import type { Command } from './parts.js';
import { pickStrategy } from './pick.js';

/** Runs the current range under another strategy. If nothing has been routed yet, the strategy becomes the setting. */
export const chooseStrategy: Command = {
  id: 'gander.chooseStrategy',
  async run(parts) {
    const routed = parts.panels.active?.scene.routed ?? parts.desk.current();
    const source = await parts.service.describe();
    const strategy = await asking((ask) => pickStrategy(ask, source, routed?.main.strategy, vscode.l10n.t('Strategy')));
    if (!strategy) return;
    if (!routed) {
      const settings = vscode.workspace.getConfiguration(section);
      await settings.update('strategy', strategy.name, vscode.ConfigurationTarget.Global);
      return;
    }
    parts.panels.show(routed);
    await withPatientProgress(parts, vscode.l10n.t('Routing'), ({ signal }) =>
      parts.runs.route(routed.id, 'main', strategy, routed.main.interventions, { signal }),
    );
  },
};

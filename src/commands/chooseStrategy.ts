import * as vscode from 'vscode';
import { withPatientProgress } from './progress.js';
import { section } from '../host/settings.js';
import { asking } from './asking.js';
import type { Command } from './services.js';
import { pickStrategy } from './pick.js';

/** Runs the current range under another strategy. If nothing has been routed yet, the strategy becomes the setting. */
export const chooseStrategy: Command = {
  id: 'gander.chooseStrategy',
  async run(services) {
    const routed = services.panels.active?.scene.routed ?? services.documentRouter.current();
    const source = await services.service.describe();
    const strategy = await asking((ask) => pickStrategy(ask, source, routed?.main.strategy, vscode.l10n.t('Strategy')));
    if (!strategy) return;
    if (!routed) {
      const settings = vscode.workspace.getConfiguration(section);
      await settings.update('strategy', strategy.name, vscode.ConfigurationTarget.Global);
      return;
    }
    services.panels.show(routed);
    await withPatientProgress(services, vscode.l10n.t('Routing'), ({ signal }) =>
      services.runs.route(routed.id, 'main', strategy, routed.main.interventions, { signal }),
    );
  },
};

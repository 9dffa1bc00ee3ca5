import * as vscode from 'vscode';
import { withPatientProgress } from './progress.js';
import type { Command } from './services.js';
import { target } from './target.js';

export const attribute: Command = {
  id: 'gander.attribute',
  async run(services) {
    const routed = target(services);
    services.panels.show(routed);
    return withPatientProgress(
      services,
      vscode.l10n.t('Attributing: each expert is knocked out in turn'),
      ({ signal }) => services.runs.attribute(routed.id, { signal }),
    );
  },
};

import * as vscode from 'vscode';
import { withPatientProgress } from './progress.js';
import type { Command } from './parts.js';
import { target } from './target.js';

export const attribute: Command = {
  id: 'gander.attribute',
  async run(parts) {
    const routed = target(parts);
    parts.panels.show(routed);
    return withPatientProgress(parts, vscode.l10n.t('Attributing: each expert is knocked out in turn'), ({ signal }) =>
      parts.runs.attribute(routed.id, { signal }),
    );
  },
};

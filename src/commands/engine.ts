import * as vscode from 'vscode';
import type { Command } from './parts.js';

export const restartEngine: Command = {
  id: 'gander.restartEngine',
  async run({ engines }) {
    engines.restart();
    // Started at once, so that what is wrong shows now.
    await engines.engine.info();
    vscode.window.setStatusBarMessage(vscode.l10n.t('Gander: engine restarted'), 3000);
  },
};

export const showLog: Command = {
  id: 'gander.showLog',
  run: ({ log }) => log.show(),
};

import * as vscode from 'vscode';
import type { Command } from './services.js';

export const restartEngine: Command = {
  id: 'gander.restartEngine',
  async run({ engines }) {
    await engines.restart();
    vscode.window.setStatusBarMessage(vscode.l10n.t('Gander: engine restarted'), 3000);
  },
};

export const showLog: Command = {
  id: 'gander.showLog',
  run: ({ log }) => log.show(),
};

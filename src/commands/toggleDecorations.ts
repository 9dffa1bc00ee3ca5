import * as vscode from 'vscode';
import { readSettings, section } from '../host/settings.js';
import type { Command } from './services.js';

export const toggleDecorations: Command = {
  id: 'gander.toggleDecorations',
  async run() {
    const settings = vscode.workspace.getConfiguration(section);
    await settings.update('decorations', !readSettings().decorations, vscode.ConfigurationTarget.Global);
  },
};

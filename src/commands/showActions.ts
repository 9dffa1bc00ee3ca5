import * as vscode from 'vscode';
import type { Command } from './services.js';

/** The actions that the status bar offers. */
export const showActions: Command = {
  id: 'gander.showActions',
  async run({ documentRouter, store }) {
    const routed = documentRouter.current();
    const items: (vscode.QuickPickItem & { readonly command: string })[] = [
      { label: vscode.l10n.t('$(play) Route Selection'), command: 'gander.routeSelection' },
      ...(routed
        ? [
            { label: vscode.l10n.t('$(open-preview) Open Routing Panel'), command: 'gander.openPanel' },
            { label: vscode.l10n.t('$(settings) Choose Strategy…'), command: 'gander.chooseStrategy' },
            { label: vscode.l10n.t('$(history) Run History…'), command: 'gander.history' },
            { label: vscode.l10n.t('$(save) Save Trace…'), command: 'gander.saveTrace' },
            ...(routed.main.trace
              ? [{ label: vscode.l10n.t('$(symbol-color) Colour Text By…'), command: 'gander.colourBy' }]
              : []),
          ]
        : []),
      ...(store.latest?.main.running ? [{ label: vscode.l10n.t('$(debug-stop) Stop'), command: 'gander.stop' }] : []),
      { label: vscode.l10n.t('$(eye) Toggle Decorations'), command: 'gander.toggleDecorations' },
      { label: vscode.l10n.t('$(map) Make Atlas…'), command: 'gander.makeAtlas' },
      { label: vscode.l10n.t('$(map) Open Atlas…'), command: 'gander.openAtlas' },
      { label: vscode.l10n.t('$(type-hierarchy) Choose Model…'), command: 'gander.choosePool' },
      { label: vscode.l10n.t('$(folder-opened) Open Model…'), command: 'gander.openModel' },
      { label: vscode.l10n.t('$(remote) Connect to Engine…'), command: 'gander.connectEngine' },
      { label: vscode.l10n.t('$(debug-restart) Restart Engine'), command: 'gander.restartEngine' },
      { label: vscode.l10n.t('$(output) Show Log'), command: 'gander.showLog' },
      { label: vscode.l10n.t('$(mortar-board) Take the Tour'), command: 'gander.takeTour' },
      { label: vscode.l10n.t('$(mortar-board) Open Walkthrough'), command: 'gander.openWalkthrough' },
    ];
    const chosen = await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Gander') });
    if (chosen) await vscode.commands.executeCommand(chosen.command);
  },
};

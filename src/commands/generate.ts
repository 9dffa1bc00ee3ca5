import * as vscode from 'vscode';
import { withPatientProgress } from './progress.js';
import type { Command } from './services.js';
import { target } from './target.js';

const most = 2000;

export const generate: Command = {
  id: 'gander.generate',
  async run(services) {
    const routed = target(services);
    const answer = await vscode.window.showInputBox({
      title: vscode.l10n.t('Generate'),
      prompt: vscode.l10n.t('How many tokens to continue the text by'),
      value: '32',
      validateInput: (value) =>
        /^\d+$/.test(value) && Number(value) >= 1 && Number(value) <= most
          ? undefined
          : vscode.l10n.t('A whole number from 1 to {0}.', most),
    });
    if (answer === undefined) return;
    services.panels.show(routed);
    await withPatientProgress(services, vscode.l10n.t('Generating'), ({ signal }) =>
      services.runs.generate(routed.id, { maxTokens: Number(answer), temperature: 0 }, { signal }),
    );
  },
};

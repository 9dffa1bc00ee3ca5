import * as vscode from 'vscode';
import { translated } from '../host/description.js';
import type { Command } from './services.js';
import { withPatientProgress } from './progress.js';

/** The similarity of all pairs of the pool's experts. */
export const compareExperts: Command = {
  id: 'gander.compareExperts',
  async run(services) {
    const { engines, service, similarity } = services;
    const { name, can } = translated(await service.describe());
    if (can.similarity !== true) {
      offerAtlas(can.similarity.reason);
      return;
    }
    const { engine } = engines;
    const found = await withPatientProgress(
      services,
      vscode.l10n.t('Comparing the experts'),
      ({ signal, report: onProgress }) => engine.similarity({}, { signal, onProgress }),
    );
    similarity.show({ type: 'similarity', name, similarity: found });
  },
};

/** No error: there is nothing to compare in such a model, and something else says what its experts do. */
function offerAtlas(reason: string): void {
  const open = vscode.l10n.t('Open Atlas');
  const choose = vscode.l10n.t('Choose Model');
  const remedy = vscode.l10n.t('An atlas shows what each of them is chosen for; a pool of experts can be compared.');
  void vscode.window.showInformationMessage(`${reason} ${remedy}`, open, choose).then((chosen) => {
    if (chosen === open) void vscode.commands.executeCommand('gander.openAtlas');
    if (chosen === choose) void vscode.commands.executeCommand('gander.choosePool');
  });
}

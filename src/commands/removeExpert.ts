import * as vscode from 'vscode';
import { GanderError } from '../shared/errors.js';
import type { Command } from './parts.js';
import { asking } from './asking.js';
import { asNode, pickExpert } from './pick.js';

/** Removing an expert is removing its folder. */
export const removeExpert: Command = {
  id: 'gander.removeExpert',
  async run({ service, engines }, arg) {
    const pool = await service.pool();
    const node = asNode(arg);
    const id =
      node?.kind === 'expert'
        ? node.expert.id
        : await asking((ask) => pickExpert(ask, pool, vscode.l10n.t('Remove which expert?')));
    const expert = pool.experts.find((one) => one.id === id);
    if (!expert) return;
    if (engines.pool === engines.bundledPool) {
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('The bundled pool stays as it is.'),
        vscode.l10n.t('Knock the expert out, or choose a pool of your own.'),
      );
    }
    const remove = vscode.l10n.t('Remove');
    const chosen = await vscode.window.showWarningMessage(
      vscode.l10n.t('Remove the expert {0}?', expert.name),
      { modal: true, detail: vscode.l10n.t('Its folder {0} is deleted.', expert.folder) },
      remove,
    );
    if (chosen !== remove) return;
    const folder = vscode.Uri.file(expert.folder);
    try {
      await vscode.workspace.fs.delete(folder, { recursive: true, useTrash: true });
    } catch {
      // No trash on this machine or file system.
      await vscode.workspace.fs.delete(folder, { recursive: true });
    }
    engines.reload();
  },
};

import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { ExpertInfo } from '../requests/api.js';
import { GanderError } from '../errors/errors.js';
import { unpin } from '../travel/lock.js';
import type { Command } from './services.js';
import { asking } from './asking.js';
import { asNode, pickExpert } from './pick.js';

/** Moves an expert's folder out of the pool; nothing is deleted for good. */
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
        vscode.l10n.t('The bundled pool cannot be changed.'),
        vscode.l10n.t('Knock the expert out, or choose a pool of your own.'),
      );
    }
    const remove = vscode.l10n.t('Remove');
    const chosen = await vscode.window.showWarningMessage(
      vscode.l10n.t('Remove the expert {0}?', expert.name),
      { modal: true, detail: vscode.l10n.t('Its folder {0} is moved to the trash.', expert.folder) },
      remove,
    );
    if (chosen !== remove) return;
    const aside = await discard(engines.pool, expert);
    await unpin(engines.pool, expert.id);
    engines.reload();
    if (aside !== undefined)
      void vscode.window.showInformationMessage(
        vscode.l10n.t('There is no trash for {0}, so its folder is now in {1}.', expert.name, aside),
      );
  },
};

/** Moves the expert's folder to the trash or, if there is none, out of the pool; returns where it is then. */
async function discard(pool: string, { id, folder }: ExpertInfo): Promise<string | undefined> {
  try {
    await vscode.workspace.fs.delete(vscode.Uri.file(folder), { recursive: true, useTrash: true });
    return undefined;
  } catch {
    const aside = path.join(pool, 'removed', `${id} ${new Date().toISOString().replaceAll(':', '-')}`);
    try {
      await mkdir(path.dirname(aside), { recursive: true });
      await rename(folder, aside);
      return aside;
    } catch (cause) {
      throw new GanderError(
        'io',
        vscode.l10n.t('The expert {0} could be moved neither to the trash nor to {1}.', id, path.dirname(aside)),
        vscode.l10n.t('Its folder is unchanged: {0}', folder),
        { cause },
      );
    }
  }
}

import * as vscode from 'vscode';
import { section } from '../host/settings.js';
import { GanderError } from '../shared/errors.js';
import type { Command, Parts } from './parts.js';

/** What an expert's folder must hold (docs/pool-format.md). */
const needed = ['adapter_config.json', 'adapter_model.safetensors', 'gate.safetensors'];

/** Adding an expert is adding its folder to the pool. */
export const addExpert: Command = {
  id: 'gander.addExpert',
  async run(parts) {
    const picked = await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      title: vscode.l10n.t('Folder of the expert'),
      openLabel: vscode.l10n.t('Add Expert'),
    });
    const from = picked?.[0];
    if (from) await addFrom(parts, from);
  },
};

export async function addFrom(parts: Parts, from: vscode.Uri): Promise<void> {
  await check(from);
  const pool = await writablePool(parts);
  if (!pool) return;
  const { experts } = JSON.parse(
    new TextDecoder().decode(await vscode.workspace.fs.readFile(vscode.Uri.joinPath(pool, 'pool.json'))),
  ) as {
    readonly experts?: unknown;
  };
  const id = from.path.split('/').findLast((part) => part !== '')!;
  const to = vscode.Uri.joinPath(pool, typeof experts === 'string' ? experts : 'experts', id);
  if (await exists(to)) {
    throw new GanderError(
      'expert-invalid',
      vscode.l10n.t('The pool already has an expert {0}.', id),
      vscode.l10n.t('Rename the folder or remove the other expert first.'),
    );
  }
  await vscode.workspace.fs.copy(from, to);
  parts.engines.reload();
  const { warnings } = await parts.service.pool();
  const about = warnings.find((warning) => warning.includes(id));
  if (about === undefined)
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Added the expert {0}. Route again to see what it takes.', id),
    );
  else void vscode.window.showWarningMessage(about);
}

async function check(folder: vscode.Uri): Promise<void> {
  for (const name of needed) {
    if (await exists(vscode.Uri.joinPath(folder, name))) continue;
    throw new GanderError(
      'expert-invalid',
      vscode.l10n.t('{0} is no expert: it has no {1}.', folder.fsPath, name),
      vscode.l10n.t("Choose a folder with PEFT's adapter files and a gate.safetensors."),
    );
  }
}

/** The bundled pool goes with the next update of the extension: what a person adds must lie elsewhere. */
async function writablePool({ engines, context }: Parts): Promise<vscode.Uri | undefined> {
  if (engines.pool !== engines.bundledPool) return vscode.Uri.file(engines.pool);
  const copy = vscode.l10n.t('Copy Pool');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('The bundled pool is replaced when Gander is updated.'),
    { modal: true, detail: vscode.l10n.t('Gander can copy it to its own storage and add the expert there.') },
    copy,
  );
  if (chosen !== copy) return undefined;
  const target = vscode.Uri.joinPath(context.globalStorageUri, 'pools', 'my-pool');
  if (!(await exists(target))) await vscode.workspace.fs.copy(vscode.Uri.file(engines.bundledPool), target);
  await vscode.workspace.getConfiguration(section).update('pool', target.fsPath, vscode.ConfigurationTarget.Global);
  return target;
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}

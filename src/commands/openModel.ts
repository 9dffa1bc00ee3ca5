import * as vscode from 'vscode';
import { GanderError } from '../errors/errors.js';
import type { Command, Parts } from './parts.js';
import { usePool } from './pools.js';

/** One of these lies in every folder that can be opened; what is in it the engine reads. */
const marks = ['pool.json', 'config.json', 'genai_config.json', 'model.onnx'];

/** A mixture of experts from wherever it lies, in the place of a pool. */
export const openModel: Command = {
  id: 'gander.openModel',
  run: openFolder,
};

/** A pool's folder does as well. */
export async function openFolder({ service }: Parts): Promise<void> {
  // Where one dialog cannot show both, it is one for folders.
  const picked = await vscode.window.showOpenDialog({
    canSelectFiles: true,
    canSelectFolders: true,
    filters: { ONNX: ['onnx'] },
    title: vscode.l10n.t('Folder of the pool or model'),
    openLabel: vscode.l10n.t('Open Model'),
  });
  if (!picked?.[0]) return;
  await checkModel(picked[0]);
  await usePool(picked[0].fsPath);
  // Told at once by the status bar, what is wrong with it too.
  await service.describe();
}

async function checkModel(chosen: vscode.Uri): Promise<void> {
  if (chosen.path.endsWith('.onnx')) return;
  const there = await Promise.all(
    marks.map((name) =>
      vscode.workspace.fs.stat(vscode.Uri.joinPath(chosen, name)).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (there.includes(true)) return;
  throw new GanderError(
    'model-missing',
    vscode.l10n.t('{0} is no model: it has no model.onnx, no config.json and no pool.json.', chosen.fsPath),
    vscode.l10n.t('Choose the folder that holds model.onnx, or export the model (gander-training export-moe).'),
  );
}

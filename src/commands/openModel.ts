import { existsSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import { GanderError } from '../errors/errors.js';
import { baseOf, isXLora } from '../travel/base.js';
import type { Command, Services } from './services.js';
import { usePool } from './pools.js';

/** Every folder that can be opened contains one of these; the engine reads the rest. */
const marks = ['pool.json', 'config.json', 'genai_config.json', 'model.onnx'];

/** Opens a mixture of experts from any folder, instead of a pool. */
export const openModel: Command = {
  id: 'gander.openModel',
  run: openFolder,
};

/** Also opens the folder of a pool. */
export async function openFolder({ service }: Services): Promise<void> {
  // Where a dialog cannot offer both files and folders, VS Code offers folders.
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
  // Opens the model now, so that the status bar shows it and any problems with it.
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
  // Its base may be in the same folder.
  if (!there[0] && (await isXLora(chosen.fsPath)))
    throw new GanderError(
      'model-missing',
      vscode.l10n.t(
        '{0} is an X-LoRA model of PEFT, which cannot be opened as it is: only PEFT knows the order of the modules that it scales.',
        chosen.fsPath,
      ),
      vscode.l10n.t(
        'Make a pool of it, its adapters and its base: gander-training import-xlora "{0}" --base BASE --out POOL.',
        chosen.fsPath,
      ),
    );
  if (there.includes(true)) return;
  if (existsSync(path.join(chosen.fsPath, 'adapter_config.json'))) {
    const { name } = await baseOf(chosen.fsPath);
    throw new GanderError(
      'model-missing',
      vscode.l10n.t(
        '{0} is a PEFT adapter for {1}, not a model.',
        chosen.fsPath,
        name ?? vscode.l10n.t('another model'),
      ),
      vscode.l10n.t(
        'If its base is a mixture of experts, export both together: gander-training export-moe BASE OUT --adapter ADAPTER. Otherwise add it to a pool on the same base.',
      ),
    );
  }
  throw new GanderError(
    'model-missing',
    vscode.l10n.t('{0} is not a model: it has no model.onnx, no config.json and no pool.json.', chosen.fsPath),
    vscode.l10n.t('Choose the folder that holds model.onnx, or export the model (gander-training export-moe).'),
  );
}

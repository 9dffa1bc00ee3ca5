import path from 'node:path';
import * as vscode from 'vscode';
import type { PoolInfo } from '../requests/api.js';
import { GanderError } from '../errors/errors.js';

/** Shows the README.md in a model's own folder, rendered: the card of a mixture, whose experts have none of their own. */
export async function openModelCard(folder: string): Promise<void> {
  const card = vscode.Uri.file(path.join(folder, 'README.md'));
  await Promise.resolve(vscode.workspace.fs.stat(card)).catch((cause: unknown) => {
    throw new GanderError(
      'request-invalid',
      vscode.l10n.t('The model in {0} has no model card.', folder),
      vscode.l10n.t('Put a README.md into its folder.'),
      { cause },
    );
  });
  await vscode.commands.executeCommand('markdown.showPreview', card);
}

/** Shows an expert's model card, rendered. */
export async function openCard(pool: PoolInfo, expertId: string): Promise<void> {
  const card = pool.experts.find(({ id }) => id === expertId)?.card;
  if (!card) {
    throw new GanderError(
      'request-invalid',
      vscode.l10n.t('The expert {0} has no model card.', expertId),
      vscode.l10n.t("Put a README.md into the expert's folder."),
    );
  }
  await vscode.commands.executeCommand('markdown.showPreview', vscode.Uri.file(card));
}

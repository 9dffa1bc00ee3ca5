import * as vscode from 'vscode';
import type { PoolInfo } from '../requests/api.js';
import { GanderError } from '../errors/errors.js';

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

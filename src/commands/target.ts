import * as vscode from 'vscode';
import type { Node } from '../explorer/nodes.js';
import type { Routed } from '../routing/store.js';
import { GanderError } from '../errors/errors.js';
import type { Services } from './services.js';

/**
 * The range that a command works on: that of the focused panel, or the one under the cursor, or the last one.
 * @param node of the expert tree, if the command was called there: then the range that the tree is about
 */
export function target({ panels, documentRouter, tree }: Services, node?: Node): Routed {
  const routed = node ? tree.routed : (panels.active?.scene.routed ?? documentRouter.current());
  if (routed && !routed.main.isOpening) return routed;
  if (routed?.main.running)
    throw new GanderError(
      'request-invalid',
      vscode.l10n.t('The model is still being loaded.'),
      vscode.l10n.t('Try again when the first tokens have been routed.'),
    );
  throw nothingRouted();
}

export function nothingRouted(): GanderError {
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('Nothing has been routed yet.'),
    vscode.l10n.t('Open a text and run Gander: Route Selection.'),
  );
}

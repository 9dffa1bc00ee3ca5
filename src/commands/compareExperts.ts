import * as vscode from 'vscode';
import type { Command } from './parts.js';
import { withPatientProgress } from './progress.js';

/** How alike the pool's experts are, two by two. */
export const compareExperts: Command = {
  id: 'gander.compareExperts',
  async run(parts) {
    const { engines, similarity } = parts;
    // What runs a model at another address has no experts here.
    const { engine } = engines;
    const found = await withPatientProgress(
      parts,
      vscode.l10n.t('Comparing the experts'),
      ({ signal, report: onProgress }) => engine.similarity({}, { signal, onProgress }),
    );
    similarity.show({ type: 'similarity', name: (await engine.info()).name, similarity: found });
  },
};

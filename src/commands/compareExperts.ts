import * as vscode from 'vscode';
import type { Command } from './services.js';
import { withPatientProgress } from './progress.js';

/** The similarity of all pairs of the pool's experts. */
export const compareExperts: Command = {
  id: 'gander.compareExperts',
  async run(services) {
    const { engines, similarity } = services;
    // Throws if a server runs the model, because its experts are not on this machine.
    const { engine } = engines;
    const found = await withPatientProgress(
      services,
      vscode.l10n.t('Comparing the experts'),
      ({ signal, report: onProgress }) => engine.similarity({}, { signal, onProgress }),
    );
    similarity.show({ type: 'similarity', name: (await engine.info()).name, similarity: found });
  },
};

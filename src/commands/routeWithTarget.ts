import * as vscode from 'vscode';
import { activeEditor, rangeOf, spansToRoute } from '../host/texts.js';
import { outputFor } from '../host/documentRouter.js';
import { GanderError } from '../errors/errors.js';
import type { Command } from './services.js';
import { withPatientProgress } from './progress.js';
import { noEditor } from './routeSelection.js';

/** The first selection is the input of an encoder-decoder, the second its output; without a second, the output is asked for. */
export const routeWithTarget: Command = {
  id: 'gander.routeWithTarget',
  async run(services) {
    const editor = await activeEditor();
    if (!editor) throw noEditor();
    const { document } = editor;
    // Before the person writes an output, check that the model takes one.
    outputFor(await services.service.describe(), '');
    const [span, second, ...more] = spansToRoute(editor);
    if (!span || more.length > 0)
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('More than two texts are selected.'),
        vscode.l10n.t('Select the input alone, or the input and the target.'),
      );
    const target = second ? document.getText(rangeOf(document, second)) : await ask();
    if (target === undefined) return;
    let id: number | undefined;
    try {
      await withPatientProgress(services, vscode.l10n.t('Routing'), ({ signal, report: onProgress }) =>
        services.documentRouter.route(document, span, {
          target,
          signal,
          onProgress,
          onAdded: (routed) => {
            ({ id } = routed);
            services.panels.show(routed);
          },
        }),
      );
    } catch (error) {
      // A visible panel shows the error itself.
      const isTold =
        id !== undefined && services.panels.isShown(id) && services.store.get(id)?.main.error !== undefined;
      if (!isTold) throw error;
      services.log.error(String(error));
    }
  },
};

function ask(): Thenable<string | undefined> {
  return vscode.window.showInputBox({
    title: vscode.l10n.t('Route With Target'),
    prompt: vscode.l10n.t('The output: what the decoder reads after its first token'),
    ignoreFocusOut: true,
  });
}

import * as vscode from 'vscode';
import { report } from '../host/notify.js';
import { withPatientProgress } from './progress.js';
import { activeEditor, editorsOf, spansToRoute } from '../host/texts.js';
import type { Span } from '../routing/positions.js';
import type { Routed } from '../routing/store.js';
import { GanderError } from '../errors/errors.js';
import type { Command, Services } from './services.js';

export const routeSelection: Command = {
  id: 'gander.routeSelection',
  async run(services) {
    // While the panel has the focus, the text that it shows.
    const shown = services.panels.active?.scene.routed;
    const editor = (shown && editorsOf(shown.uri)[0]) ?? (await activeEditor());
    if (!editor) throw noEditor();
    const { document } = editor;
    const { done, failure } = await routeAll(services, document, spansToRoute(editor));
    if (!failure) return done;
    const { error, span, id } = failure;
    if (error.code !== 'text-too-long') throw error;
    // A visible panel says so itself, with a button for it.
    if (id === undefined || !services.panels.isShown(id)) offerFirstPart(services, document, span, error);
    return undefined;
  },
};

interface Failure {
  readonly error: GanderError;
  readonly span: Span;
  /** Of the range, if it was added to the store. */
  readonly id: number | undefined;
}

interface Outcome {
  readonly done: readonly Routed[];
  /** The first failure. */
  readonly failure: Failure | undefined;
}

/** Routes the spans one after the other, and the panel shows each. If one fails, the others are still routed. */
function routeAll(services: Services, document: vscode.TextDocument, spans: readonly Span[]): Promise<Outcome> {
  return withPatientProgress(services, vscode.l10n.t('Routing'), async ({ signal, report: onProgress }) => {
    const done: Routed[] = [];
    let failure: Failure | undefined;
    for (const span of spans) {
      let id: number | undefined;
      const onAdded = (routed: Routed) => {
        ({ id } = routed);
        services.panels.show(routed);
      };
      try {
        done.push(await services.documentRouter.route(document, span, { signal, onProgress, onAdded }));
      } catch (thrown) {
        const error = GanderError.from(thrown);
        if (error.code === 'cancelled') throw error;
        failure ??= { error, span, id };
      }
    }
    return { done, failure };
  });
}

function offerFirstPart(services: Services, document: vscode.TextDocument, span: Span, error: GanderError): void {
  const first = vscode.l10n.t('Route First Part');
  // Not awaited: this command is done, and the person's answer starts something new.
  void vscode.window.showErrorMessage(`${error.message} ${error.remedy}`, first).then(async (chosen) => {
    if (chosen !== first) return;
    try {
      await withPatientProgress(services, vscode.l10n.t('Routing'), ({ signal, report: onProgress }) =>
        services.documentRouter.routeFirstPart(document, span, {
          signal,
          onProgress,
          onAdded: (routed) => services.panels.show(routed),
        }),
      );
    } catch (thrown) {
      report(thrown, services.log);
    }
  });
}

export function noEditor(): GanderError {
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('No text editor has the focus.'),
    vscode.l10n.t('Open a text file, click into it, then run Route Selection again.'),
  );
}

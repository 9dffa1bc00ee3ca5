import * as vscode from 'vscode';
import { report } from '../host/notify.js';
import { type Progress, withPatientProgress } from './progress.js';
import { activeEditor, spansToRoute } from '../host/texts.js';
import type { Span } from '../routing/positions.js';
import type { Routed } from '../routing/store.js';
import { GanderError } from '../shared/errors.js';
import type { Command, Parts } from './parts.js';

export const routeSelection: Command = {
  id: 'gander.routeSelection',
  async run(parts) {
    const editor = await activeEditor();
    if (!editor) throw noEditor();
    const { document } = editor;
    const spans = spansToRoute(editor);
    try {
      return await routeAll(parts, document, spans);
    } catch (thrown) {
      const error = GanderError.from(thrown);
      if (error.code !== 'text-too-long') throw error;
      offerFirstPart(parts, document, spans[0]!, error);
      return undefined;
    }
  },
};

/** One by one; the panel shows each as it runs. A part that fails does not keep the others from being routed. */
function routeAll(parts: Parts, document: vscode.TextDocument, spans: readonly Span[]): Promise<Routed[]> {
  return withPatientProgress(parts, vscode.l10n.t('Routing'), async (progress) => {
    const done: Routed[] = [];
    let failure: GanderError | undefined;
    for (const span of spans) {
      try {
        done.push(await routeOne(parts, document, span, progress));
      } catch (thrown) {
        const error = GanderError.from(thrown);
        if (error.code === 'cancelled' || spans.length === 1) throw error;
        failure ??= error;
      }
    }
    if (failure) throw failure;
    return done;
  });
}

function routeOne(
  parts: Parts,
  document: vscode.TextDocument,
  span: Span,
  { signal, report: onProgress }: Progress,
): Promise<Routed> {
  return parts.desk.route(document, span, { signal, onProgress, onAdded: (routed) => parts.panels.show(routed) });
}

function offerFirstPart(parts: Parts, document: vscode.TextDocument, span: Span, error: GanderError): void {
  const first = vscode.l10n.t('Route First Part');
  // Not awaited: the command is over, what the person chooses is a new one.
  void vscode.window.showErrorMessage(`${error.message} ${error.remedy}`, first).then(async (chosen) => {
    if (chosen !== first) return;
    try {
      await withPatientProgress(parts, vscode.l10n.t('Routing'), ({ signal, report: onProgress }) =>
        parts.desk.routeFirstPart(document, span, {
          signal,
          onProgress,
          onAdded: (routed) => parts.panels.show(routed),
        }),
      );
    } catch (thrown) {
      report(thrown, parts.log);
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

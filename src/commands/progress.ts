import * as vscode from 'vscode';
import { counted } from '../host/words.js';
import type { Services } from './services.js';

/** A shorter run shows no notification, only the status bar. In milliseconds. */
const patience = 700;

export interface Progress {
  readonly signal: AbortSignal;
  /** Without a total, the notification shows only its title. */
  readonly report: (done: number, total: number) => void;
}

/**
 * Runs something that can be cancelled. If it takes long and no panel is visible, which would show the progress itself, a
 * notification shows the progress and a button that stops the run.
 */
export async function withPatientProgress<T>(
  { panels }: Pick<Services, 'panels'>,
  title: string,
  body: (progress: Progress) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  let last = { done: 0, total: 0 };
  let show = (_done: number, _total: number) => {};
  const running = body({
    signal: abort.signal,
    report: (done, total) => {
      last = { done, total };
      show(done, total);
    },
  });
  const early = await Promise.race([
    running.then(
      () => true,
      () => true,
    ),
    new Promise<false>((resolve) => setTimeout(resolve, patience, false)),
  ]);
  if (early || panels.isVisible) return running;
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      token.onCancellationRequested(() => abort.abort());
      let percent = 0;
      show = (done, total) => {
        const now = total > 0 ? (100 * done) / total : 0;
        progress.report({
          message: total > 0 ? counted('tokensDone', done, total) : '',
          increment: Math.max(0, now - percent),
        });
        percent = Math.max(percent, now);
      };
      show(last.done, last.total);
      return running;
    },
  );
}

import * as vscode from 'vscode';
import { type ErrorCode, GanderError } from '../errors/errors.js';

/** The one action that deserves a button, by error code. */
function remedyAction(code: ErrorCode): { readonly title: string; readonly command: string } | undefined {
  switch (code) {
    case 'pool-missing':
    case 'pool-invalid':
    case 'pool-unsafe-path':
    case 'base-invalid':
    case 'model-missing':
    case 'model-invalid':
    case 'model-unrouted':
    case 'tokenizer-invalid':
    case 'module-not-placed':
      return { title: vscode.l10n.t('Choose Model'), command: 'gander.choosePool' };
    case 'strategy-unavailable':
      return { title: vscode.l10n.t('Choose Strategy'), command: 'gander.chooseStrategy' };
    case 'engine-died':
    case 'engine-unavailable':
      return { title: vscode.l10n.t('Restart Engine'), command: 'gander.restartEngine' };
    case 'server-unreachable':
    case 'server-refused':
    case 'server-unknown':
    case 'server-unrouted':
    case 'server-invalid':
      return { title: vscode.l10n.t('Connect to Engine'), command: 'gander.connectEngine' };
    case 'internal':
    case 'io':
    case 'expert-invalid':
      return { title: vscode.l10n.t('Show Log'), command: 'gander.showLog' };
    case 'source-unreachable':
    case 'source-refused':
    case 'source-missing':
    case 'server-failed':
    case 'server-busy':
    case 'cancelled':
    case 'text-empty':
    case 'text-too-long':
    case 'request-invalid':
    case 'trace-invalid':
    case 'trace-newer':
    case 'import-invalid':
    case 'device-failed':
      return undefined;
  }
}

/** Logs an error, unless it is only a cancelled request. */
export function note(thrown: unknown, log: vscode.LogOutputChannel): GanderError {
  const error = GanderError.from(thrown);
  if (error.code !== 'cancelled')
    log.error(`${error.code}: ${error.message}`, error.cause instanceof Error ? (error.cause.stack ?? '') : '');
  return error;
}

/** Shows an error and its remedy in one message, unless it is only a cancelled request. */
export function report(thrown: unknown, log: vscode.LogOutputChannel): void {
  const error = note(thrown, log);
  if (error.code === 'cancelled') return;
  const action = remedyAction(error.code);
  const message = `${error.message} ${error.remedy}`;
  void vscode.window.showErrorMessage(message, ...(action ? [action.title] : [])).then((chosen) => {
    if (action && chosen === action.title) void vscode.commands.executeCommand(action.command);
  });
}

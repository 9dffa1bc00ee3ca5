import * as vscode from 'vscode';
import { Numbers } from '../words/numbers.js';

/** Formats numbers in the language of the window. */
export const numbers = new Numbers(vscode.env.language);

export function megabytes(bytes: number): string {
  return vscode.l10n.t('{0} MB', numbers.fixed(bytes / 1_000_000, bytes < 10_000_000 ? 1 : 0));
}

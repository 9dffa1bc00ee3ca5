import * as vscode from 'vscode';
import { words, type Word } from '../shared/words.js';

/** A word that the page shows too, in the window's language. */
export function word(key: Word): string {
  return vscode.l10n.t(words[key]);
}

export function warningCount({ warnings }: { readonly warnings: readonly unknown[] }): string {
  return warnings.length === 1 ? vscode.l10n.t('1 warning') : vscode.l10n.t('{0} warnings', warnings.length);
}

/** What the page is to say in place of its English: nothing at all in an English window. */
export function translations(): Partial<Record<Word, string>> {
  const said: Partial<Record<Word, string>> = {};
  for (const key of Object.keys(words) as Word[]) if (word(key) !== words[key]) said[key] = word(key);
  return said;
}

import * as vscode from 'vscode';
import { type Counted, filled, formOf, type Forms, translatedForms } from '../words/counted.js';
import { figureWords } from '../words/figureWords.js';
import { lessonWords } from '../words/lessonWords.js';
import { strategyWords } from '../strategies/words.js';
import { type CountedWord, type PlainWord, words } from '../words/words.js';

/** A text with a count, in the form that the window's language has for it. */
export function counted(key: CountedWord, ...values: readonly (string | number)[]): string {
  const forms = translated(words[key]) as Forms | undefined;
  return filled(forms ? formOf(forms, values, vscode.env.language) : formOf(words[key], values, 'en'), values);
}

/** A word of the page that the editor uses too. */
export function word(key: PlainWord, ...values: readonly (string | number)[]): string {
  return filled((translated(words[key]) as string | undefined) ?? words[key], values);
}

export function warningCount({ warnings }: { readonly warnings: readonly unknown[] }): string {
  return counted('warnings', warnings.length);
}

/** The page's words in the window's language, by key; none in an English window. */
export function translations(): Record<string, string | Forms> {
  const said: Record<string, string | Forms> = {};
  for (const [key, text] of Object.entries({ ...words, ...lessonWords, ...figureWords, ...strategyWords })) {
    const own = translated(text);
    if (own !== undefined) said[key] = own;
  }
  return said;
}

function translated(text: string | Counted): string | Forms | undefined {
  if (typeof text !== 'string') return translatedForms(text, vscode.env.language, say);
  const said = say(text, []);
  return said === text ? undefined : said;
}

function say(message: string, comment: string[]): string {
  return comment.length > 0 ? vscode.l10n.t({ message, comment }) : vscode.l10n.t(message);
}

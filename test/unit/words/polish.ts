/** A translation into a language with four plural forms. */
import { type Category, type Counted, messageOf } from '../../../src/words/counted.js';
import { words } from '../../../src/words/words.js';

/** The key that VS Code makes of a message and its comment. */
export function keyOf(text: Counted, category: Category): string {
  const { message, comment } = messageOf(text, category);
  return comment.length > 0 ? `${message}/${comment.join('')}` : message;
}

export const polish = {
  one: '{0} token',
  few: '{0} tokens/few',
  many: '{0} tokens/many',
  other: '{0} tokens',
  runs: keyOf(words.routing, 'one'),
} as const;

export const planted: Readonly<Record<string, string>> = {
  [polish.one]: '{0} token!',
  [polish.few]: '{0} tokeny',
  [polish.many]: '{0} tokenów',
  [polish.other]: '{0} tokena',
  [polish.runs]: '{0} z {1} tokena',
  [keyOf(words.routing, 'few')]: '{0} z {1} tokenów',
  [keyOf(words.routing, 'many')]: '{0} z {1} tokenów',
  [words.routing.other]: '{0} z {1} tokenu',
  [words.empty]: 'Zobacz',
};

/** What `vscode.l10n.t` does with a bundle. */
export const sayPolish = (message: string, comment: string[]): string =>
  planted[comment.length > 0 ? `${message}/${comment.join('')}` : message] ?? message;

import { isObject } from '../../src/shared/plain.js';
import { isWord, setWords } from './strings.js';

/** A translation comes in the page itself, for the first words are drawn before any message. */
export function translate(): void {
  const words: unknown = JSON.parse(document.body.dataset['words'] ?? '{}');
  const isTranslated = ([key, value]: [string, unknown]) =>
    isWord(key) && (typeof value === 'string' || (isObject(value) && typeof value['other'] === 'string'));
  setWords(
    isObject(words) ? Object.fromEntries(Object.entries(words).filter(isTranslated)) : {},
    document.documentElement.lang || 'en',
  );
}

import type { Forms } from '../../src/words/counted.js';
import { isObject } from '../../src/checks/plain.js';
import { setWords } from './strings.js';

const isTranslated = (entry: [string, unknown]): entry is [string, string | Forms] =>
  typeof entry[1] === 'string' || (isObject(entry[1]) && typeof entry[1]['other'] === 'string');

/** The translation is part of the page, because the first words are drawn before any message arrives. */
export function translate(): void {
  const words: unknown = JSON.parse(document.body.dataset['words'] ?? '{}');
  setWords(
    isObject(words) ? Object.fromEntries(Object.entries(words).filter(isTranslated)) : {},
    document.documentElement.lang || 'en',
  );
}

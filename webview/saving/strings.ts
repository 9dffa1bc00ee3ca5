import { figureWords } from '../../src/words/figureWords.js';
import { sayer } from '../look/strings.js';

export const say = sayer(figureWords);

/** @param parts each is one, with or without its full stop */
export function sentences(parts: readonly string[]): string {
  return parts
    .filter(Boolean)
    .map((part) => (/[.!?]$/.test(part) ? part : `${part}.`))
    .join(' ');
}

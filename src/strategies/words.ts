/** What strategies are called, beside the page's words: by their names. */
import { all } from './all.js';

export const strategyWords: Readonly<Record<string, string>> = Object.fromEntries(
  all.map(({ name, title }) => [name, title]),
);

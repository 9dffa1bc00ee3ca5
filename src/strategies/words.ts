/** The page's words for strategies: title under the name, hint under the name with `Hint`. */
import { all } from './all.js';

export const strategyWords: Readonly<Record<string, string>> = Object.fromEntries(
  all.map(({ name, title }) => [name, title]),
);

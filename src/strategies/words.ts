/** The page's titles of strategies, and of a model's own router. */
import { all } from './all.js';
import { nativeRouter } from './native.js';

export const strategyWords: Readonly<Record<string, string>> = Object.fromEntries(
  [...all, nativeRouter].map(({ name, title }) => [name, title]),
);

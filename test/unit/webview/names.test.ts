/** What an atlas calls an expert, beside the expert's own name; names in a row. */
import { expect, it } from 'vitest';
import { listed } from '../../../webview/look/names.js';
import { bothNames, calledOf } from '../../../webview/store/atlas.js';

const named = (own: string, name: string) => {
  const key = { stack: null, layer: null, router: null, expert: 0 };
  return bothNames(own, calledOf({ key, id: 'own', name, load: 0.1, low: 0.1, high: 0.1, chance: 0.1 }, own));
};

it.each([
  ['Technical prose', 'prose', 'Technical prose'],
  ['HTML', 'html', 'HTML'],
  ['HTML', 'html-inline', 'HTML “html-inline”'],
  ['Python', 'sql-in-python', 'Python “sql-in-python”'],
  ['expert 7', 'closing brackets', 'expert 7 “closing brackets”'],
  ['CSS', 'c', 'CSS “c”'],
])('%s, called %s, is %s', (own, called, said) => {
  expect(named(own, called)).toBe(said);
});

it.each([
  [[], ''],
  [['CSS'], 'CSS'],
  [['CSS', 'Shell'], 'CSS and Shell'],
  [['CSS', 'Shell', 'SQL'], 'CSS, Shell and SQL'],
  [['CSS', 'Shell', 'SQL', 'YAML'], 'CSS, Shell, SQL and 1 more'],
])('%j in a row are “%s”', (names, said) => {
  expect(listed(names)).toBe(said);
});

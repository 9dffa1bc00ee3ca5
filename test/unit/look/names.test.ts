import { expect, it } from 'vitest';
import { byName, says } from '../../../src/look/names.js';

it.each([
  ['Technical prose', 'prose', true],
  ['HTML', 'html', true],
  ['html-inline', 'HTML', true],
  ['expert 7', 'Expert 7', true],
  ['prose', 'Technical prose', false],
  // Letters in common are no name in common.
  ['CSS', 'c', false],
  ['TypeScript', 'script', false],
  ['C++', 'C', false],
  ['expert 17', 'expert 1', false],
  ['Technical prose', '', true],
  ['JSON', '{ }', false],
])('%s says %s: %s', (name, other, is) => {
  expect(says(name, other)).toBe(is);
});

it.each([
  [
    ['c', 'prose', 'sql'].map((id) => ({ id, name: { c: 'C', prose: 'Technical prose', sql: 'SQL' }[id]! })),
    'en',
    ['C', 'SQL', 'Technical prose'],
  ],
  [['10', '2', '1'].map((id) => ({ id, name: `expert ${id}` })), 'en', ['expert 1', 'expert 2', 'expert 10']],
  [['Zebra', 'Äpfel', 'Apfel'].map((name) => ({ id: '', name })), 'de', ['Apfel', 'Äpfel', 'Zebra']],
  [['Zebra', 'Äpple'].map((name) => ({ id: '', name })), 'sv', ['Zebra', 'Äpple']],
] as const)('%o are in the order of their names in %s', (experts, language, names) => {
  expect(byName(experts, ({ name }) => name, language).map(({ name }) => name)).toEqual(names);
});

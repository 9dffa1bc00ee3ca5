import { expect, it } from 'vitest';
import { says } from '../../../src/look/names.js';

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

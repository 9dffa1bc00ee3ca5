import { expect, it } from 'vitest';
import { Lru } from '../../../src/routing/lru.js';

const make = () => new Lru<string>(10, (value) => value.length);

it('forgets what was used longest ago', () => {
  const lru = make();
  lru.set('a', 'xxxx');
  lru.set('b', 'xxxx');
  lru.get('a');
  lru.set('c', 'xxxx');
  expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual(['xxxx', undefined, 'xxxx']);
});

it('does not empty itself for a value that is too large', () => {
  const lru = make();
  lru.set('a', 'xxxx');
  lru.set('b', 'x'.repeat(11));
  expect([lru.get('a'), lru.get('b')]).toEqual(['xxxx', undefined]);
});

it('counts a replaced value once', () => {
  const lru = make();
  lru.set('a', 'xxxxx');
  lru.set('a', 'xxxxx');
  lru.set('b', 'xxxxx');
  expect(lru.get('a')).toBe('xxxxx');
  lru.clear();
  expect(lru.get('a')).toBeUndefined();
});

import { expect, test } from 'vitest';
import { Pace } from '../../../webview/header/pace.js';

const route = (done: number) => ({ what: 'route', done, total: 1000 }) as const;

test('the time left follows from the pace since the first part, not from what came before it', () => {
  const pace = new Pace();
  expect(pace.left(route(0), 0)).toBeUndefined();
  // Loading took a minute.
  expect(pace.left(route(100), 60_000)).toBeUndefined();
  expect(pace.left(route(200), 61_000)).toBeUndefined();
  expect(pace.left(route(300), 64_000)).toBe(14_000);
  expect(pace.left(route(1000), 78_000)).toBe(0);
});

test('another run begins anew', () => {
  const pace = new Pace();
  pace.left(route(100), 0);
  expect(pace.left(route(200), 4000)).toBe(32_000);
  expect(pace.left({ what: 'attribute', done: 1, total: 12 }, 5000)).toBeUndefined();
  expect(pace.left({ what: 'attribute', done: 2, total: 12 }, 8000)).toBe(30_000);
  expect(pace.left(undefined, 9000)).toBeUndefined();
  expect(pace.left(route(300), 10_000)).toBeUndefined();
});

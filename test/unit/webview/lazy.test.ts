import { expect, test } from 'vitest';
import { lazy } from '../../../webview/store/lazy.js';

test('late code is fetched once, and again only after a failure', async () => {
  let tries = 0;
  const { code, want } = lazy(() => (++tries === 1 ? Promise.reject(new Error('gone')) : Promise.resolve('here')));
  await expect(want()).rejects.toThrow('gone');
  expect(code.value).toBeUndefined();
  await Promise.all([want(), want()]);
  expect([await want(), code.value, tries]).toEqual(['here', 'here', 2]);
});

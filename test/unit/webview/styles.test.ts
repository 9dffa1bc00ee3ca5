import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../../webview');

test('the page includes each style that is beside what it styles, once', () => {
  const list = readFileSync(join(root, 'panel.css'), 'utf8');
  const taken = Array.from(list.matchAll(/@import '\.\/(.+)';/g), ([, name]) => name!);
  const there = (readdirSync(root, { recursive: true }) as string[])
    .map((name) => name.replaceAll('\\', '/'))
    .filter(
      (name) => name.endsWith('.css') && !['panel.css', 'similarity/similarity.css', 'atlas/atlas.css'].includes(name),
    );
  expect(taken.sort()).toEqual(there.sort());
});

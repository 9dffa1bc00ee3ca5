// The wheels of the Python packages say by themselves what they are.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { pythonFolders, wheelOf } from '../../scripts/package.mjs';
import { zipEntries } from '../../scripts/lib/zip.mjs';
import { root } from './checkout.js';

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };

async function wheel(folder: string) {
  const entries = zipEntries(await wheelOf(folder));
  const named = (end: RegExp) => [...entries].filter(([name]) => end.test(name));
  const [metadata = ''] = named(/dist-info\/METADATA$/).map(([, content]) => content().toString('utf8'));
  const [head = '', ...rest] = metadata.split('\n\n');
  return {
    files: [...entries.keys()],
    licences: named(/dist-info\/licenses\/LICENSE$/).length,
    head,
    readme: rest.join('\n\n'),
  };
}

const relative = /\]\((?!https:\/\/|#)[^)]*\)/g;

test.each(pythonFolders)('%s: licence, classifiers, README without dead links', async (folder) => {
  vi.stubEnv('GITHUB_REPOSITORY', undefined);
  const { files, licences, head, readme } = await wheel(folder);
  expect(head).toContain(`\nVersion: ${version}\n`);
  expect(head).toContain('\nLicense-Expression: Apache-2.0\n');
  expect(head.match(/^Classifier: /gm)?.length).toBeGreaterThan(3);
  expect(head).toContain('\nDescription-Content-Type: text/markdown');
  expect(licences).toBe(1);
  expect(readme.length).toBeGreaterThan(500);
  expect(readme.match(relative)).toBeNull();
  expect(files.filter((file) => /(^|\/)tests?\//.test(file))).toEqual([]);
});

test('where the repository is known, a wheel names it, and its README links into it', async () => {
  vi.stubEnv('GITHUB_REPOSITORY', 'someone/fork');
  const { head, readme } = await wheel('python/gander-trace');
  expect(head).toContain('\nProject-URL: Homepage, https://github.com/someone/fork#readme');
  expect(readme).toContain(`](https://github.com/someone/fork/blob/v${version}/docs/trace-format.md)`);
  expect(readme.match(relative)).toBeNull();
});

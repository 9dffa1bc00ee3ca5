// This platform's package, and the check of its contents.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { packageFor, thisTarget } from '../../scripts/package.mjs';
import { vsixProblems } from '../../scripts/lib/vsix.mjs';
import { zipEntries } from '../../scripts/lib/zip.mjs';
import { Checkout } from './checkout.js';

const checkout = new Checkout();
afterAll(() => checkout.remove());

test('contains everything it must and nothing it must not, without a warning', async () => {
  const file = process.env['GANDER_TEST_VSIX'] ?? (await packageFor(thisTarget));
  expect(vsixProblems(file, thisTarget)).toEqual([]);

  // Checked for another platform, each native file of the same package is wrong.
  const other = thisTarget === 'win32-x64' ? 'linux-x64' : 'win32-x64';
  const problems = vsixProblems(file, other);
  expect(problems.filter((p) => p.endsWith('is missing'))).toHaveLength(3);
  expect(problems.filter((p) => p.endsWith(`is not for ${other}`)).length).toBeGreaterThanOrEqual(3);

  // It runs wherever it is unpacked.
  const unpacked = path.join(checkout.dir, 'unpacked');
  for (const [name, data] of zipEntries(file)) {
    mkdirSync(path.join(unpacked, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(unpacked, name), data());
  }
  const cli = path.join(unpacked, 'extension/dist/cli.cjs');
  const route = (...options: string[]) =>
    execFileSync(process.execPath, [cli, 'route', '--text', 'two geese', ...options], {
      cwd: unpacked,
      encoding: 'utf8',
    });
  expect(route()).toContain('geese');
  expect(route('--model', path.join(unpacked, 'extension/models/gosling-moe'))).toContain('Gosling');
});

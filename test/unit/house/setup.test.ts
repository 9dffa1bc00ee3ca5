import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isInstalled } from '../../../scripts/setup.mjs';
import { Checkout } from '../../house/checkout.js';

const here = { platform: 'linux', arch: 'x64' } as const;
const locked = {
  '': { version: '1.0.0' },
  'node_modules/a': { version: '1.2.3' },
  'node_modules/mac': { version: '1.0.0', optional: true, os: ['darwin'], cpu: ['arm64'] },
  'node_modules/linux': { version: '1.0.0', optional: true, os: ['linux'], cpu: ['x64'] },
  'node_modules/posix': { version: '1.0.0', os: ['!win32'] },
};
const { '': _root, 'node_modules/mac': mac, ...installed } = locked;

it('accepts everything in the lock file that this platform can have, and more', () => {
  expect(isInstalled(locked, installed, here)).toBe(true);
  expect(isInstalled(locked, { ...installed, 'node_modules/more': { version: '9.0.0' } }, here)).toBe(true);
});

it('does not accept less, other versions, or what another platform installed', () => {
  expect(isInstalled(locked, {}, here)).toBe(false);
  expect(isInstalled(locked, { ...installed, 'node_modules/a': { version: '1.2.4' } }, here)).toBe(false);
  expect(isInstalled(locked, { ...installed, 'node_modules/mac': mac }, here)).toBe(false);
  expect(isInstalled(locked, installed, { platform: 'win32', arch: 'x64' })).toBe(false);
});

const checkout = new Checkout({ installed: false });
const modules = path.join(checkout.dir, 'node_modules');
const called = path.join(checkout.dir, 'called.txt');
const npm = path.join(checkout.dir, 'npm.js');
const setUp = () => checkout.run('../set-up.mjs', [], { npm_execpath: npm });
beforeAll(() => {
  const log = `appendFileSync(${JSON.stringify(called)}, process.argv.slice(2).join(' '));`;
  writeFileSync(npm, `import { appendFileSync } from 'node:fs';\n${log}\n`);
  checkout.write('set-up.mjs', "import { setup } from './scripts/setup.mjs';\nawait setup();\n");
});
afterAll(() => checkout.remove());

it('does not touch node_modules if it is complete, and deletes nothing if it is not', async () => {
  const lock = JSON.parse(readFileSync(path.join(checkout.dir, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, object>;
  };
  const hidden = path.join(modules, '.package-lock.json');
  mkdirSync(modules);
  const fitting = Object.entries(lock.packages).filter(([name, entry]) => name !== '' && !('optional' in entry));
  writeFileSync(hidden, JSON.stringify({ packages: Object.fromEntries(fitting) }));
  expect((await setUp()).code).toBe(0);
  expect(() => readFileSync(called)).toThrow();

  writeFileSync(hidden, JSON.stringify({ packages: {} }));
  expect((await setUp()).code).toBe(0);
  expect(readFileSync(called, 'utf8')).toMatch(/ install --no-save$/);
});

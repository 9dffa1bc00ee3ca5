// In bad circumstances, commands print one line that says what to do, and exit with a code other than 0.
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Checkout } from './checkout.js';

let bare: Checkout; // nothing installed
let ready: Checkout;
let bin: string; // a PATH with Node and nothing else
beforeAll(() => {
  bare = new Checkout({ installed: false });
  ready = new Checkout();
  for (const room of ['src/trace', 'src/errors', 'src/checks', 'src/formats', 'src/statistics']) ready.take(room); // the code that reads trace files
  bin = mkdtempSync(path.join(tmpdir(), 'bin-'));
  symlinkSync(process.execPath, path.join(bin, 'node'));
});
afterAll(() => {
  bare.remove();
  ready.remove();
  rmSync(bin, { recursive: true });
});

const remedy = ({ code, text }: { code: number; text: string }) => {
  expect(code).toBe(1);
  const lines = text.split('\n').filter((line) => line.startsWith('gander: '));
  expect(lines, text).toHaveLength(1);
  expect(text).not.toMatch(/^\s+at /m);
  return lines[0];
};

test.each(['test.mjs', 'start.mjs'])('%s with an old Node', async (script) => {
  const old = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'18.20.1'})";
  const line = remedy(await bare.run(script, [], { NODE_OPTIONS: `--import=${old}` }));
  expect(line).toContain('Node 18.20.1 is too old; install Node 20.19 or newer');
});

test.each(['test.mjs', 'start.mjs'])('%s with no network', async (script) => {
  const line = remedy(
    await bare.run(script, [], {
      npm_config_registry: 'http://127.0.0.1:9/',
      npm_config_cache: path.join(bare.dir, 'cache'),
      npm_config_fetch_retries: '0',
    }),
  );
  expect(line).toContain('npm ci failed: the package registry cannot be reached; connect to a network');
});

test('a full disk', async () => {
  const npm = path.join(bare.dir, 'npm.js');
  writeFileSync(
    npm,
    "console.error('npm error code ENOSPC\\nnpm error nospc no space left on device'); process.exit(228);",
  );
  expect(remedy(await bare.run('start.mjs', [], { npm_execpath: npm }))).toContain('the disk is full; free 2 GB');
});

test('no Chromium and no right to install it', async () => {
  const line = remedy(await ready.run('test.mjs', ['webview'], { PATH: bin, CHROMIUM: '' }));
  expect(line).toMatch(/no Chromium for the tests in a browser; run `.+` and then this again/);
});

test('no Python', async () => {
  expect(remedy(await ready.run('test.mjs', ['python'], { PATH: bin }))).toContain('no Python for the tests in Python');
});

test('a port that is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const line = remedy(await ready.run('start.mjs', [], { PATH: bin, GANDER_PORT: String(port) }));
  expect(line).toContain(`port ${port} is taken; set GANDER_PORT to another`);
  server.close();
});

test('a VS Code that is not there', async () => {
  const line = remedy(await ready.run('start.mjs', [], { GANDER_CODE: '/nowhere/code' }));
  expect(line).toContain('GANDER_CODE is /nowhere/code, which does not exist');
});

test('a build that fails', async () => {
  const broken = new Checkout();
  broken.write('src/extension.ts', 'export const = 1;\n');
  expect(remedy(await broken.run('start.mjs'))).toContain('the build failed; see the errors above');
  broken.remove();
});

test('a part that does not exist', async () => {
  expect(remedy(await ready.run('test.mjs', ['unity']))).toContain('no part named unity; there are lint, types, unit');
});

test('nothing is installed by a run that failed', () => {
  expect(existsSync(path.join(bare.dir, 'node_modules'))).toBe(false);
});

test.each([
  ['nowhere.safetensors', /nowhere\.safetensors cannot be read \(ENOENT\); name a trace file: npm run page -- FILE/],
  ['package.json', /package\.json: This is not a usable trace: .+\. Open a file that Gander saved/],
])('a page of %s', async (file, said) => {
  expect(remedy(await ready.run('page.mjs', [file]))).toMatch(said);
});

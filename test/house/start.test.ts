// npm start in each of its three forms, which leave nothing behind.
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installVscodeWeb } from '../../scripts/lib/vscode-web.mjs';
import { Checkout } from './checkout.js';

let checkout: Checkout;
let bin: string; // a PATH with Node and nothing else: no desktop VS Code
let temp: string;
beforeAll(async () => {
  await installVscodeWeb(); // needs more on the PATH than the tests have
  checkout = new Checkout();
  bin = path.join(checkout.dir, 'bin');
  temp = path.join(checkout.dir, 't');
  for (const dir of [bin, temp]) mkdirSync(dir);
  symlinkSync(process.execPath, path.join(bin, 'node'));
});
afterAll(() => checkout.remove());

const reachable = (url: string) =>
  fetch(url).then(
    (r) => r.ok,
    () => false,
  );

const gone = async (url: string, stays: (name: string) => boolean = () => false) => {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) {
    if (!(await reachable(url)) && readdirSync(temp).every(stays)) break;
  }
  return { reachable: await reachable(url), left: readdirSync(temp) };
};

test.each(['SIGINT', 'SIGTERM'] as const)('serves the workbench until %s', async (signal) => {
  const run = checkout.spawn('start.mjs', [], { PATH: bin, TMPDIR: temp });
  const url = await run.wrote(/(http:\/\/127\.0\.0\.1:\S+)\n/);
  expect(await reachable(url)).toBe(true);
  expect(new URL(url).searchParams.get('folder')).toBe(path.join(checkout.dir, 'samples'));
  run.child.kill(signal);
  expect((await run.end).code).toBe(signal === 'SIGINT' ? 130 : 143);
  expect(await gone(url)).toEqual({ reachable: false, left: [] });
});

test('a start that is killed ends its server too', async () => {
  const run = checkout.spawn('start.mjs', [], { PATH: bin, TMPDIR: temp });
  const url = await run.wrote(/(http:\/\/127\.0\.0\.1:\S+)\n/);
  run.child.kill('SIGKILL');
  await run.end;
  // Its folder of links stays, because no process is left to remove it.
  const links = (name: string) => name.startsWith('gander-');
  const { reachable: alive, left } = await gone(url, links);
  expect(alive).toBe(false);
  expect(left.filter((name) => !links(name))).toEqual([]);
  for (const name of left) rmSync(path.join(temp, name), { recursive: true });
});

test('opens the desktop VS Code when there is one', async () => {
  const code = path.join(checkout.dir, 'code');
  const seen = path.join(checkout.dir, 'seen');
  writeFileSync(code, `#!/bin/sh\necho "$GANDER_START" "$@" > '${seen}'\n`);
  chmodSync(code, 0o755);
  const { code: status } = await checkout.run('start.mjs', [], { GANDER_CODE: code, TMPDIR: temp });
  expect(status).toBe(0);
  const words = readFileSync(seen, 'utf8').trim().split(' ');
  expect(words[0]).toBe('1');
  expect(words.at(-1)).toBe(path.join(checkout.dir, 'samples'));
  expect(words.some((w) => w.startsWith(`--extensionDevelopmentPath=${temp}`))).toBe(true);
  expect(readdirSync(temp)).toEqual([]);
});

test('passes --text to the command line, and only that output is on stdout', async () => {
  const run = checkout.spawn('start.mjs', ['--text', 'two geese']);
  let out = '';
  run.child.stdout?.on('data', (part: string) => (out += part));
  expect((await run.end).code).toBe(0);
  expect(out).toBe('["route","--text","two geese"]\n');
});

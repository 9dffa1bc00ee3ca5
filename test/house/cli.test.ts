// The npm packages of the command line, installed where nothing can be fetched, and the models that they get.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { npmLauncher, npmPackageFor, thisTarget } from '../../scripts/package.mjs';
import { root, Run } from './checkout.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-npm-'));
const prefix = path.join(folder, 'prefix');
const isWindows = process.platform === 'win32';
const modules = path.join(prefix, ...(isWindows ? [] : ['lib']), 'node_modules');
const models = path.join(root, 'models');
const data = isWindows ? path.join(folder, 'gander', 'Data') : path.join(folder, 'data', 'gander');

/** Neither the user's settings nor what they have in their home or cache. */
const env = {
  PATH: process.env['PATH'],
  SystemRoot: process.env['SystemRoot'],
  HOME: folder,
  USERPROFILE: folder,
  LOCALAPPDATA: folder,
  XDG_DATA_HOME: path.join(folder, 'data'),
  XDG_CACHE_HOME: path.join(folder, 'cache'),
};

const started: Run[] = [];
const servers: Server[] = [];
afterAll(() => {
  for (const { child } of started) child.kill();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

function run(command: string, ...args: string[]) {
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], shell: isWindows });
  const made = new Run(child);
  started.push(made);
  return made.end;
}

const gander = (...args: string[]) =>
  run(path.join(prefix, ...(isWindows ? ['gander.cmd'] : ['bin', 'gander'])), ...args);

async function serve(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address at which nobody listens. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  const address = await serve(server);
  await new Promise((resolve) => server.close(resolve));
  return address;
}

/** The models' folder on a server that sends what `spoil` makes of a file. `ranges`: of each request, its Range. */
async function modelServer(spoil: (file: string, content: Buffer) => Buffer, breaksIn?: string) {
  const ranges: (readonly [file: string, range: string | undefined])[] = [];
  let isWhole = breaksIn === undefined;
  const address = await serve(
    createServer(({ url = '', headers: { range } }, response) => {
      const file = url.slice(1);
      ranges.push([file, range]);
      const content = spoil(file, readFileSync(path.join(models, file)));
      const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
      response.writeHead(range === undefined ? 200 : 206, { 'Content-Length': content.length - from });
      if (isWhole || file !== breaksIn) return response.end(content.subarray(from));
      isWhole = true;
      return response.write(content.subarray(0, content.length / 2), () => response.destroy());
    }),
  );
  return { address, ranges };
}

const asTheyAre = (_: string, content: Buffer) => content;

beforeAll(async () => {
  const file = await npmPackageFor(thisTarget);
  const registry = ['--registry', await closedAddress(), '--fetch-retries=0', '--no-audit', '--no-fund'];
  const { code, text } = await run('npm', 'install', '--global', file, '--prefix', prefix, ...registry);
  expect({ code, text }).toMatchObject({ code: 0 });
});

test('one file is all that npm needs, and it contains no more than the command does', () => {
  const files = readdirSync(path.join(modules, `gander-${thisTarget}`), { recursive: true }).map(String);
  expect(files.filter((file) => /\.(map|ts|py)$|(^|[\\/])(test|training|models|webview)([\\/]|$)/.test(file))).toEqual(
    [],
  );
  expect(files.filter((file) => /\.(node|dll|dylib|so)(\.\d+)*$/.test(file))).toHaveLength(3);
});

test('without a model, each command says what to type', async () => {
  for (const args of [
    ['route', 'two geese'],
    ['inspect'],
    ['similarity'],
    ['bench'],
    ['route', '--model', 'gosling-moe', 'a'],
  ]) {
    const { code, text } = await gander(...args);
    expect(code).toBe(1);
    expect(text).toMatch(/is not on this machine\. Type: gander models get (smollm2-135m|gosling-moe) /);
  }
  expect((await gander('models')).text).toContain('not on this machine');
});

test('a file with another hash is refused, and nothing of it kept', async () => {
  const { address } = await modelServer((file, content) =>
    file.endsWith('gosling-moe/config.json') ? Buffer.from(content).fill(32, 0, 1) : content,
  );
  const { code, text } = await gander('models', 'get', 'gosling-moe', '--from', address);
  expect(code).toBe(1);
  expect(text).toContain(`${address}/gosling-moe/config.json is not the file that this version of Gander expects`);
  expect(existsSync(path.join(data, 'models/gosling-moe'))).toBe(false);
  expect(existsSync(path.join(data, 'models/gosling-moe.part/config.json.part'))).toBe(false);
});

test('a server that cannot be reached, a folder that lacks a model and a longer file are refused, too', async () => {
  const get = (from: string) => gander('models', 'get', 'gosling-moe', '--from', from);
  expect((await get(await closedAddress())).text).toMatch(/cannot be reached.*type the same again/);
  expect((await get(folder)).text).toMatch(/cannot be read or written \(ENOENT\)/);
  const { address } = await modelServer((_, content) => Buffer.concat([content, content]));
  expect((await get(address)).text).toContain('is not the file');
  expect((await gander('models', 'get', 'x')).text).toContain('"x" does not ship with Gander');
});

test('the models come from a server that breaks off once, and are used', async () => {
  const large = 'smollm2-135m/base/model.layers.bin';
  const { address, ranges } = await modelServer(asTheyAre, large);
  const { code, text } = await gander('models', 'get', 'smollm2-135m', '--from', address);
  expect({ code, text }).toMatchObject({ code: 0 });
  const ofLarge = ranges.filter(([file]) => file === large).map(([, range]) => range);
  expect(ofLarge).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
  const whole = path.join(data, 'models', 'smollm2-135m/base/model.layers.bin');
  expect(statSync(whole).size).toBe(statSync(path.join(models, large)).size);

  expect((await gander('models', 'get', 'gosling-moe', '--from', models)).code).toBe(0);
  expect((await gander('route', '--text', 'two geese')).text).toContain('geese');
  expect((await gander('route', '--text', 'two geese', '--model', 'gosling-moe')).text).toContain('Gosling');
  // What is whole is not fetched again.
  const before = ranges.length;
  expect((await gander('models', 'get', 'smollm2-135m', '--from', address)).code).toBe(0);
  expect(ranges).toHaveLength(before);
});

test('`gander` starts the package of this platform, and says so if there is none', async () => {
  const inside = path.join(folder, 'launcher');
  mkdirSync(inside);
  const file = await npmLauncher();
  expect((await run('tar', '-xzf', file, '-C', inside)).code).toBe(0);
  const launch = () => run(process.execPath, path.join(inside, 'package/gander.cjs'), '--version');
  expect(await launch()).toMatchObject({ code: 1, text: expect.stringContaining('is not installed') as string });
  const own = path.join('node_modules', `gander-${thisTarget}`);
  cpSync(path.join(modules, `gander-${thisTarget}`), path.join(inside, 'package', own), { recursive: true });
  const { version, optionalDependencies } = JSON.parse(
    readFileSync(path.join(inside, 'package/package.json'), 'utf8'),
  ) as {
    version: string;
    optionalDependencies: Record<string, string>;
  };
  expect(await launch()).toEqual({ code: 0, text: `${version}\n` });
  expect(optionalDependencies[`gander-${thisTarget}`]).toBe(version);
});

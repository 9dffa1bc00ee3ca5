/** Experts that travel: packed, fetched from a hub or an address, added and pinned, by `gander` as a process. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type FakeHub, fakeHub, filesOf, hubToken } from '../servers/hub.js';
import { listen } from '../servers/http.js';
import { builtCli, temporaryFolder, tinyPool, until } from './support.js';

const bin = builtCli();
const cache = temporaryFolder();
const alpha = path.join(tinyPool, 'experts/alpha');
const packedFixtures = path.resolve('test/fixtures/packed');
let folder: string;
let pool: string;

const adapter = (files: Record<string, Buffer>) => ({
  'adapter_config.json': files['adapter_config.json']!,
  'adapter_model.safetensors': files['adapter_model.safetensors']!,
});

beforeEach(() => {
  folder = temporaryFolder();
  pool = path.join(folder, 'pool');
  cpSync(tinyPool, pool, { recursive: true });
});

/** Only these variables of the hub's and of proxies are set. */
function gander(args: readonly string[], env: Record<string, string> = {}) {
  const own = { PATH: process.env['PATH']!, HOME: folder, USERPROFILE: folder, XDG_CACHE_HOME: cache, NO_COLOR: '1' };
  const child = spawn(process.execPath, [bin, ...args], { env: { ...own, ...env }, cwd: folder, stdio: 'pipe' });
  child.stdin.end();
  let [out, error] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text));
  onTestFinished(() => void child.kill('SIGKILL'));
  return new Promise<{ code: number | null; out: string; error: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, out, error })),
  );
}

async function parsed<T>(args: readonly string[], env?: Record<string, string>): Promise<T> {
  const { code, out, error } = await gander([...args, '--json'], env);
  expect({ code, error }).toEqual({ code: 0, error: '' });
  return JSON.parse(out) as T;
}

async function refused(args: readonly string[], env?: Record<string, string>) {
  const { code, error } = await gander([...args, '--json'], env);
  expect(code).toBe(1);
  return (JSON.parse(error) as { error: { code: string; message: string; remedy: string } }).error;
}

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const experts = () => readdirSync(path.join(pool, 'experts')).sort();
const lockFile = () => path.join(pool, 'pool.lock.json');

interface Packed {
  readonly file: string;
  readonly sha256: string;
}

describe('a packed expert', () => {
  it('has the same bytes whenever and from wherever it is packed, and its hash in its name', async () => {
    const copy = path.join(folder, 'alpha');
    cpSync(alpha, copy, { recursive: true });
    rmSync(path.join(pool, 'experts/alpha'), { recursive: true });
    writeFileSync(path.join(copy, 'optimizer.pt'), 'of no use elsewhere');
    const one = await parsed<Packed>(['pack', 'alpha', '--pool', tinyPool, '--author', 'A. Person']);
    const other = await parsed<Packed>(['pack', copy, '--pool', pool, '--author', 'A. Person', '-o', 'other.tar']);
    expect(path.basename(one.file)).toBe(`alpha-${one.sha256}.tar`);
    expect(sha256(one.file)).toBe(one.sha256);
    expect(readFileSync(other.file).equals(readFileSync(one.file))).toBe(true);
  });

  it('has the bytes that it had when the format was new', async () => {
    const [recorded] = readdirSync(packedFixtures);
    const said = ['--author', 'A. Person', '--data', 'some texts', '--command', 'train.py'];
    const { file } = await parsed<Packed>(['pack', 'alpha', '--pool', tinyPool, ...said]);
    expect(path.basename(file)).toBe(recorded);
    expect(readFileSync(file).equals(readFileSync(path.join(packedFixtures, recorded!)))).toBe(true);
  });

  it('is added to another pool, is as it was there, and says who made it of what', async () => {
    rmSync(path.join(pool, 'experts/alpha'), { recursive: true });
    const said = ['--author', 'A. Person', '--data', 'some texts', '--command', 'train.py'];
    const { file, sha256: packed } = await parsed<Packed>(['pack', 'alpha', '--pool', tinyPool, ...said]);
    const entry = await parsed<object>(['add', file, '--pool', pool]);
    expect(entry).toMatchObject({
      id: 'alpha',
      source: path.basename(file),
      packed,
      author: 'A. Person',
      base: 'same',
    });
    for (const [name, content] of Object.entries(filesOf(alpha)))
      expect(readFileSync(path.join(pool, 'experts/alpha', name)).equals(content)).toBe(true);
    const { experts: listed } = await parsed<{ experts: { id: string }[] }>(['inspect', '--pool', pool]);
    expect(listed.map(({ id }) => id)).toContain('alpha');
    expect((await gander(['pool', 'history', pool])).out).toMatch(/alpha .*A\. Person .*\.tar/);
    expect((await gander(['pool', 'verify', pool])).out).toBe('1 pinned, 0 differences, 3 that were never pinned.\n');
    // What it says of itself stays with it, and so it can be passed on as it came.
    const again = await parsed<Packed>(['pack', 'alpha', '--pool', pool]);
    expect(again.sha256).toBe(packed);
    expect(readdirSync(path.join(cache, 'gander/arriving'))).toEqual([]);
  });

  it('is refused if a byte of it changed, or it is cut off, and the pool stays as it was', async () => {
    rmSync(path.join(pool, 'experts/alpha'), { recursive: true });
    const before = experts();
    const { file } = await parsed<Packed>(['pack', 'alpha', '--pool', tinyPool]);
    const content = readFileSync(file);
    const spoilt = Buffer.from(content);
    spoilt[spoilt.length - 3000]! ^= 1;
    writeFileSync(file, spoilt);
    expect((await refused(['add', file, '--pool', pool])).message).toMatch(/not the file that its name says/);
    renameSync(file, path.join(folder, 'renamed.tar'));
    expect((await refused(['add', 'renamed.tar', '--pool', pool])).message).toMatch(/has another SHA-256 than/);
    writeFileSync(path.join(folder, 'renamed.tar'), content.subarray(0, 9000));
    expect((await refused(['add', 'renamed.tar', '--pool', pool])).code).toBe('expert-invalid');
    expect(experts()).toEqual(before);
    expect(existsSync(lockFile())).toBe(false);
  });

  it('replaces no expert, but comes under another name', async () => {
    const { file } = await parsed<Packed>(['pack', 'alpha', '--pool', tinyPool]);
    expect((await refused(['add', file, '--pool', pool])).message).toMatch(/already has an expert alpha/);
    expect(await parsed<object>(['add', file, '--pool', pool, '--as', 'alpha-2'])).toMatchObject({ id: 'alpha-2' });
    expect((await refused(['add', file, '--pool', pool, '--as', '../out'])).message).toMatch(/cannot travel as/);
  });

  it('is added by one process at a time, so that no entry of the lock file is lost', async () => {
    const { file } = await parsed<Packed>(['pack', 'alpha', '--pool', tinyPool]);
    const as = ['a', 'b', 'c', 'd'];
    const done = await Promise.all(as.map((id) => gander(['add', file, '--pool', pool, '--as', id])));
    // Who reads the pool while another adds to it is told so, too.
    const refusals = /pool\.lock\.json is being written|The pool changed while it was being read/;
    for (const { code, error } of done) if (code !== 0) expect(error).toMatch(refusals);
    const added = as.filter((_, i) => done[i]!.code === 0);
    // Those that were refused have left nothing.
    expect(experts().filter((id) => as.includes(id))).toEqual(added);
    // Two that begin at the same moment may refuse each other.
    const { entries } = existsSync(lockFile())
      ? (JSON.parse(readFileSync(lockFile(), 'utf8')) as { entries: { id: string }[] })
      : { entries: [] };
    expect(entries.map(({ id }) => id).sort()).toEqual(added);
    expect(readdirSync(pool).filter((name) => name.includes('.lock-'))).toEqual([]);
  });

  it('waits for nobody, but says which process is writing', async () => {
    writeFileSync(`${lockFile()}.lock-${process.pid}-${os.hostname().replace(/[^\w-]/g, '_')}`, '');
    const { message, remedy } = await refused(['add', alpha, '--pool', pool, '--as', 'late']);
    expect(message).toContain(`pool.lock.json is being written by process ${process.pid}.`);
    expect(remedy).toContain('Wait for it');
    expect(experts()).not.toContain('late');
  });

  it('is not added to what comes with Gander', async () => {
    const shipped = path.resolve(path.dirname(bin), '../models/smollm2-135m');
    expect((await gander(['add', alpha, '--pool', shipped])).error).toMatch(/comes with Gander.*Copy the folder/);
    expect((await gander(['add', alpha])).error).toMatch(/--pool <folder>/);
  });
});

describe('gander pool verify', () => {
  it('lists what changed, is missing or new, and fails; pin takes it as it is', async () => {
    const newcomer = path.join(folder, 'newcomer');
    cpSync(alpha, newcomer, { recursive: true });
    rmSync(path.join(newcomer, 'gate.safetensors'));
    await parsed(['add', newcomer, '--pool', pool]);
    const at = (name: string) => path.join(pool, 'experts/newcomer', name);
    appendFileSync(at('README.md'), 'more');
    rmSync(at('examples.safetensors'));
    cpSync(path.join(alpha, 'gate.safetensors'), at('gate.safetensors'));
    const { code, out } = await gander(['pool', 'verify', pool]);
    expect(code).toBe(1);
    expect(out.split('\n').slice(0, 3)).toEqual([
      'newcomer/README.md  is changed',
      'newcomer/gate.safetensors  was not there',
      'newcomer/examples.safetensors  is missing',
    ]);
    await parsed(['pool', 'pin', pool, 'newcomer']);
    expect((await gander(['pool', 'verify', pool])).code).toBe(0);
    rmSync(path.join(pool, 'experts/newcomer'), { recursive: true });
    expect((await gander(['pool', 'verify', pool])).out).toMatch(/^newcomer {2}is missing$/m);
    expect((await gander(['pool', 'history', pool])).out).toMatch(/changed in the pool/);
  });
});

/** Until so many bytes of a file that is on its way are on the disk. */
const arrived = (bytes: number) => {
  const arriving = path.join(cache, 'gander/arriving');
  const parts = () =>
    (existsSync(arriving) ? (readdirSync(arriving, { recursive: true }) as string[]) : []).filter((name) =>
      name.endsWith('.part'),
    );
  return until(() => parts().some((name) => statSync(path.join(arriving, name)).size === bytes));
};

describe('an expert on a hub', () => {
  let hub: FakeHub;
  const files = filesOf(alpha);
  const main = {
    'README.md': Buffer.from('---\nname: Alpha\n---\n'),
    ...adapter(files),
    '.gitattributes': Buffer.from(''),
  };
  const card = { license: 'mit', base_model: 'someone/gander-tiny', datasets: ['a', 'b'] };
  beforeAll(async () => {
    const shown = { cardData: card, base: 'gander-tiny' };
    hub = await fakeHub(
      {
        'someone/tiny-lora': { revisions: { main, v1: { ...files, ...adapter(files) } }, ...shown },
        'someone/closed': { revisions: { main }, gated: true, ...shown },
        'someone/hidden': { revisions: { main }, private: true, ...shown },
        'someone/other': { revisions: { main }, base: 'meta/another-model' },
        'someone/pickle': {
          revisions: {
            main: { 'adapter_config.json': files['adapter_config.json']!, 'adapter_model.bin': Buffer.from('') },
          },
        },
      },
      arrived,
    );
  });
  afterAll(() => hub.close());
  beforeEach(() => {
    hub.faults.length = 0;
    rmSync(path.join(cache, 'gander/arriving'), { recursive: true, force: true });
  });
  const at = (more: Record<string, string> = {}) => ({ HF_ENDPOINT: hub.address, ...more });
  const add = (name: string, ...more: string[]) => ['add', `hf:${name}`, '--pool', pool, ...more];
  const largeAsked = (from: number) => hub.large.asked.slice(from).map(({ headers }) => headers.range);

  it('is added at a revision, and pinned at the commit that it stood for', async () => {
    const entry = await parsed<object>(add('someone/tiny-lora@v1'), at());
    const commit = hub.commit('someone/tiny-lora', 'v1');
    expect(entry).toMatchObject({
      id: 'tiny-lora',
      source: 'hf:someone/tiny-lora@v1',
      revision: commit,
      author: 'someone',
      base: 'named',
    });
    for (const [name, content] of Object.entries(files))
      expect(readFileSync(path.join(pool, 'experts/tiny-lora', name)).equals(content)).toBe(true);
    expect((await gander(['pool', 'verify', pool])).code).toBe(0);
    expect((await gander(['pool', 'history', pool])).out).toContain(commit.slice(0, 12));
  });

  it('shows its card without a file, and takes the address of its page, too', async () => {
    const before = hub.asked.length;
    const { out } = await gander(['add', `${hub.address}/someone/tiny-lora`, '--pool', pool, '--card'], at());
    expect(out).toMatch(/^licence +mit$/m);
    expect(out).toMatch(/^base +gander-tiny$/m);
    expect(out).toMatch(/^trained on +a, b$/m);
    expect(hub.asked.slice(before).filter(({ path: asked }) => asked.includes('/resolve/'))).toEqual([]);
    expect(experts()).toHaveLength(4);
  });

  it('needs no gate: Arrow takes it, and a line says how to train one', async () => {
    const { code, out } = await gander(add('someone/tiny-lora'), at());
    expect(code).toBe(0);
    expect(out).toMatch(/It has no gate: Arrow takes it as it is, PHATGOOSE never chooses it/);
    expect(out).toContain(
      `gander-training gate --base ${pool} --data texts.jsonl --expert ${path.join(pool, 'experts/tiny-lora')}`,
    );
    const { code: ran } = await gander(['route', 'def f(x):', '--pool', pool, '--strategy', 'arrow']);
    expect(ran).toBe(0);
    expect(readdirSync(path.join(pool, 'experts/tiny-lora')).sort()).toEqual([
      'README.md',
      ...Object.keys(adapter(files)),
    ]);
  });

  it('is fetched on where a connection broke', async () => {
    const before = hub.large.asked.length;
    hub.faults.push('break', 'break');
    await parsed(add('someone/tiny-lora'), at());
    const size = files['adapter_model.safetensors']!.length;
    expect(largeAsked(before)).toEqual([undefined, `bytes=${size / 2}-`, `bytes=${(3 * size) / 4}-`]);
  });

  it('is fetched on by the next command, after the first one gave up', async () => {
    hub.faults.push('break', 'drop', 'drop', 'drop');
    const before = hub.large.asked.length;
    const error = await refused(add('someone/tiny-lora'), at());
    expect(error).toMatchObject({ code: 'source-unreachable' });
    expect(error.remedy).toMatch(/goes on where it stopped/);
    expect(experts()).toHaveLength(4);
    await parsed(add('someone/tiny-lora'), at());
    const half = `bytes=${files['adapter_model.safetensors']!.length / 2}-`;
    expect(largeAsked(before)).toEqual([undefined, half, half, half, half]);
    expect((await gander(['pool', 'verify', pool])).code).toBe(0);
  });

  it('is refused if its hash is another, and nothing of it stays', async () => {
    hub.faults.push('spoil');
    const error = await refused(add('someone/tiny-lora'), at());
    expect(error).toMatchObject({ code: 'expert-invalid' });
    expect(error.message).toMatch(/adapter_model\.safetensors is not the file that .* lists .* SHA-256 differs/);
    expect(experts()).toHaveLength(4);
    expect(existsSync(lockFile())).toBe(false);
    const arrived = readdirSync(path.join(cache, 'gander/arriving'), { recursive: true }).map(String);
    expect(arrived.filter((name) => name.includes('adapter_model'))).toEqual([]);
    await parsed(add('someone/tiny-lora'), at());
  });

  it('needs a token if it is gated or private, and the token goes to no other host', async () => {
    const gated = await refused(add('someone/closed'), at());
    expect(gated).toMatchObject({ code: 'source-refused' });
    expect(gated.message).toMatch(/someone\/closed.* is gated/);
    expect(gated.remedy).toMatch(/Ask for access.*set HF_TOKEN/);
    const wrong = await refused(add('someone/closed'), at({ HF_TOKEN: 'hf_wrong' }));
    expect(wrong.remedy).toMatch(/check that the token in HF_TOKEN may read it/);
    expect(await refused(add('someone/hidden'), at())).toMatchObject({ code: 'source-refused' });
    await parsed(add('someone/closed'), at({ HF_TOKEN: hubToken }));
    mkdirSync(path.join(folder, '.cache/huggingface'), { recursive: true });
    writeFileSync(path.join(folder, '.cache/huggingface/token'), `${hubToken}\n`);
    await parsed(add('someone/hidden'), at({ XDG_CACHE_HOME: '' }));
    expect(hub.asked.some(({ headers }) => headers.authorization === `Bearer ${hubToken}`)).toBe(true);
    expect(hub.large.asked.length).toBeGreaterThan(0);
    expect(hub.large.asked.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
    expect(readFileSync(lockFile(), 'utf8')).not.toContain(hubToken);
  });

  it('is not there, under that name or at that revision', async () => {
    const revision = await refused(add('someone/tiny-lora@v9'), at());
    expect(revision).toMatchObject({ code: 'source-missing' });
    expect(revision.message).toMatch(/no such revision/);
    expect((await refused(add('someone/nothing'), at())).message).toMatch(/no such repository, or it is private/);
    expect(await refused(add('someone/nothing'), at({ HF_TOKEN: hubToken }))).toMatchObject({ code: 'source-missing' });
    expect((await refused(add('../../etc'), at())).code).toBe('request-invalid');
    expect((await refused(['add', 'someone/tiny-lora', '--pool', pool], at())).remedy).toMatch(/hf:someone\/tiny-lora/);
  });

  it('is not fetched if it was made for another base, unless it is to be', async () => {
    const before = hub.asked.length;
    const error = await refused(add('someone/other'), at());
    expect(error.message).toMatch(/made for meta\/another-model, not for Tiny Llama/);
    expect(hub.asked.slice(before).filter(({ path: asked }) => asked.includes('/resolve/'))).toEqual([]);
    expect(await parsed<object>(add('someone/other', '--other-base'), at())).toMatchObject({ id: 'other' });
  });

  it('is refused as a pickle', async () => {
    expect((await refused(add('someone/pickle'), at())).remedy).toMatch(/pickle, which may run code/);
  });

  it('cannot be reached, or is not to be', async () => {
    const closed = await listen(() => undefined);
    await closed.close();
    expect(await refused(add('someone/tiny-lora'), at({ HF_ENDPOINT: closed.address }))).toMatchObject({
      code: 'source-unreachable',
    });
    const before = hub.asked.length;
    expect((await refused(add('someone/tiny-lora'), at({ HF_HUB_OFFLINE: '1' }))).message).toMatch(/HF_HUB_OFFLINE/);
    expect(hub.asked.length).toBe(before);
  });

  it('comes by the proxy of the environment', async () => {
    const through: string[] = [];
    const proxy = createServer((asked, answer) => {
      through.push(new URL(asked.url!).host);
      asked.pipe(
        request(asked.url!, { method: asked.method!, headers: asked.headers }, (got) =>
          got.pipe(answer.writeHead(got.statusCode!, got.headers)),
        ),
      );
    });
    proxy.on('connect', ({ url }, socket) => {
      through.push(url!);
      const [host, port] = url!.split(':');
      const there = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        there.pipe(socket).pipe(there);
      });
      for (const one of [there, socket]) one.on('error', () => [there, socket].forEach((end) => end.destroy()));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const { port } = proxy.address() as { port: number };
    await parsed(add('someone/tiny-lora'), at({ HTTP_PROXY: `http://127.0.0.1:${port}` }));
    const hosts = [hub.address, hub.large.address].map((one) => new URL(one).host);
    expect([...new Set(through)].sort()).toEqual(hosts.sort());
    through.length = 0;
    await parsed(
      add('someone/tiny-lora', '--as', 'again'),
      at({ HTTP_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: '127.0.0.1' }),
    );
    expect(through).toEqual([]);
  });
});

describe('a packed expert at an address', () => {
  it('is fetched after a redirect, and on where a connection broke; its card comes from its beginning', async () => {
    rmSync(path.join(pool, 'experts/alpha'), { recursive: true });
    const { file, sha256: packed } = await parsed<Packed>(['pack', 'alpha', '--pool', tinyPool]);
    const content = readFileSync(file);
    let sent = 0;
    const server = await listen(({ path: asked, headers }, response) => {
      if (!asked.startsWith('/files/')) return response.writeHead(302, { Location: `/files${asked}` }).end();
      const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, { 'Content-Length': content.length - from, ETag: '"one"' });
      // The first is for the card.
      if (++sent !== 2) return response.end(content.subarray(from));
      const half = content.length / 2;
      return response.write(content.subarray(0, half), () => void arrived(half).finally(() => response.destroy()));
    });
    onTestFinished(() => server.close());
    const address = `${server.address}/${path.basename(file)}`;
    expect((await gander(['add', address, '--pool', pool, '--card'])).out).toMatch(/^expert +alpha /m);
    sent = 0;
    const looked = server.asked.length;
    expect(await parsed<object>(['add', address, '--pool', pool])).toMatchObject({
      id: 'alpha',
      source: address,
      packed,
    });
    const ranges = server.asked.slice(looked).map(({ headers }) => headers.range);
    expect(ranges.at(-1)).toBe(`bytes=${content.length / 2}-`);
    const wrong = `${server.address}/alpha-${'0'.repeat(64)}.tar`;
    expect((await refused(['add', wrong, '--pool', pool, '--as', 'b'])).message).toMatch(
      /not the file that its name says/,
    );
    expect((await gander(['add', 'http://example.invalid/alpha.tar', '--pool', pool])).error).toMatch(
      /without encryption/,
    );
  });
});

/** Servers through the command line: a separate process asks them and reads their answers. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { remoteClient } from '../../src/engine/remote.js';
import { decodeTrace } from '../../src/trace/file/file.js';
import { atRun, page, silent } from '../servers/hostile.js';
import { type Handler, listen } from '../servers/http.js';
import { knownText, run } from '../servers/model.js';
import { sglang } from '../servers/sglang.js';
import { knowing, vllm } from '../servers/vllm.js';
import { builtCli, root, temporaryFolder } from './support.js';

const bin = builtCli();
const config = path.join(root, 'test/fixtures/imports/config.json');
const local = path.join(root, 'test/fixtures/moe/mixtral-transformers');
knowing(knownText);
knowing('the goose');
const good = vllm({ version: '0.22.1' });

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

function gander(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, error] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (part: string) => (out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (error += part));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, error })));
}

async function serving(handler: Handler) {
  const server = await listen(handler);
  onTestFinished(() => server.close());
  return server;
}

describe('gander with --engine', () => {
  it('routes on vLLM, and saves the trace', async () => {
    const { address } = await serving(good);
    const file = path.join(temporaryFolder(), 'run.gander.safetensors');
    const { code, out, error } = await gander([
      'route',
      knownText,
      '--engine',
      address,
      '--config',
      config,
      '--trace',
      file,
    ]);
    expect([code, error]).toEqual([0, '']);
    expect(out).toContain('def');
    const trace = decodeTrace(readFileSync(file));
    expect(trace.source).toMatchObject({ kind: 'vllm', versions: { vllm: '0.22.1' } });
    const { chosen } = run(knownText, 1);
    expect([...trace.blocks[0]!.chosen]).toEqual([0, 1].flatMap((layer) => chosen.flatMap((row) => row[layer]!)));
  });

  it('warns of assumptions, and says the same in JSON', async () => {
    const { address } = await serving(good);
    const { error } = await gander(['route', 'the goose', '--engine', address]);
    expect(error).toMatch(/^gander: warning: The server does not say how many experts a layer has/);
    const { out } = await gander(['route', 'the goose', '--engine', address, '--json']);
    expect(JSON.parse(out)).toMatchObject({
      source: { kind: 'vllm', name: 'tiny-mixtral' },
      codedWarnings: [{ code: 'experts-unknown' }],
      absent: expect.arrayContaining(['weights', 'router logits']) as unknown,
    });
  });

  it('generates on SGLang', async () => {
    const { address } = await serving(sglang({ version: '0.6.0' }));
    const { code, out } = await gander(['generate', 'the goose', '-n', '3', '--engine', address]);
    expect([code, out]).toEqual([0, `${run('the goose', 3).more}\n`]);
  });

  it('describes a server', async () => {
    const { address } = await serving(good);
    const { out } = await gander(['inspect', '--engine', address]);
    expect(out).toMatch(/^tiny-mixtral\nengine +vllm\n/);
    expect(out).toContain(address);
    expect(out).toMatch(/can +route, generate\n/);
  });

  it('takes its token only from the environment', async () => {
    const { address, asked } = await serving(vllm({ version: '0.22.1', token: 'secret' }));
    const none = await gander(['route', 'the goose', '--engine', address]);
    expect([none.code, none.error]).toEqual([
      1,
      `gander: ${address} asks for a token. Give it one. Gander: Connect to Engine… asks for it; the command line reads GANDER_ENGINE_TOKEN.\n`,
    ]);
    const given = await gander(['route', 'the goose', '--engine', address], { GANDER_ENGINE_TOKEN: 'secret' });
    expect(given.code, given.error).toBe(0);
    expect(asked.at(-1)!.headers.authorization).toBe('Bearer secret');
    expect((await gander(['route', 'a', '--engine', address, '--token', 'secret'])).code).toBe(2);
  });

  describe.skipIf(process.platform === 'win32')('of another machine, over http', () => {
    /** This machine, by an address that does not show it. */
    const elsewhere = (address: string) => address.replace('127.0.0.1', '0.0.0.0');
    const warning =
      /^gander: warning: Text, and the token if there is one, go to http:\/\/0\.0\.0\.0:\d+ without encryption/;

    it('warns once, before any answer arrives', async () => {
      let [first, open] = [true, () => {}];
      const warned = new Promise<void>((resolve) => (open = resolve));
      const { address } = await serving(async (asked, response) => {
        // Held back until the warning is seen; otherwise this would wait forever.
        if (first) await warned;
        first = false;
        return good(asked, response);
      });
      const child = spawn(process.execPath, [bin, 'route', 'the goose', '--engine', elsewhere(address)], {
        cwd: root,
        env: { ...process.env, GANDER_ENGINE_TOKEN: 'secret' },
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      let error = '';
      child.stderr.setEncoding('utf8').on('data', (part: string) => {
        error += part;
        if (warning.test(error)) open();
      });
      expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
      expect(error.match(/without encryption/g)).toHaveLength(1);
    });

    it('also warns if a web page answers, and in JSON for scripts', async () => {
      const { address } = await serving(page);
      const said = await gander(['route', 'the goose', '--engine', elsewhere(address)], {
        GANDER_ENGINE_TOKEN: 'secret',
      });
      expect(said.error).toMatch(warning);
      expect(said.error).toMatch(/\ngander: \S+ answers with a web page\./);
      const { error } = await gander(['route', 'the goose', '--engine', elsewhere(address), '--json']);
      expect(
        error
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as object),
      ).toMatchObject([{ warning: { code: 'not-encrypted' } }, { error: { code: 'server-unknown' } }]);
    });
  });

  it('refuses in one line what the server or the command line cannot do', async () => {
    const { address } = await serving(good);
    const lines: [string[], number, RegExp][] = [
      [['route', 'the goose', '--engine', address, '--knock-out', '0.1'], 1, /does not let its routers be changed/],
      [['route', 'the goose', '--engine', address, '--strategy', 'phatgoose'], 2, /--strategy is for pools/],
      [['attribute', 'the goose', '--engine', address], 1, /does not let its routers be changed/],
      [['route', 'the goose', '--engine', 'ftp://host'], 1, /neither http nor https/],
      [['route', 'the goose', '--engine', address, '--pool', 'models'], 2, /--pool or --engine/],
      [['route', 'the goose', '--config', config], 2, /--config is for --engine/],
      [['score', config, '--engine', address], 1, /Gander does not score texts on this server/],
    ];
    for (const [args, code, message] of lines) {
      const ended = await gander(args);
      const said = ended.error.split('\n').filter((line) => line !== '' && !line.includes('warning'));
      expect([ended.code, said.length]).toEqual([code, 1]);
      expect(said[0]).toMatch(message);
    }
  });
});

describe('gander compare, across engines', () => {
  it('runs one text on two servers, and says how they split it', async () => {
    const [one, other] = [await serving(good), await serving(sglang({ version: '0.6.0' }))];
    const { code, out } = await gander([
      'compare',
      'the goose',
      '--engine',
      one.address,
      '--with-engine',
      other.address,
      '--json',
    ]);
    expect(code).toBe(0);
    const { cutAlike, tokens } = JSON.parse(out) as { cutAlike: boolean; tokens: { same: boolean }[] };
    expect(cutAlike).toBe(true);
    expect(tokens.map(({ same }) => same)).toEqual([false, true, true]);
  });

  it('runs a file’s text on a model on this machine, and says that its tokenizer differs', async () => {
    const { address } = await serving(good);
    const file = path.join(temporaryFolder(), 'run.gander.safetensors');
    await gander(['route', 'the goose', '--engine', address, '--trace', file]);
    const { code, out, error } = await gander(['compare', file, '--with-engine', local]);
    expect(code, error).toBe(0);
    expect(out).toContain(
      'The two runs cut the text into tokens differently: only tokens that both have are compared.',
    );
  });

  it('sends each server its own token and no other', async () => {
    const [one, other] = [await serving(good), await serving(good)];
    const { code } = await gander(['compare', 'the goose', '--engine', one.address, '--with-engine', other.address], {
      GANDER_ENGINE_TOKEN: 'first',
      GANDER_WITH_ENGINE_TOKEN: 'second',
    });
    expect(code).toBe(0);
    const sent = ({ asked }: typeof one) => [...new Set(asked.map(({ headers }) => headers.authorization))];
    expect([sent(one), sent(other)]).toEqual([['Bearer first'], ['Bearer second']]);
  });

  it('needs a text in the file', async () => {
    const file = path.join(root, 'test/fixtures/imports/typescript.gander.safetensors');
    const { code, error } = await gander(['compare', file, '--with-engine', local]);
    expect([code, error]).toEqual([2, expect.stringContaining('does not contain its text')]);
  });
});

describe('the process that asks a server', () => {
  const entry = path.join(path.dirname(bin), 'remote.cjs');

  it('reads many answers at once, and ends afterwards', async () => {
    const { address } = await serving(sglang({ version: '0.6.0' }));
    const client = remoteClient({ address, access: {}, entry, patienceMs: 30_000 });
    const texts = Array.from({ length: 100 }, (_, i) => `goose ${i}`);
    const traces = await Promise.all(texts.map((text) => client.route({ text })));
    expect(traces.map(({ sequences }) => sequences[0]!.text)).toEqual(texts);
    client.dispose();
    expect(client.pid).toBeUndefined();
  });

  it('stays alive if a server is silent', async () => {
    const { address } = await serving(atRun(sglang({ version: '0.6.0' }), silent, '/generate'));
    const client = remoteClient({ address, access: {}, entry, patienceMs: 300 });
    await expect(client.route({ text: 'a' })).rejects.toMatchObject({ code: 'server-unreachable' });
    expect(client.state).toEqual({ name: 'ready', busy: false });
    client.dispose();
  });

  it('when killed in the middle of a run, rejects its requests, and another takes its place', async () => {
    const hold = { silent: true };
    const inner = sglang({ version: '0.6.0' });
    const { address, asked } = await serving((one, response) =>
      one.path === '/generate' && hold.silent ? undefined : inner(one, response),
    );
    const client = remoteClient({ address, access: {}, entry, patienceMs: 30_000 });
    const running = client.route({ text: 'a' });
    await expect.poll(() => asked.some(({ path: asking }) => asking === '/generate'), { timeout: 20_000 }).toBe(true);
    process.kill(client.pid!, 'SIGKILL');
    await expect(running).rejects.toMatchObject({ code: 'engine-died' });
    hold.silent = false;
    expect((await client.route({ text: 'a' })).modules).toHaveLength(2);
    client.dispose();
  });

  it('writes no token anywhere', async () => {
    const { address } = await serving(good);
    const lines: string[] = [];
    const client = remoteClient({
      address,
      access: { token: 'secret\nsecret' },
      entry,
      patienceMs: 3000,
      log: (line) => lines.push(line),
    });
    await expect(client.info()).rejects.toMatchObject({ code: 'server-refused' });
    client.dispose();
    expect(lines.join('\n')).not.toContain('secret');
  });
});

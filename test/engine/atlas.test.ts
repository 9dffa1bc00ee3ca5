/** `gander atlas` as a person runs it, compared with sums over saved traces of the same documents. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readMade } from '../../src/atlas/files/folder.js';
import { pack } from '../../src/atlas/pack.js';
import { random } from '../../src/statistics/random.js';
import { decodeTrace, encodeTrace } from '../../src/trace/file/file.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { type Handler, json, listen } from '../servers/http.js';
import { run } from '../servers/model.js';
import { knowing, vllm } from '../servers/vllm.js';
import { drawn, traceOf } from '../unit/atlas/planted.js';
import { builtCli, root, temporaryFolder, tinyPool } from './support.js';

const cli = builtCli();
const cache = temporaryFolder();
const [mixture, jetmoe] = ['qwen2-moe', 'jetmoe'].map((name) =>
  path.join(root, `test/fixtures/moe/${name}-transformers`),
) as [string, string];

function gander(cwd: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', cwd });
  return { status, stdout, stderr };
}

/** For what this process itself answers meanwhile. */
function ganderOf(cwd: string, ...args: string[]): Promise<{ readonly status: number; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], { cwd }, (failed, _stdout, stderr) =>
      resolve({ status: failed ? Number(failed.code) : 0, stderr }),
    );
  });
}

async function serving(handler: Handler) {
  const server = await listen(handler);
  onTestFinished(() => server.close());
  return server;
}

function corpus(): string {
  const folder = temporaryFolder();
  const files = {
    'corpus/code/add.py': 'def add(a, b):\n    return a + b\n',
    'corpus/code/sub.py': 'def sub(a, b):\n    return a - b\n',
    'corpus/prose/cat.txt': 'The cat sat on the mat, and the mat was flat.\n',
    'corpus/prose/long.txt': Array.from({ length: 40 }, (_, i) => `This is line ${i} of a text.\n`).join(''),
    'corpus/prose/empty.txt': '',
    'corpus/prose/picture': new Uint8Array([137, 80, 0, 1]),
    'corpus/prose/latin.txt': new Uint8Array([99, 97, 102, 233]),
    'corpus/.hidden/no.txt': 'no document',
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

interface Shown {
  readonly totals: { readonly documents: number; readonly tokens: number };
  readonly leftOut: readonly { readonly document: string; readonly why: string }[];
  readonly experts: readonly Readonly<Record<string, number | string | null>>[];
  readonly labels: readonly Readonly<Record<string, number | string | null>>[];
  readonly documents: readonly Readonly<Record<string, number | string | null>>[];
  readonly contexts: readonly Readonly<Record<string, number | string | null>>[];
}

const shown = (cwd: string, atlas: string) => JSON.parse(gander(cwd, 'atlas', 'show', atlas, '--json').stdout) as Shown;

/** Direct counts over saved traces: choices by layer and expert's id, of all text tokens. */
function countedIn(traces: readonly Trace[]): Map<string, { count: number; weight: number }> {
  const found = new Map<string, { count: number; weight: number }>();
  for (const { modules, blocks, sequences, expertSets } of traces)
    for (const { from, to, k, chosen, weight, sequence } of blocks) {
      const { tokens } = sequences[sequence]!;
      for (let s = from; s < to; s++)
        for (let i = 0; i < tokens.count * k; i++) {
          const at = (s - from) * tokens.count * k + i;
          if (chosen[at]! < 0 || tokens.special?.[Math.floor(i / k)]) continue;
          const unit = expertSets[modules[s]!.expertSet]!.experts[chosen[at]!]!.id;
          const key = `${modules[s]!.layer} ${unit}`;
          const { count, weight: sum } = found.get(key) ?? { count: 0, weight: 0 };
          found.set(key, { count: count + 1, weight: sum + weight![at]! });
        }
    }
  return found;
}

const files = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name)).toString('latin1')]),
  );

describe.each([
  ['a pool', ['--pool', tinyPool]],
  ['a mixture', ['--model', mixture]],
  ['a mixture with two routers in a layer', ['--model', jetmoe]],
])('an atlas of %s', (_name, model) => {
  it('agrees with the traces of its documents', () => {
    const cwd = corpus();
    const made = gander(cwd, 'atlas', 'make', 'corpus', '-o', 'all.gander-atlas', ...model, '--cache', cache);
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const { totals, leftOut, experts, documents, contexts } = shown(cwd, 'all.gander-atlas');
    expect(leftOut).toEqual([
      { document: 'corpus/prose/empty.txt', why: 'is empty' },
      { document: 'corpus/prose/latin.txt', why: 'is not UTF-8' },
      { document: 'corpus/prose/picture', why: 'is binary' },
    ]);
    expect(documents.map(({ document, label }) => [document, label])).toEqual([
      ['corpus/code/add.py', 'code'],
      ['corpus/code/sub.py', 'code'],
      ['corpus/prose/cat.txt', 'prose'],
      ['corpus/prose/long.txt', 'prose'],
    ]);
    // A document longer than the context is split, but its contexts give offsets in the whole text.
    const parts = documents.map(({ parts }) => Number(parts));
    const long = readFileSync(path.join(cwd, 'corpus/prose/long.txt'), 'utf8');
    for (const { document, text, start, end } of contexts)
      if (document === 'corpus/prose/long.txt' && start !== null)
        expect(long.slice(Number(start), Number(end))).toBe(text);

    const whole = documents.filter((_, d) => parts[d] === 1).map(({ document }) => String(document));
    gander(cwd, 'route', '--trace', 'traces', ...model, '--cache', cache, '--file', ...whole);
    const traces = whole.map((name) =>
      decodeTrace(readFileSync(path.join(cwd, 'traces', `${path.basename(name)}.gander.safetensors`))),
    );
    // The same documents again, this time as saved traces.
    expect(gander(cwd, 'atlas', 'make', 'traces', '-o', 'saved.gander-atlas')).toMatchObject({ status: 0, stderr: '' });
    const saved = shown(cwd, 'saved.gander-atlas');
    const plain = countedIn(traces);
    for (const { layer, name, tokens, weight } of saved.experts) {
      if (layer === null) continue;
      const unit = plain.get(`${layer!} ${name!}`) ?? { count: 0, weight: NaN };
      expect(tokens).toBe(unit.count);
      if (unit.count > 0) expect(Math.abs(Number(weight) - unit.weight / unit.count)).toBeLessThan(1e-6);
    }
    if (whole.length === documents.length) {
      expect(experts.map(({ tokens, load }) => [tokens, load])).toEqual(
        saved.experts.map(({ tokens, load }) => [tokens, load]),
      );
      expect(totals.tokens).toBe(saved.totals.tokens);
    } else expect(parts).toEqual([1, 1, 1, Math.max(...parts)]);
  });
});

describe('gander atlas on a server', () => {
  const config = path.join(root, 'test/fixtures/imports/config.json');
  const texts = Array.from({ length: 12 }, (_, d) => `the goose ${'and the gander '.repeat(d + 1)}`);
  const corpusIn = () => {
    const cwd = temporaryFolder();
    mkdirSync(path.join(cwd, 'corpus'));
    texts.forEach((text, d) => writeFileSync(path.join(cwd, `corpus/${d}.txt`), text));
    return cwd;
  };

  it('routes several documents at a time, asks again after a failure, and lists what fails', async () => {
    texts.forEach(knowing);
    const good = vllm({ version: '0.22.1' });
    const idsOf = (d: number) => String(run(texts[d]!, 1).prompt);
    const failures = new Map<string, number>();
    let [underWay, open] = [0, () => {}];
    const several = new Promise<void>((resolve) => (open = resolve));
    const { address } = await serving(async (asked, response) => {
      const prompt = String(asked.body?.['prompt']);
      if (asked.path !== '/v1/completions') return good(asked, response);
      // Nothing is answered before two have asked; one after the other, they would wait for ever.
      if (++underWay === 2) open();
      await several;
      const times = failures.get(prompt) ?? 0;
      failures.set(prompt, times + 1);
      // The first text fails always, the second once.
      if (prompt === idsOf(0) || (prompt === idsOf(1) && times === 0))
        return json(response, { message: 'CUDA error' }, 500);
      return good(asked, response);
    });
    const cwd = corpusIn();
    const made = await ganderOf(
      cwd,
      'atlas',
      'make',
      'corpus',
      '-o',
      's.gander-atlas',
      '--engine',
      address,
      '--config',
      config,
    );
    expect(made).toMatchObject({ status: 0 });
    const { leftOut, experts, documents } = shown(cwd, 's.gander-atlas');
    expect(leftOut).toEqual([{ document: 'corpus/0.txt', why: expect.stringMatching(/failed: CUDA error/) as string }]);
    expect(documents.length).toBe(texts.length - 1);
    const counts = new Map<string, number>();
    for (const text of texts.slice(1))
      run(text, 1)
        .chosen.slice(1)
        .forEach((row) =>
          row.forEach((chosen, layer) =>
            chosen.forEach((e) => counts.set(`${layer}.${e}`, (counts.get(`${layer}.${e}`) ?? 0) + 1)),
          ),
        );
    for (const { name, tokens } of experts) expect([name, tokens]).toEqual([name, counts.get(String(name)) ?? 0]);
  });

  it('stopped with Ctrl-C, keeps what is done and continues', async () => {
    texts.forEach(knowing);
    const good = vllm({ version: '0.22.1' });
    let [answered, stop]: [number, (() => void) | undefined] = [0, undefined];
    const { address, asked } = await serving((one, response) => {
      if (one.path !== '/v1/completions' || !stop || answered++ < 6) return good(one, response);
      // Never answered: only stopping ends the run.
      stop();
      return undefined;
    });
    const cwd = corpusIn();
    const make = (name: string) => ['atlas', 'make', 'corpus', '-o', name, '--engine', address, '--config', config];
    expect(await ganderOf(cwd, ...make('whole.gander-atlas'))).toMatchObject({ status: 0 });
    const child = spawn(process.execPath, [cli, ...make('stopped.gander-atlas')], { cwd });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part));
    // Once, though several documents are on their way: a second Ctrl-C ends the process at once.
    stop = () => {
      if (!child.killed) child.kill('SIGINT');
    };
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(130);
    expect(stderr).toMatch(/Stopped; what is done is kept\. Run the same command to continue\./);
    stop = undefined;
    const before = asked.length;
    expect(await ganderOf(cwd, ...make('stopped.gander-atlas'))).toMatchObject({ status: 0 });
    // Only the others are run.
    const completions = asked.slice(before).filter(({ path: at }) => at === '/v1/completions');
    expect(completions.length).toBeLessThan(texts.length);
    expect(files(path.join(cwd, 'stopped.gander-atlas'))).toEqual(files(path.join(cwd, 'whole.gander-atlas')));
  });

  it('in the making is refused to a second run, and free once the first was killed', async () => {
    texts.forEach(knowing);
    const good = vllm({ version: '0.22.1' });
    let [hangs, asked]: [boolean, () => void] = [true, () => {}];
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const { address } = await serving((one, response) => {
      if (one.path !== '/v1/completions' || !hangs) return good(one, response);
      asked();
      return undefined;
    });
    const cwd = corpusIn();
    const make = ['atlas', 'make', 'corpus', '-o', 'one.gander-atlas', '--engine', address, '--config', config];
    const first = spawn(process.execPath, [cli, ...make], { cwd });
    const ended = new Promise((resolve) => first.on('close', resolve));
    await isAsked;
    const second = await ganderOf(cwd, ...make);
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(
      `one.gander-atlas is being written by process ${first.pid!}. Wait for it, or stop it.`,
    );
    first.kill('SIGKILL');
    await ended;
    hangs = false;
    expect(await ganderOf(cwd, ...make)).toMatchObject({ status: 0 });
    expect(readdirSync(cwd).sort()).toEqual(['corpus', 'one.gander-atlas']);
  });

  it('refuses one whose number of experts is not known', async () => {
    const { address } = await serving(vllm({ version: '0.22.1' }));
    const made = await ganderOf(corpusIn(), 'atlas', 'make', 'corpus', '-o', 's.gander-atlas', '--engine', address);
    expect(made.stderr).toMatch(/does not tell how many experts its layers have.*--config/);
  });
});

describe('gander atlas', () => {
  const cwd = temporaryFolder();
  const next = random(9);
  mkdirSync(path.join(cwd, 'traces/a'), { recursive: true });
  mkdirSync(path.join(cwd, 'traces/b'), { recursive: true });
  for (let d = 0; d < 12; d++) {
    const ids = Array.from({ length: 200 }, () => Math.floor(next() * 50));
    const chosen = [0, 1].map(() => ids.map(() => drawn([1, 2, 3, 4, 5, 6, 7, 8], next)));
    writeFileSync(
      path.join(cwd, `traces/${'ab'[d % 2]!}/${d}.gander.safetensors`),
      encodeTrace(traceOf(8, chosen, ids)),
    );
  }
  expect(gander(cwd, 'atlas', 'make', 'traces', '-o', 'whole.gander-atlas').stderr).toBe('');
  const whole = files(path.join(cwd, 'whole.gander-atlas'));

  it('killed 30 times at any moment, continues and equals an uninterrupted run', async () => {
    const journal = path.join(cwd, 'killed.gander-atlas.journal');
    const inode = () => statSync(journal, { throwIfNoEntry: false })?.ino;
    const isMade = () => existsSync(path.join(cwd, 'killed.gander-atlas'));
    let killed = 0;
    while (killed < 30 || !isMade()) {
      if (isMade()) rmSync(path.join(cwd, 'killed.gander-atlas'), { recursive: true });
      const before = inode();
      const child = spawn(process.execPath, [cli, 'atlas', 'make', 'traces', '-o', 'killed.gander-atlas'], { cwd });
      const ended = new Promise<string | null>((resolve) => child.on('close', (_code, signal) => resolve(signal)));
      const wait = Math.floor(3 * next());
      const timer = setInterval(() => {
        if (inode() !== before) setTimeout(() => child.kill('SIGKILL'), wait);
      }, 1);
      if ((await ended) === 'SIGKILL') killed++;
      clearInterval(timer);
      if (isMade()) expect(files(path.join(cwd, 'killed.gander-atlas'))).toEqual(whole);
    }
    expect(files(path.join(cwd, 'killed.gander-atlas'))).toEqual(whole);
  });

  it('merged from shards, equals one that was made in one go', () => {
    for (const at of [1, 2, 3])
      expect(gander(cwd, 'atlas', 'make', 'traces', '-o', `${at}.gander-atlas`, '--shard', `${at}/3`).stderr).toBe('');
    const merged = gander(
      cwd,
      'atlas',
      'merge',
      ...['3', '1', '2'].map((at) => `${at}.gander-atlas`),
      '-o',
      'm.gander-atlas',
    );
    expect(merged).toMatchObject({ status: 0, stderr: '' });
    expect(files(path.join(cwd, 'm.gander-atlas'))).toEqual(whole);
  });

  it('merged from parts that gander-trace made, equals what gander-trace made in one go', () => {
    const fixtures = path.join(root, 'test/fixtures/atlas');
    const parts = ['1', '0'].map((at) => path.join(fixtures, `python-parts/${at}.gander-atlas`));
    const merged = gander(cwd, 'atlas', 'merge', ...parts, '-o', 'python.gander-atlas');
    expect(merged).toMatchObject({ status: 0, stderr: '' });
    const sums = readFileSync(path.join(cwd, 'python.gander-atlas/sums.safetensors'));
    expect(Buffer.compare(sums, pack(readMade(path.join(fixtures, 'python.gander-atlas')).sums.state))).toBe(0);
    const { totals, experts } = shown(cwd, 'python.gander-atlas');
    expect(totals.documents).toBe(24);
    expect(experts.filter(({ label }) => label !== null)).toMatchObject([{ name: '0.5', label: 'b' }]);
  });

  it('merged, keeps names and notes, and says where two parts name a unit differently', () => {
    const named = (at: string, ...names: object[]) => {
      const make = ['atlas', 'make', 'traces', '-o', `named ${at}`, '--shard', `${at}/2`];
      expect(gander(cwd, ...make).stderr).toBe('');
      const json = JSON.stringify({ format: 'gander-atlas-names', version: 1, names });
      writeFileSync(path.join(cwd, `named ${at}/names.json`), json);
    };
    const unit = { stack: null, layer: 1, router: null, expert: 3 };
    named('1', { ...unit, name: 'brackets', note: '' });
    named('2', { ...unit, name: 'closing', note: 'not in prose' }, { ...unit, layer: 0, name: 'spaces', note: '' });
    const merged = gander(cwd, 'atlas', 'merge', 'named 1', 'named 2', '-o', 'named.gander-atlas');
    expect(merged).toMatchObject({ status: 0, stderr: '' });
    expect(merged.stdout).toContain('1, expert 3 keeps the name "brackets" of named 1; named 2 calls it "closing"\n');
    const { names } = JSON.parse(readFileSync(path.join(cwd, 'named.gander-atlas/names.json'), 'utf8')) as {
      names: object[];
    };
    expect(names).toEqual([
      { ...unit, layer: 0, name: 'spaces', note: '' },
      { ...unit, name: 'brackets', note: 'not in prose' },
    ]);
  });

  it.skipIf(process.platform === 'win32')('that a full disk stopped says so, and continues once there is room', () => {
    // A limit on the size of files stands for the disk.
    const most = Math.floor(statSync(path.join(cwd, 'whole.gander-atlas/sums.safetensors')).size / 2 / 1024);
    const make = ['atlas', 'make', 'traces', '-o', 'full.gander-atlas'];
    const limited = `ulimit -f ${most}; exec "$0" "$@"`;
    const { status, stderr } = spawnSync('bash', ['-c', limited, process.execPath, cli, ...make], {
      encoding: 'utf8',
      cwd,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^gander: Could not write full\.gander-atlas\.journal: EFBIG\. Check the path, its permissions and free space\.\n$/,
    );
    // The journal is that of the last document that had room.
    const left = readdirSync(cwd).filter((name) => name.startsWith('full.') && !name.endsWith('.journal'));
    expect(left).toEqual([]);
    expect(gander(cwd, ...make)).toMatchObject({ status: 0, stderr: '' });
    expect(files(path.join(cwd, 'full.gander-atlas'))).toEqual(whole);
  });

  it('of one label compares none', () => {
    const folder = temporaryFolder();
    cpSync(path.join(cwd, 'traces/a'), path.join(folder, 'only/a'), { recursive: true });
    const { stdout } = gander(folder, 'atlas', 'make', 'only', '-o', 'only.gander-atlas');
    expect(stdout).toMatch(/6 documents, 1200 tokens, 1 label,.*\nchance: no labels to compare\n/);
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['nothing', {}, /^gander: No files were found\. Give files, or folders with files\.\n$/],
    ['no row', { 'rows.jsonl': '' }, /^gander: There is no document in this part of the corpus\. [^\n]*\n$/],
    [
      'empty files',
      { 'a.txt': '', 'b.txt': '', 'c.jsonl': '{"text": ""}\n' },
      /^gander: None of 3 documents could be read; no text\/a\.txt is empty\. Give files that contain UTF-8 text\.\n$/,
    ],
  ])('of %s says so in one line, and leaves nothing behind', (_name, content, message) => {
    const folder = temporaryFolder();
    mkdirSync(path.join(folder, 'no text'));
    for (const [name, text] of Object.entries(content)) writeFileSync(path.join(folder, 'no text', name), text);
    const of = ['--pool', tinyPool, '--cache', cache];
    const { status, stderr } = gander(folder, 'atlas', 'make', 'no text', '-o', 'no.gander-atlas', ...of);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(readdirSync(folder)).toEqual(['no text']);
  });

  it('reads one document per line', () => {
    const lines = [
      { body: 'one text', topic: 'x', key: 1 },
      { body: 'another text', topic: 'y', key: 2 },
      { body: 'of the same key', topic: 'y', key: 2 },
      { topic: 'y', key: 3 },
    ];
    writeFileSync(path.join(cwd, 'd.jsonl'), `${lines.map((line) => JSON.stringify(line)).join('\n')}\nno json\n`);
    const fields = ['--text', 'body', '--label', 'topic', '--id', 'key'];
    const of = ['--pool', tinyPool, '--cache', cache];
    expect(gander(cwd, 'atlas', 'make', 'd.jsonl', '-o', 'd.gander-atlas', ...fields, ...of).stderr).toBe('');
    const { documents, leftOut } = shown(cwd, 'd.gander-atlas');
    expect(documents.map(({ document, label, place }) => [document, label, place])).toEqual([
      ['1', 'x', 'd.jsonl:1'],
      ['2', 'y', 'd.jsonl:2'],
    ]);
    expect(leftOut.map(({ why }) => why).sort()).toEqual([
      'has no text in "body"',
      'has the same id as another document',
      'is not a JSON object',
    ]);
  });

  it('reads pairs for an encoder-decoder', () => {
    const pairs = [
      { text: 'why?', target: 'because the gate was open.', label: 'long' },
      { text: 'the farmer counts sheep near the old mill every morning. why?', target: 'no.', label: 'short' },
      { text: 'and now?', label: 'none' },
    ];
    const file = path.join(cwd, 'pairs.jsonl');
    writeFileSync(file, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''));
    const of = ['--pool', path.join(root, 'test/fixtures/tiny-t5'), '--cache', cache];
    const make = ['atlas', 'make', 'pairs.jsonl', '--target', 'target'];
    expect(gander(cwd, ...make, '-o', 'pairs.gander-atlas', ...of).stderr).toBe('');
    const { documents, experts, leftOut, contexts } = shown(cwd, 'pairs.gander-atlas');
    expect(documents.map(({ label }) => label)).toEqual(['long', 'short']);
    const outputs = contexts.filter(({ sequence, start }) => sequence === 1 && start !== null);
    expect(outputs.length).toBeGreaterThan(0);
    for (const { document, text, start, end } of outputs)
      expect(pairs[Number(String(document).at(-1)) - 1]!.target!.slice(Number(start), Number(end))).toBe(text);
    expect(new Set(experts.map(({ stack }) => stack))).toEqual(new Set(['encoder', 'decoder']));
    expect(leftOut).toEqual([{ document: 'pairs.jsonl:3', why: 'has no text in "target"' }]);
    expect(gander(cwd, ...make, '-o', 'no.gander-atlas', '--pool', tinyPool, '--cache', cache)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--target is for encoder-decoders') as string,
    });
  });

  it('reads JSON lines from stdin', () => {
    const made = spawnSync(
      process.execPath,
      [cli, 'atlas', 'make', '-', '-o', 'in.gander-atlas', '--pool', tinyPool, '--cache', cache],
      { encoding: 'utf8', cwd, input: '{"text": "one text", "label": "x"}\n{"text": "another"}\n' },
    );
    expect(made).toMatchObject({ status: 0, stderr: '' });
    expect(shown(cwd, 'in.gander-atlas').documents.map(({ document, label }) => [document, label])).toEqual([
      ['-:1', 'x'],
      ['-:2', null],
    ]);
  });

  it('shows layers, an expert, a label and a token', () => {
    const show = (...args: string[]) => gander(cwd, 'atlas', 'show', 'whole.gander-atlas', ...args);
    expect(show().stdout).toMatch(/12 documents, 2400 tokens, 2 labels/);
    expect(show('--expert', '1.7').stdout).toMatch(
      /^1\.7 {2}layer 1\nload [\d.]+ % \([\d.]+ % to [\d.]+ %\), chance 12\.5 %/,
    );
    expect(show('--label', 'a').stdout).toMatch(/layer, expert/);
    expect(show('--token', 'w3 ').stdout).toMatch(/read +\d/);
    expect(show('--label', 'c')).toMatchObject({ status: 2 });
    expect(show('--expert', '9.9').stderr).toMatch(/no expert "9\.9"/);
  });

  it('compares two ways of routing, and two atlases', () => {
    cpSync(path.join(cwd, 'traces'), path.join(cwd, 'others'), { recursive: true });
    rmSync(path.join(cwd, 'others/a/0.gander.safetensors'));
    const agreed = gander(cwd, 'atlas', 'agree', 'traces', 'others', '--json');
    expect(agreed.stderr).toBe('');
    expect(JSON.parse(agreed.stdout)).toMatchObject({
      documents: 11,
      tokens: 2200,
      all: { cells: 4400, overlap: { value: 1 }, chance: 1 / 8, flipped: { value: 0 } },
      labels: [{ name: 'a' }, { name: 'b' }],
      leftOut: [{ document: 'traces/a/0.gander.safetensors', why: 'is not in others' }],
    });
    const same = gander(cwd, 'atlas', 'compare', 'whole.gander-atlas', 'whole.gander-atlas');
    expect(same).toMatchObject({ status: 0, stderr: '' });
    expect(same.stdout).toMatch(/The corpus is the same[^]*No expert’s load moved/);
  });

  it('knocks experts out, and runs a corpus in two ways', () => {
    const of = ['--model', mixture, '--cache', cache];
    const folder = corpus();
    const made = gander(folder, 'atlas', 'make', 'corpus', '-o', 'k.gander-atlas', '--ablate', '0.1', ...of);
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const shownExpert = gander(folder, 'atlas', 'show', 'k.gander-atlas', '--expert', '0.1', '--json').stdout;
    const { ablations } = JSON.parse(shownExpert) as { ablations: Readonly<Record<string, unknown>>[] };
    expect(ablations.map(({ kind, effect }) => [kind, effect])).toEqual([
      ['top', 'next'],
      ['top', 'later'],
      ['random', 'next'],
      ['random', 'later'],
    ]);
    for (const { change, matched, difference } of ablations) {
      expect(change).not.toBe(0);
      expect(Number(difference)).toBeCloseTo(Number(change) - Number(matched), 9);
    }
    const agreed = gander(folder, 'atlas', 'agree', 'corpus', '--with', 'native:1', '--json', ...of);
    // One of the two experts that are chosen otherwise is still chosen, and it is the first.
    expect(JSON.parse(agreed.stdout)).toMatchObject({
      documents: 4,
      layers: [
        { name: '0', value: { overlap: { value: 0.5 }, first: { value: 1 }, flipped: { value: 1 } } },
        { name: '1' },
      ],
    });
  });

  it.each([
    [['agree', 'traces'], /two folders of saved traces/],
    [['agree', '-'], /--with/],
    [['compare', 'whole.gander-atlas'], /two atlases/],
    [['make', 'traces', '-o', 'n.gander-atlas', '--ablate', '0.1'], /texts, not saved traces/],
    [['make', 'traces', '-o', 'n.gander-atlas', '--target', 'x'], /--target names a field/],
    [['make', 'tr*/*.txt', '-o', 'n.gander-atlas'], /No file matches/],
    [['make', 'traces'], /-o/],
    [['make', 'nowhere', '-o', 'n.gander-atlas'], /Could not read nowhere/],
    [['make', 'traces', '-o', 'whole.gander-atlas'], /already exists/],
    [['make', 'traces', '-o', 'n.gander-atlas', '--shard', '3/2'], /--shard/],
    [['make', 'traces', '-o', 'n.gander-atlas', '--label', 'topic'], /--label takes folder/],
    [['show', 'traces'], /Give the folder of an atlas/],
    [['merge', 'whole.gander-atlas', 'whole.gander-atlas', '-o', 'n.gander-atlas'], /in two of the parts/],
    [['look'], /make, show, merge, agree or compare/],
  ])('says what is wrong with %j', (args, message) => {
    const { status, stderr } = gander(cwd, 'atlas', ...args);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

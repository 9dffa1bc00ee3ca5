/** `gander atlas` as a person runs it, compared with sums over saved traces of the same documents. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { random } from '../../src/statistics/random.js';
import { decodeTrace, encodeTrace } from '../../src/trace/file/file.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { drawn, traceOf } from '../unit/atlas/planted.js';
import { builtCli, root, temporaryFolder, tinyPool } from './support.js';

const cli = builtCli();
const cache = temporaryFolder();
const mixture = path.join(root, 'test/fixtures/moe/qwen2-moe-transformers');

function gander(cwd: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', cwd });
  return { status, stdout, stderr };
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

/** Direct counts over saved traces: choices by layer and expert, of all text tokens. */
function countedIn(traces: readonly Trace[]): Map<string, { count: number; weight: number }> {
  const found = new Map<string, { count: number; weight: number }>();
  for (const { sites, blocks, sequences } of traces)
    for (const { from, to, k, chosen, weight, sequence } of blocks) {
      const { tokens } = sequences[sequence]!;
      for (let s = from; s < to; s++)
        for (let i = 0; i < tokens.count * k; i++) {
          const at = (s - from) * tokens.count * k + i;
          if (chosen[at]! < 0 || tokens.special?.[Math.floor(i / k)]) continue;
          const unit = `${sites[s]!.layer}.${chosen[at]!}`;
          const { count, weight: sum } = found.get(unit) ?? { count: 0, weight: 0 };
          found.set(unit, { count: count + 1, weight: sum + weight![at]! });
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
    for (const { layer, expert, tokens, weight } of saved.experts) {
      if (layer === null) continue;
      const unit = plain.get(`${layer!}.${expert!}`) ?? { count: 0, weight: NaN };
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

  it('killed at any moment, continues and equals an uninterrupted run', async () => {
    const journal = path.join(cwd, 'killed.gander-atlas.journal');
    const inode = () => statSync(journal, { throwIfNoEntry: false })?.ino;
    let killed = 0;
    while (!existsSync(path.join(cwd, 'killed.gander-atlas'))) {
      const before = inode();
      const child = spawn(process.execPath, [cli, 'atlas', 'make', 'traces', '-o', 'killed.gander-atlas'], { cwd });
      const ended = new Promise<string | null>((resolve) => child.on('close', (_code, signal) => resolve(signal)));
      const wait = Math.floor(3 * next());
      const timer = setInterval(() => {
        if (inode() !== before) setTimeout(() => child.kill('SIGKILL'), wait);
      }, 1);
      if ((await ended) === 'SIGKILL') killed++;
      clearInterval(timer);
    }
    expect(killed).toBeGreaterThan(0);
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

  it.each([
    [['make', 'traces'], /-o/],
    [['make', 'nowhere', '-o', 'n.gander-atlas'], /Could not read nowhere/],
    [['make', 'traces', '-o', 'whole.gander-atlas'], /already exists/],
    [['make', 'traces', '-o', 'n.gander-atlas', '--shard', '3/2'], /--shard/],
    [['make', 'traces', '-o', 'n.gander-atlas', '--label', 'topic'], /--label takes folder/],
    [['show', 'traces'], /Give the folder of an atlas/],
    [['merge', 'whole.gander-atlas', 'whole.gander-atlas', '-o', 'n.gander-atlas'], /in two of the parts/],
    [['look'], /make, show or merge/],
  ])('says what is wrong with %j', (args, message) => {
    const { status, stderr } = gander(cwd, 'atlas', ...args);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

/** Corpora that are bad or odd: one clear line each, and nothing that was done is lost. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { Unfit } from '../../../src/atlas/files/content.js';
import { type CorpusDocument, documentsOf } from '../../../src/atlas/files/corpus.js';
import { checkFree, finish } from '../../../src/atlas/files/finish.js';
import { filesOf } from '../../../src/atlas/files/found.js';
import { Journal } from '../../../src/atlas/files/journal.js';
import { lookAt } from '../../../src/atlas/files/look.js';
import { readInto, type TracedPart } from '../../../src/atlas/files/make.js';
import { pack } from '../../../src/atlas/pack.js';
import { tablesOf } from '../../../src/atlas/tables/index.js';
import { GanderError } from '../../../src/errors/errors.js';
import { inParts, type Part } from '../../../src/requests/textParts.js';
import { random } from '../../../src/statistics/random.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { drawn, traceOf } from './planted.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-make-'));
afterAll(() => rmSync(folder, { recursive: true }));

const text = (id: string, label: string | null = null): CorpusDocument => ({
  kind: 'text',
  id,
  place: id,
  label,
  bytes: 1,
  read: () => ({ bytes: Buffer.from(id) }),
});

const unfit = (id: string, why: string): CorpusDocument => ({
  ...text(id),
  read: () => {
    throw new Unfit(why);
  },
});

/** The same choices whenever a text is run. */
async function* route(id: string) {
  const next = random(Number(/\d+/.exec(id)?.[0] ?? 0));
  const ids = Array.from({ length: 20 }, () => Math.floor(next() * 20));
  yield await Promise.resolve({ trace: traceOf(4, [ids.map(() => drawn([1, 2, 3, 4], next))], ids), at: 0 });
}

async function* each(documents: Iterable<CorpusDocument>) {
  for (const document of documents) yield await Promise.resolve(document);
}

const made = (name: string, documents: Iterable<CorpusDocument>, more: Partial<Parameters<typeof readInto>[0]> = {}) =>
  readInto({
    target: path.join(folder, name),
    asked: {},
    documents: each(documents),
    route,
    decode: () => {
      throw new Error('no saved traces here');
    },
    atOnce: 1,
    ...more,
  });

const about = { label: '', text: 'text', id: null, target: null, shard: null };

async function* mapped(parts: AsyncIterable<Part<Trace>>): AsyncGenerator<TracedPart> {
  for await (const { at, result } of parts) yield { trace: result, at };
}

const simulated = { timeout: 300_000, tags: ['slow'] };

/** Frees what nothing refers to, so that what is left is what is kept. Buffers are freed beside it, and the next one waits for that. */
const collect = () => {
  setFlagsFromString('--expose-gc');
  const free = runInNewContext('gc') as () => void;
  free();
  free();
};

const undefinedIn = (rows: readonly object[], column: string) =>
  rows.every((row) => Number.isNaN((row as Record<string, unknown>)[column]));

describe('an atlas', () => {
  it('of nothing has no sums', async () => {
    expect((await made('nothing', [])).sums).toBeUndefined();
  });

  it('of one document has loads, and claims nothing else', async () => {
    const { tables, shuffles } = tablesOf((await made('one', [text('d1', 'a')])).sums!);
    expect(tables.documents.length).toBe(1);
    expect(tables.experts.reduce((sum, row) => sum + Number(row['load']), 0)).toBeCloseTo(1, 12);
    expect([undefinedIn(tables.experts, 'low'), undefinedIn(tables.labels, 'q'), shuffles]).toEqual([true, true, 0]);
  });

  it('of labels that occur once calls nothing specialised', async () => {
    const documents = Array.from({ length: 30 }, (_, d) => text(`d${d}`, `label ${d}`));
    const { tables } = tablesOf((await made('once', documents)).sums!);
    expect(tables.labels.length).toBe(30 * 4);
    expect(undefinedIn(tables.labels, 'low')).toBe(true);
    expect(tables.labels.some(({ specialised }) => specialised === true)).toBe(false);
  });

  it('of 100,000 empty files says so of each, in seconds', async () => {
    const documents = (function* () {
      for (let d = 0; d < 100_000; d++) yield unfit(`d${d}`, 'is empty');
    })();
    const { leftOut, sums } = await made('empty', documents);
    expect([leftOut.length, sums]).toEqual([100_000, undefined]);
    expect(new Set(leftOut.map(({ why }) => why))).toEqual(new Set(['is empty']));
  });

  it('keeps to the others where a file vanishes', async () => {
    const gone = unfit('d1', 'cannot be read: ENOENT');
    const { leftOut, documents } = await made('gone', [text('d0'), gone, text('d2')]);
    expect([documents, leftOut]).toEqual([2, [{ document: 'd1', why: 'cannot be read: ENOENT' }]]);
  });

  it('keeps to the others where a real file vanishes after it was found', async () => {
    const corpus = path.join(folder, 'vanishing');
    mkdirSync(corpus);
    for (const name of ['d0', 'd1', 'd2']) writeFileSync(path.join(corpus, name), name);
    const files = filesOf([corpus]);
    const vanishing = async function* (name: string) {
      rmSync(path.join(corpus, 'd1'), { force: true });
      yield* route(name);
    };
    const { leftOut, documents } = await made('vanished', [], {
      documents: documentsOf(files, { label: 'none', text: 'text' }),
      route: vanishing,
    });
    expect(documents).toBe(2);
    expect(leftOut.map(({ document, why }) => [path.basename(document), why])).toEqual([
      ['d1', 'cannot be read: ENOENT'],
    ]);
  });

  it('has a line of 20 MB as one document in parts, and tries only some of it beforehand', async () => {
    const file = path.join(folder, 'line.jsonl');
    const line = 'the goose and '.repeat(1_500_000);
    writeFileSync(file, `${JSON.stringify({ text: line, label: 'long' })}\n{"text": "short", "label": "short"}\n`);
    const documents = () => documentsOf(filesOf([file]), { label: '', text: 'text' });
    let ran = 0;
    const parts = (longest: number, run: (part: string) => Promise<Trace>) => (text: string) =>
      mapped(
        inParts(text, (part) => {
          if (part.length > longest)
            throw new GanderError('text-too-long', 'The text is too long.', 'Select less text.');
          ran++;
          return run(part);
        }),
      );
    const traced = (part: string): Promise<Trace> => {
      const trace = traceOf(4, [[0, 1, 2]], [1, 2, 3]);
      return Promise.resolve({ ...trace, sequences: [{ ...trace.sequences[0]!, text: part }] });
    };
    const { sums, leftOut } = await made('line', [], { documents: documents(), route: parts(2 ** 20, traced) });
    expect(leftOut).toEqual([]);
    expect(sums!.figures.documents.rows.map(({ label, parts: of, tokens }) => [label, of, tokens])).toEqual([
      ['long', 32, 96],
      ['short', 1, 3],
    ]);
    ran = 0;
    const slow = (part: string) => new Promise<Trace>((resolve) => setTimeout(() => resolve(traced(part)), 1000));
    const plan = await lookAt({
      documents: documents(),
      route: parts(2 ** 12, slow),
      signal: new AbortController().signal,
      onLook: () => {},
    });
    expect(plan).toMatchObject({ documents: 2, bytes: line.length + 5, labels: ['long', 'short'], leftOut: [] });
    // A thousandth of it, at about a second each.
    expect(ran).toBeLessThan(20);
    expect(plan.estimate!.seconds).toBeGreaterThan(1000);
  });

  it('of one label has its loads, and tests nothing', async () => {
    const documents = Array.from({ length: 10 }, (_, d) => text(`d${d}`, 'only'));
    const { tables, shuffles } = tablesOf((await made('only', documents)).sums!);
    expect(tables.labels.map(({ label, q, specialised }) => [label, q, specialised])).toEqual(
      Array.from({ length: 4 }, () => ['only', NaN, false]),
    );
    expect([shuffles, undefinedIn(tables.layers, 'labelInformation')]).toEqual([0, true]);
  });

  it('leaves no journal behind if nothing could be read, so that the next run looks again', async () => {
    const target = path.join(folder, 'unread');
    const journal = await made('unread', [unfit('d0', 'is empty')]);
    expect(() => finish(journal, target, about)).toThrow('None of 1 documents could be read; d0 is empty.');
    expect(existsSync(`${target}.journal`)).toBe(false);
    expect((await made('unread', [text('d0')])).documents).toBe(1);
  });

  it('that was just written when its run was killed is known by its journal, which goes', async () => {
    const target = path.join(folder, 'killed');
    const documents = Array.from({ length: 4 }, (_, d) => text(`d${d}`, 'ab'[d % 2]));
    const journal = await made('killed', documents);
    const saved = readFileSync(`${target}.journal`);
    finish(journal, target, about);
    writeFileSync(`${target}.journal`, saved);
    expect(() => checkFree(target)).toThrow('already exists');
    expect(existsSync(`${target}.journal`)).toBe(false);
    // One that has other documents is unfinished.
    await made('other', documents.slice(1));
    renameSync(path.join(folder, 'other.journal'), `${target}.journal`);
    expect(() => checkFree(target)).toThrow('already exists');
    expect(existsSync(`${target}.journal`)).toBe(true);
  });

  it('that cannot be written keeps its journal', async () => {
    const journal = await made('kept', [text('d0')]);
    writeFileSync(path.join(folder, 'a file'), '');
    expect(() => finish(journal, path.join(folder, 'a file/kept'), about)).toThrow('ENOTDIR');
    expect(new Journal(path.join(folder, 'kept'), '{}').documents).toBe(1);
  });

  it('of a million tokens takes no more memory than one of ten thousand', simulated, async () => {
    const next = random(3);
    const ids = Array.from({ length: 1000 }, () => Math.floor(next() * 500));
    const trace = traceOf(
      16,
      [ids, ids].map(() => ids.map(() => Math.floor(16 * next()))),
      ids,
    );
    async function* long() {
      yield await Promise.resolve({ trace, at: 0 });
    }
    const retained = async (name: string, count: number) => {
      function* documents() {
        for (let d = 0; d < count; d++) yield text(`d${d}`, `label ${d % 5}`);
      }
      const journal = await made(name, documents(), { route: long });
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      expect(journal.sums!.figures.documents.rows).toHaveLength(count);
      return heapUsed + arrayBuffers;
    };
    const few = await retained('few', 10);
    const many = await retained('many', 1000);
    // A row for each document; the traces themselves would be 24 MB.
    expect(many - few).toBeLessThan(4 * 2 ** 20);
  });

  it('is the same with several documents at once, however long each takes', async () => {
    const documents = Array.from({ length: 25 }, (_, d) => text(`d${d}`, 'ab'[d % 2]));
    const slow = async function* (id: string) {
      for (let i = 0; i < (Number(id.slice(1)) * 7) % 5; i++) await new Promise(setImmediate);
      yield* route(id);
    };
    const [one, four] = [
      await made('one by one', documents),
      await made('four', documents, { route: slow, atOnce: 4 }),
    ];
    expect(Buffer.compare(pack(one.sums!.state), pack(four.sums!.state))).toBe(0);
  });

  it('begins no document after one has failed, and keeps those that were under way', async () => {
    const documents = Array.from({ length: 20 }, (_, d) => text(`d${d}`));
    const begun: string[] = [];
    const failing = async function* (id: string) {
      begun.push(id);
      await new Promise(setImmediate);
      if (id === 'd2') throw new GanderError('server-unreachable', 'It is gone.', 'Start it.');
      yield* route(id);
    };
    await expect(made('failing', documents, { route: failing, atOnce: 4 })).rejects.toThrow('It is gone.');
    expect(begun.length).toBeLessThan(10);
    const kept = new Journal(path.join(folder, 'failing'), '{}');
    expect(begun.filter((id) => id !== 'd2').every((id) => kept.has(id))).toBe(true);
  });

  it.skipIf(!existsSync('/dev/full'))('on a full disk keeps the last journal, and goes on from it', async () => {
    const documents = Array.from({ length: 12 }, (_, d) => text(`d${d}`, 'ab'[d % 2]));
    const whole = await made('whole', documents);
    const journal = path.join(folder, 'full.journal');
    await made('full', documents.slice(0, 5));
    symlinkSync('/dev/full', `${journal}.new`);
    await expect(made('full', documents)).rejects.toMatchObject({
      code: 'io',
      message: `Could not write ${journal}: ENOSPC.`,
      remedy: expect.stringContaining('free space') as string,
    });
    expect(new Journal(path.join(folder, 'full'), '{}').documents).toBeGreaterThanOrEqual(5);
    const again = await made('full', documents);
    expect(Buffer.compare(pack(again.sums!.state), pack(whole.sums!.state))).toBe(0);
  });
});

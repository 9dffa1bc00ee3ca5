/** The child that makes atlases for the editor: what it says before, while and after. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { askMaker } from '../../src/atlas/client.js';
import type { CorpusRequest, MakingCalls } from '../../src/atlas/calls.js';
import { readTableOf } from '../../src/atlas/files/folder.js';
import type { Pace } from '../../src/atlas/pace.js';
import { tableNames } from '../../src/atlas/tables/index.js';
import type { OptionsOf } from '../../src/channel/messages.js';
import { GanderError } from '../../src/errors/errors.js';
import { listen } from '../servers/http.js';
import { knowing, vllm } from '../servers/vllm.js';
import { temporaryFolder, tinyPool } from './support.js';

const entry = path.join(inject('programs'), 'atlas.cjs');
const cache = temporaryFolder();

const ask = <N extends keyof MakingCalls>(
  name: N,
  request: MakingCalls[N]['request'],
  options?: OptionsOf<MakingCalls[N]>,
) => askMaker(name, request, { entry }, options);

const corpus = { label: '', text: 'text', id: null, target: null, shard: null };

function asking(given: readonly string[], more: Partial<CorpusRequest> = {}): CorpusRequest {
  return {
    given,
    corpus,
    model: { pool: tinyPool, cache, threads: 1, chunk: 128, deadlineMs: 120_000 },
    asked: { strategy: { name: 'phatgoose', k: 2 }, interventions: [] },
    ...more,
  };
}

/** Two labels of ten documents each, and two that cannot be read. */
function texts(): string {
  const folder = path.join(temporaryFolder(), 'texts');
  for (const label of ['code', 'prose']) mkdirSync(path.join(folder, label), { recursive: true });
  for (let i = 0; i < 10; i++) {
    writeFileSync(path.join(folder, `code/${i}.py`), `def f${i}(a, b):\n    return a + ${i} * b\n`);
    writeFileSync(path.join(folder, `prose/${i}.txt`), `The cat sat on mat ${i}, and the mat was flat.\n`);
  }
  writeFileSync(path.join(folder, 'prose/empty.txt'), '');
  writeFileSync(path.join(folder, 'prose/picture'), new Uint8Array([137, 80, 0, 1]));
  return folder;
}

const tablesIn = (atlas: string) => Promise.all(tableNames.map((name) => readTableOf(atlas, name)));

const failure = async (asked: Promise<unknown>) => {
  const thrown: unknown = await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(GanderError);
  return `${(thrown as GanderError).code}: ${(thrown as GanderError).message}`;
};

describe('before it begins', () => {
  it('says how much there is, how long it takes and what is left out', async () => {
    const counts: number[] = [];
    const plan = await ask('look', asking([texts()]), { onProgress: (done) => counts.push(done) });
    expect(plan).toMatchObject({ documents: 20, labels: ['code', 'prose'] });
    expect(plan.leftOut.map(({ why }) => why)).toEqual(['is empty', 'is binary']);
    expect(plan.estimate!.from).toBe(20);
    expect(plan.estimate!.tokens).toBeGreaterThan(200);
    expect(plan.estimate!.seconds).toBeGreaterThan(0);
    expect(counts.at(-1)).toBe(22);
  });

  it('names the fields of data, and none of files', async () => {
    const folder = texts();
    const rows = path.join(folder, 'rows.jsonl');
    writeFileSync(rows, 'no JSON\n{"question": "Where do geese fly?", "topic": "birds"}\n');
    expect(await ask('fields', { given: [rows] })).toEqual(['question', 'topic']);
    expect(await ask('fields', { given: [path.join(folder, 'code')] })).toEqual([]);
  });

  it.each<[string, (folder: string) => Partial<CorpusRequest>, RegExp]>([
    ['a folder that is not there', (folder) => ({ given: [`${folder}/gone`] }), /^io: Could not read .*gone: ENOENT/],
    [
      'a model that is not there',
      () => ({ model: { pool: '/nowhere', cache, threads: 1, chunk: 1, deadlineMs: 0 } }),
      /^pool-missing/,
    ],
    [
      'an output for a model that reads none',
      () => ({ corpus: { ...corpus, target: 'answer' } }),
      /no encoder-decoder/,
    ],
  ])('refuses %s', async (_, more, expected) => {
    const folder = texts();
    expect(await failure(ask('look', asking([folder], more(folder))))).toMatch(expected);
  });
});

describe('an atlas', () => {
  it('is made, with its pace told after each document', async () => {
    const folder = texts();
    const target = path.join(folder, '../made.gander-atlas');
    const paces: Pace[] = [];
    const totals = await ask('make', { ...asking([folder]), target }, { onPartial: (pace) => paces.push(pace) });
    expect(totals.documents).toBe(20);
    expect(paces.map(({ documents }) => documents)).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
    expect(paces.at(-1)).toMatchObject({ share: 1, leftMs: 0, tokens: totals.tokens });
    const shares = paces.map(({ share }) => share!);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(existsSync(`${target}.journal`)).toBe(false);
    expect(await failure(ask('make', { ...asking([folder]), target }))).toMatch(/^io: .*already exists/);
  });

  it('that was stopped keeps what is done, and equals one that was not', async () => {
    const folder = texts();
    const [whole, target] = ['whole', 'stopped'].map((name) => path.join(folder, `../${name}.gander-atlas`));
    await ask('make', { ...asking([folder]), target: whole! });
    const stop = new AbortController();
    const stopped = ask(
      'make',
      { ...asking([folder]), target: target! },
      { signal: stop.signal, onPartial: ({ documents }) => documents === 7 && stop.abort() },
    );
    expect(await failure(stopped)).toMatch(/^cancelled/);
    expect(readdirSync(path.join(folder, '..')).filter((name) => name.startsWith('stopped'))).toEqual([
      'stopped.gander-atlas.journal',
    ]);
    const tokens: number[] = [];
    await ask('make', { ...asking([folder]), target: target! }, { onPartial: (pace) => tokens.push(pace.tokens) });
    // What was done before is not run again.
    expect(tokens.slice(0, 7)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(await tablesIn(target!)).toEqual(await tablesIn(whole!));
    expect(readFileSync(path.join(target!, 'atlas.json'))).toEqual(readFileSync(path.join(whole!, 'atlas.json')));
  });

  it('is made by a server, which gets the token', async () => {
    const folder = path.join(temporaryFolder(), 'texts');
    mkdirSync(folder);
    ['the model of a goose', 'the goose'].forEach((text, i) => {
      writeFileSync(path.join(folder, `${i}.txt`), text);
      knowing(text);
    });
    const server = await listen(vllm({ version: '0.22.1', token: 'secret' }));
    onTestFinished(() => server.close());
    const config = readFileSync(path.join(import.meta.dirname, '../fixtures/imports/config.json'));
    const { address } = server;
    const by = (token: string): Partial<CorpusRequest> => ({
      model: { address, access: { token, config }, deadlineMs: 10_000 },
      asked: { interventions: [] },
    });
    const target = path.join(folder, '../served.gander-atlas');
    expect(await failure(ask('make', { ...asking([folder], by('wrong')), target }))).toMatch(/^server-refused/);
    expect((await ask('make', { ...asking([folder], by('secret')), target })).documents).toBe(2);
  });

  it('of saved traces needs no model', async () => {
    const target = path.join(temporaryFolder(), 'traces.gander-atlas');
    const traces = path.join(import.meta.dirname, '../fixtures/atlas/traces');
    const model = { pool: '/nowhere', cache, threads: 1, chunk: 1, deadlineMs: 0 };
    const totals = await ask('make', { ...asking([traces], { model }), target });
    expect(totals.documents).toBe(24);
  });
});

/** The child that reads atlases, on real ones and on hostile ones. */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { AtlasReader, type ReaderOptions } from '../../src/atlas/client.js';
import { writeAtlas } from '../../src/atlas/files/folder.js';
import { encodeTable } from '../../src/atlas/files/parquet.js';
import type { OwnName } from '../../src/atlas/protocol.js';
import { tables } from '../../src/atlas/tables/index.js';
import { GanderError } from '../../src/errors/errors.js';
import { corpusOf, documentOf, traceOf } from '../unit/atlas/planted.js';
import { temporaryFolder } from './support.js';

const corpus = { label: '', text: 'text', id: null, target: null, shard: null };

/** Two layers of three experts: the first layer's expert 0 reads what label a has, expert 1 what label b has. */
function atlas(): string {
  const documents = Array.from({ length: 40 }, (_, i) => {
    const own = i % 2;
    const tokens = Array.from({ length: 20 }, (__, t) => 10 * own + ((i + t) % 7));
    return {
      document: documentOf(`d${i}`, own === 0 ? 'a' : 'b'),
      trace: traceOf(3, [tokens.map(() => own), tokens.map((id) => id % 3)], tokens),
    };
  });
  const folder = path.join(temporaryFolder(), 'tiny.gander-atlas');
  const run = { kind: 'moe', name: 'planted', id: null, hash: 'abc', tokenizer: null, interventions: [] };
  const router = { name: 'mixtral', k: 1, scoring: null };
  writeAtlas(folder, { run: { ...run, router }, corpus, leftOut: [], sums: corpusOf(documents) });
  return folder;
}

function reader(folder: string, options: Partial<ReaderOptions> = {}): AtlasReader {
  const made = new AtlasReader(folder, { entry: path.join(inject('programs'), 'atlas.cjs'), ...options });
  onTestFinished(() => made.dispose());
  return made;
}

const failure = async (asked: Promise<unknown>) => {
  const thrown: unknown = await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(GanderError);
  const { code, message, remedy } = thrown as GanderError;
  expect(remedy).not.toBe('');
  return `${code}: ${message}`;
};

const unit = { stack: null, layer: 0, router: null, expert: 1 };
const named: OwnName = { ...unit, name: 'closing brackets', note: 'seen in JSON' };

describe('an atlas', () => {
  it('is opened with all that a page shows at once', async () => {
    const { about, layers, experts, labels, names, namesError } = await reader(atlas()).ask('open', {});
    expect(about.totals).toMatchObject({ documents: 40, tokens: 800 });
    expect(layers.map(({ layer }) => layer)).toEqual([0, 1]);
    expect(experts.map(({ layer, expert, tokens }) => [layer, expert, tokens])).toEqual([
      [0, 0, 400],
      [0, 1, 400],
      [0, 2, 0],
      ...[0, 1, 2].map((expert): unknown[] => [1, expert, expect.any(Number)]),
    ]);
    expect(experts.slice(0, 3).map(({ label, dead }) => [label, dead])).toEqual([
      ['a', false],
      ['b', false],
      [null, true],
    ]);
    expect(labels).toHaveLength(12);
    expect([names, namesError]).toEqual([[], undefined]);
  });

  it('gives the rows of a unit, of a label, and of all that have none', async () => {
    const of = reader(atlas());
    const rows = async (where: object, table: keyof typeof tables = 'labels') =>
      (await of.ask('rows', { table, where })).map(({ layer, expert, label }) => [layer, expert, label]);
    expect(await rows(unit)).toEqual([
      [0, 1, 'a'],
      [0, 1, 'b'],
    ]);
    expect(await rows({ label: 'b', layer: 0 })).toEqual([0, 1, 2].map((expert) => [0, expert, 'b']));
    expect(await rows({ layer: null })).toEqual([]);
    const contexts = await of.ask('rows', { table: 'contexts', where: { ...unit, kind: 'top' } });
    expect(contexts).toHaveLength(8);
    expect(contexts.every(({ layer, expert, kind }) => layer === 0 && expert === 1 && kind === 'top')).toBe(true);
  });

  it('finds tokens by a part of their text', async () => {
    const found = await reader(atlas()).ask('find', { token: '13' });
    expect(found.length).toBeGreaterThan(0);
    expect([...new Set(found.map(({ token }) => token))]).toEqual(['w13 ']);
    expect(await reader(atlas()).ask('find', { token: 'nothing' })).toEqual([]);
  });

  it('reads as much of a large table as is asked for, in any of its parts', async () => {
    const folder = atlas();
    const { columns } = tables.tokens;
    const blank = Object.fromEntries(Object.keys(columns).map((name) => [name, null]));
    const rows = Array.from({ length: 10_000 }, (_, i) => ({
      ...blank,
      layer: Math.floor(i / 1000),
      expert: i % 1000,
      token: `t${i}`,
    }));
    writeFileSync(path.join(folder, 'tokens.parquet'), encodeTable(tables.tokens, rows));
    const of = reader(folder);
    const [row, ...others] = await of.ask('rows', { table: 'tokens', where: { layer: 7, expert: 12 } });
    expect([row?.['token'], others]).toEqual(['t7012', []]);
    expect((await of.ask('find', { token: '999' })).map(({ token }) => token)).toEqual(
      rows.map(({ token }) => token).filter((token) => token.includes('999')),
    );
  });

  it('says where a document is, and what it is now', async () => {
    const folder = atlas();
    const of = reader(folder);
    expect(await of.ask('place', { document: 'd3' })).toEqual({ place: 'd3', hash: documentOf('d3', null).hash });
    expect(await failure(of.ask('place', { document: '../../etc/passwd' }))).toMatch(/^request-invalid/);
    const [file, rows] = [path.join(folder, '../a.txt'), path.join(folder, '../b.jsonl')];
    writeFileSync(file, 'Geese fly south.');
    writeFileSync(rows, '{"body": "one"}\n\n{"body": "two 🪿"}\n');
    const fields = { text: 'body', target: null };
    expect(await of.ask('document', { place: file, fields })).toEqual({
      text: 'Geese fly south.',
      hash: documentOf('Geese fly south.', null).hash,
    });
    expect((await of.ask('document', { place: `${rows}:3`, fields })).text).toBe('two 🪿');
    expect(await failure(of.ask('document', { place: `${rows}:9`, fields }))).toMatch(/^io: .*not there any more/);
    expect(await failure(of.ask('document', { place: `${file}.gone`, fields }))).toMatch(/^io: .*ENOENT/);
  });
});

describe('names', () => {
  it('are kept in the atlas, sorted, each changed and removed by itself', async () => {
    const folder = atlas();
    const of = reader(folder);
    expect(await of.ask('name', { name: named })).toEqual([named]);
    const other = { ...unit, layer: null, name: 'other', note: '' };
    await of.ask('name', { name: other });
    const changed = { ...named, name: 'brackets' };
    expect(await of.ask('name', { name: changed })).toEqual([other, changed]);
    expect((await reader(folder).ask('open', {})).names).toEqual([other, changed]);
    expect(await of.ask('name', { name: { ...changed, name: '', note: '' } })).toEqual([other]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('may be an empty file; broken ones are told, and left as they are', async () => {
    const folder = atlas();
    const file = path.join(folder, 'names.json');
    writeFileSync(file, '');
    expect(await reader(folder).ask('open', {})).toMatchObject({ names: [] });
    expect(await reader(folder).ask('name', { name: named })).toEqual([named]);
    for (const broken of ['{"names": [', '{"format": "gander-atlas-names", "version": 2, "names": []}', '[]']) {
      writeFileSync(file, broken);
      const { names, namesError } = await reader(folder).ask('open', {});
      expect([names, namesError?.code]).toEqual([[], 'io']);
      expect(await failure(reader(folder).ask('name', { name: named }))).toMatch(/^io: .*names\.json cannot be read/);
      expect(readFileSync(file, 'utf8')).toBe(broken);
    }
  });

  it('are never written elsewhere, because of a link', async () => {
    const folder = atlas();
    const elsewhere = path.join(folder, '../elsewhere');
    writeFileSync(elsewhere, '');
    symlinkSync(elsewhere, path.join(folder, 'names.json'));
    expect(await failure(reader(folder).ask('name', { name: named }))).toMatch(/not an ordinary file/);
    expect(readFileSync(elsewhere, 'utf8')).toBe('');
  });
});

describe('what is no atlas', () => {
  const changed = (change: (folder: string) => void) => {
    const folder = atlas();
    change(folder);
    return failure(reader(folder).ask('open', {}));
  };
  const file = (folder: string, name: string) => path.join(folder, name);

  it.each<[string, (folder: string) => void, RegExp]>([
    ['nothing', (folder) => rmSync(folder, { recursive: true }), /^trace-invalid: .*atlas\.json is missing/],
    ['a missing table', (f) => rmSync(file(f, 'experts.parquet')), /^trace-invalid: .*experts\.parquet is missing/],
    ['a folder for a table', (f) => emptied(file(f, 'labels.parquet')), /not an ordinary/],
    ['a link for a table', (f) => symlinked(file(f, 'labels.parquet')), /not an ordinary file/],
    ['a table of zeros', (f) => writeFileSync(file(f, 'experts.parquet'), new Uint8Array(5000)), /^trace-invalid/],
    ['an empty table', (f) => truncateSync(file(f, 'experts.parquet')), /^trace-invalid/],
    ['a table cut short', (f) => truncateSync(file(f, 'layers.parquet'), 300), /^trace-invalid/],
    ['a table with a longer end', (f) => appendFileSync(file(f, 'layers.parquet'), 'x'.repeat(100)), /^trace-invalid/],
    ['another table', (f) => cpSync(file(f, 'layers.parquet'), file(f, 'experts.parquet')), /^trace-invalid/],
    [
      'a table of fewer units',
      (f) => writeFileSync(file(f, 'experts.parquet'), encodeTable(tables.experts, [])),
      /do not belong together/,
    ],
    ['a later version', (f) => rewritten(f, '"version": 1', '"version": 2'), /^trace-newer/],
    ['no layers', (f) => rewritten(f, /"layers": \[[^]*?\n {2}\]/, '"layers": []'), /^trace-invalid/],
    ['no JSON', (f) => writeFileSync(file(f, 'atlas.json'), 'Dear goose,'), /^trace-invalid/],
  ])('%s', async (_, change, expected) => {
    expect(await changed(change)).toMatch(expected);
  });

  function emptied(table: string): void {
    rmSync(table);
    mkdirSync(table);
  }

  function symlinked(table: string): void {
    cpSync(table, `${table}.copy`);
    rmSync(table);
    symlinkSync(`${table}.copy`, table);
  }

  function rewritten(folder: string, from: string | RegExp, to: string): void {
    const about = file(folder, 'atlas.json');
    const [old, now] = [readFileSync(about, 'utf8'), readFileSync(about, 'utf8').replace(from, to)];
    expect(now).not.toBe(old);
    writeFileSync(about, now);
  }
});

it('whose process dies is told so, and nothing waits for it', async () => {
  const script = path.join(temporaryFolder(), 'dies.cjs');
  writeFileSync(script, "process.on('message', () => process.exit(3));");
  const of = reader('/somewhere', { entry: script });
  const both = await Promise.all([failure(of.ask('open', {})), failure(of.ask('find', { token: 'a' }))]);
  for (const told of both)
    expect(told).toBe('trace-invalid: /somewhere cannot be read: the process that read it ended (exit code 3).');
});

it('is read again after its child was ended', async () => {
  const folder = atlas();
  const hurried = reader(folder, { deadlineMs: 1 });
  expect(await failure(hurried.ask('open', {}))).toMatch(/^trace-invalid: .*took longer than 0.001 seconds/);
  const of = reader(folder);
  await of.ask('open', {});
  of.dispose();
  expect((await of.ask('open', {})).about.totals.documents).toBe(40);
});

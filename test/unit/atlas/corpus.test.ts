/** Which documents a corpus has. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, describe, expect, it } from 'vitest';
import { Unfit } from '../../../src/atlas/files/content.js';
import { type CorpusOptions, documentsOf } from '../../../src/atlas/files/corpus.js';
import { filesOf } from '../../../src/atlas/files/found.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-corpus-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

async function read(given: readonly string[], options: Partial<CorpusOptions> = {}) {
  const found = [];
  for await (const { id, label, read: content } of documentsOf(filesOf(given), { label: '', text: 'text', ...options }))
    found.push([path.relative(folder, id), label, contentOf(content)]);
  return found;
}

function contentOf(content: () => { readonly bytes: Uint8Array; readonly target?: string }): string {
  try {
    const { bytes, target } = content();
    return `${Buffer.from(bytes).toString()}${target === undefined ? '' : ` → ${target}`}`;
  } catch (thrown) {
    if (thrown instanceof Unfit) return `left out: ${thrown.message}`;
    throw thrown;
  }
}

const parquet = (columns: Readonly<Record<string, readonly (string | null)[]>>) =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: Object.entries(columns).map(([name, data]) => ({ name, data: [...data], type: 'STRING' as const })),
      rowGroupSize: 2,
    }),
  );

describe('a pattern', () => {
  write('tree/code/a.py', 'a');
  write('tree/code/deep/b.py', 'b');
  write('tree/code/c.js', 'c');
  write('tree/prose/d.txt', 'd');
  write('tree/prose/[e].txt', 'e');
  const names = (pattern: string) =>
    filesOf([path.join(folder, pattern)]).map(({ file }) => path.relative(path.join(folder, 'tree'), file));

  it.each([
    ['tree/**/*.py', ['code/a.py', 'code/deep/b.py']],
    ['tree/*/*.{py,txt}', ['code/a.py', 'prose/[e].txt', 'prose/d.txt']],
    ['tree/code/?.*', ['code/a.py', 'code/c.js']],
    ['tree/prose/[e].txt', ['prose/[e].txt']],
    ['tree/prose/[e]*', ['prose/[e].txt']],
  ])('%s finds what matches', (pattern, wanted) => {
    expect(names(pattern)).toEqual(wanted);
  });

  it('finds no table of an atlas that lies there, and no journal', () => {
    write('made/code.gander-atlas/documents.parquet', 'x');
    write('made/code.gander-atlas.journal', 'x');
    write('made/a.txt', 'a');
    expect(names('made/**/*')).toEqual(['../made/a.txt']);
  });

  it('labels by the first folder below its fixed part', async () => {
    const found = await read([path.join(folder, 'tree/**/*.py')]);
    expect(found.map(([, label]) => label)).toEqual(['code', 'code']);
  });

  it('does not label a file that is given itself, whose own folder does', async () => {
    const given = ['tree/code/deep/b.py', 'tree/prose/d.txt'].map((name) => path.join(folder, name));
    expect((await read(given)).map(([, label]) => label)).toEqual(['deep', 'prose']);
    expect((await read([path.join(folder, 'tree/code')])).map(([, label]) => label)).toEqual([null, null, 'deep']);
  });

  it('that matches nothing is refused', () => {
    expect(() => names('tree/*.rs')).toThrow(/No file matches .*\*\.rs/);
    expect(() => names('nowhere/*.rs')).toThrow(/Could not read .*nowhere: ENOENT/);
  });
});

describe('JSON lines', () => {
  it('are documents, and those that are none say why', async () => {
    const file = write(
      'lines.jsonl',
      Buffer.concat([
        Buffer.from('{"text": "one", "label": "x"}\r\n\n{"body": 1}\nnot json\n{"text": "a'),
        new Uint8Array([233]),
        Buffer.from('"}\n{"text": "", "label": ""}\n{"text": "last"}'),
      ]),
    );
    expect(await read([file])).toEqual([
      ['lines.jsonl:1', 'x', 'one'],
      ['lines.jsonl:3', null, 'left out: has no text in "text"'],
      ['lines.jsonl:4', null, 'left out: is not a JSON object'],
      ['lines.jsonl:5', null, 'left out: is not UTF-8'],
      ['lines.jsonl:6', null, ''],
      ['lines.jsonl:7', null, 'last'],
    ]);
  });

  it('hold pairs', async () => {
    const file = write('pairs.jsonl', '{"text": "q", "answer": "a"}\n{"text": "q"}\n');
    expect(await read([file], { target: 'answer' })).toEqual([
      ['pairs.jsonl:1', null, 'q → a'],
      ['pairs.jsonl:2', null, 'left out: has no text in "answer"'],
    ]);
  });

  it('may be long, but not longer than a document can be', async () => {
    const line = (megabytes: number) => `{"text": "${'x'.repeat(megabytes * 2 ** 20)}"}\n`;
    const file = write('long.jsonl', `${line(20)}${line(65)}{"text": "short"}\n`);
    expect((await read([file])).map(([id, , text]) => [id, text!.length < 99 ? text : text!.length])).toEqual([
      ['long.jsonl:1', 20 * 2 ** 20],
      ['long.jsonl:2', 'left out: holds more than 64 MB'],
      ['long.jsonl:3', 'short'],
    ]);
  });
});

describe('Parquet', () => {
  const file = write(
    'rows.parquet',
    parquet({ body: ['one', 'two', null], topic: ['x', null, 'y'], key: ['k1', 'k2', 'k3'] }),
  );

  it('has a document per row, over all row groups', async () => {
    expect(await read([file], { text: 'body', label: 'topic' })).toEqual([
      ['rows.parquet:1', 'x', 'one'],
      ['rows.parquet:2', null, 'two'],
      ['rows.parquet:3', 'y', 'left out: has no text in "body"'],
    ]);
  });

  it('names its columns if one that is asked for is missing', async () => {
    const thrown = await read([file]).catch((error: unknown) => error);
    expect(thrown).toMatchObject({
      code: 'request-invalid',
      message: `${file} has no column "text".`,
      remedy: expect.stringContaining('body, topic, key') as string,
    });
  });

  it('that is none is refused', async () => {
    await expect(read([write('no.parquet', 'not at all a table')])).rejects.toMatchObject({ code: 'io' });
    await expect(read([path.join(folder, 'lines.jsonl'), path.join(folder, 'gone.jsonl')])).rejects.toThrow(/gone/);
  });
});

it('shards hold each document once', async () => {
  const file = write('many.jsonl', Array.from({ length: 50 }, (_, i) => `{"text": "${i}"}\n`).join(''));
  const parts = await Promise.all([0, 1, 2].map((at) => read([file], { shard: { at, of: 3 } })));
  expect(parts.every((part) => part.length > 5)).toBe(true);
  const numbers = parts.flat().map(([, , text]) => Number(text));
  expect(numbers.sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
});

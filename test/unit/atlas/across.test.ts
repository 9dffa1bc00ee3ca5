/** The extension and gander-trace make the same tables of the same choices, and read what the other wrote. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CorpusDocument } from '../../../src/atlas/files/corpus.js';
import { readAbout, readMade, readTableOf, writeAtlas } from '../../../src/atlas/files/folder.js';
import { Journal } from '../../../src/atlas/files/journal.js';
import { readInto } from '../../../src/atlas/files/make.js';
import type { Figures } from '../../../src/atlas/sums.js';
import { tableNames } from '../../../src/atlas/tables/index.js';
import type { Row } from '../../../src/atlas/tables/table.js';
import { decodeTrace } from '../../../src/trace/file/file.js';

const fixture = path.resolve(import.meta.dirname, '../../fixtures/atlas');
const own = path.join(fixture, 'typescript.gander-atlas');
const theirs = path.join(fixture, 'python.gander-atlas');

/** GANDER_WRITE_FIXTURES=1 writes the first folder; python/gander-trace/tests/test_atlas.py writes the second likewise. */
const writes = process.env['GANDER_WRITE_FIXTURES'] === '1';

const traceOf = (name: string) => decodeTrace(readFileSync(path.join(fixture, `traces/${name}.gander.safetensors`)));

async function* documents(): AsyncGenerator<CorpusDocument> {
  for (const file of readdirSync(path.join(fixture, 'traces'))) {
    const id = file.split('.')[0]!;
    const text = await Promise.resolve(traceOf(id).sequences[0]!.text!);
    // One letter stands for documents without a label.
    const label = id.startsWith('c') ? null : id[0]!;
    yield { kind: 'text', id, place: id, label, bytes: 1, read: () => ({ bytes: Buffer.from(text) }) };
  }
}

async function* route(text: string) {
  for await (const { id, read } of documents())
    if (Buffer.from(read().bytes).toString() === text) yield { trace: traceOf(id), at: 0 };
}

async function made(target: string) {
  const decode = () => {
    throw new Error('these are routed');
  };
  const { run, sums, leftOut } = await readInto({
    target,
    asked: {},
    documents: documents(),
    route,
    decode,
    atOnce: 1,
  });
  new Journal(target, '{}').remove();
  const corpus = { label: '', text: 'text', id: null, target: null, shard: null };
  return { run: run!, sums: sums!, leftOut, corpus };
}

/** Numbers to a relative 1e-6: the two languages add in another order. */
function expectAlike(rows: readonly Row[], wanted: readonly Row[], table: string): void {
  expect(rows.length, table).toBe(wanted.length);
  rows.forEach((row, i) => {
    for (const [column, value] of Object.entries(row)) {
      const other = wanted[i]![column];
      if (typeof value !== 'number' || typeof other !== 'number') expect(other, `${table}.${column} ${i}`).toBe(value);
      else expect(Math.abs(value - other), `${table}.${column} ${i}`).toBeLessThan(1e-6 * Math.max(1, Math.abs(value)));
    }
  });
}

describe('an atlas by gander-trace', () => {
  it('has the tables that the extension makes of the same choices', async () => {
    if (writes) rmSync(own, { recursive: true, force: true });
    const folder = mkdtempSync(path.join(tmpdir(), 'gander-across-'));
    const target = writes ? own : path.join(folder, 'made.gander-atlas');
    writeAtlas(target, await made(target));
    try {
      for (const name of tableNames) {
        const rows = await readTableOf(target, name);
        expect(rows, name).toEqual(await readTableOf(own, name));
        expectAlike(rows, await readTableOf(theirs, name), name);
      }
      const { layers, run, corpus, totals, shuffles } = readAbout(theirs);
      const wanted = readAbout(own);
      expect({ layers, run, corpus, shuffles }).toEqual({
        layers: wanted.layers,
        run: wanted.run,
        corpus: wanted.corpus,
        shuffles: wanted.shuffles,
      });
      expect(totals.bitsPerByte).toBeCloseTo(wanted.totals.bitsPerByte!, 9);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has the same sums, so parts that either made can be merged', () => {
    const [sums, wanted] = [theirs, own].map((folder) => readMade(folder).sums.figures) as [Figures, Figures];
    for (const name of Object.keys(wanted) as (keyof Figures)[]) {
      if (name === 'certainty') continue;
      expect(sums[name].state, name).toEqual(wanted[name].state);
    }
    // Entropy and the like are computed from scores, in which two languages may differ by a rounding.
    for (const name of ['entropy', 'margin', 'mass'] as const)
      for (const l of [0, 1]) expect(sums.certainty[name].mean(l)).toBeCloseTo(wanted.certainty[name].mean(l), 6);
  });

  it('knows what was planted', async () => {
    const experts = await readTableOf(theirs, 'experts');
    expect(experts.filter(({ label }) => label !== null).map(({ name, label }) => [name, label])).toEqual([
      ['0.5', 'b'],
    ]);
    const [token] = (await readTableOf(theirs, 'tokens')).filter(({ name, kind }) => name === '1.3' && kind === 'read');
    expect(token).toMatchObject({ id: 2, token: ' goose' });
  });
});

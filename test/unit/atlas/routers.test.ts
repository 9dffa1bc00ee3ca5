/** A layer with two routers, as in JetMoE: the units of each are apart in layout, tables, merges and comparisons. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Place, trialsIn } from '../../../src/atlas/ablation.js';
import { Agreement } from '../../../src/atlas/agreement.js';
import { compareAtlases } from '../../../src/atlas/compare.js';
import { readMade, readTableOf, writeAtlas } from '../../../src/atlas/files/folder.js';
import { layerName, placedIn, unitsNamed } from '../../../src/atlas/layout.js';
import { mergedNames, parseNames, writtenNames } from '../../../src/atlas/names.js';
import { pack } from '../../../src/atlas/pack.js';
import { tableNames, tablesOf } from '../../../src/atlas/tables/index.js';
import { random } from '../../../src/statistics/random.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { corpusOf, documentOf, type Drawn, drawn, traceOf } from './planted.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-routers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [experts, routers] = [6, ['self_attention', 'mlp']] as const;

/** @param chosen [2 L][T] */
function twoRouters(chosen: readonly (readonly number[])[], ids: readonly number[]): Trace {
  const trace = traceOf(experts, chosen, ids);
  const modules = trace.modules.map((module, i) => ({ ...module, layer: i >> 1, kind: routers[i % 2]! }));
  const expertSets = modules.map(({ layer, kind }) => ({
    scope: 'layer' as const,
    experts: Array.from({ length: experts }, (_, e) => ({ id: `${layer}.${kind}.${e}`, name: `expert ${e}` })),
  }));
  return { ...trace, modules, expertSets };
}

/** In layer 1, expert 2 of the MLP is for law; the attention's expert 2 is for nothing, and its expert 4 is dead. */
function corpus(seed: number): Drawn[] {
  const next = random(seed);
  return Array.from({ length: 48 }, (_, d) => {
    const label = ['code', 'law', 'verse'][d % 3]!;
    const ids = Array.from({ length: 40 }, () => Math.floor(next() * 20));
    const even = Array<number>(experts).fill(1);
    const [attention, mlp] = [even.with(4, 0), even.with(2, label === 'law' ? 9 : 1)];
    const chosen = [even, even, attention, mlp].map((weights) => ids.map(() => drawn(weights, next)));
    return { document: documentOf(`d${d}`, label), trace: twoRouters(chosen, ids) };
  });
}

const documents = corpus(1);
const whole = corpusOf(documents);
const { layout } = whole;

describe('a layer with two routers', () => {
  it('has a name for each', () => {
    expect(layout.layers.map(layerName)).toEqual(['0 self_attention', '0 mlp', '1 self_attention', '1 mlp']);
    expect(unitsNamed(layout, '1.mlp.2')).toEqual([3 * experts + 2]);
    expect(unitsNamed(layout, '1.2')).toEqual([2 * experts + 2, 3 * experts + 2]);
  });

  it('has rows that say which, and are found by it in the file', async () => {
    const target = path.join(folder, 'whole.gander-atlas');
    const corpusRead = { label: '', text: 'text', id: null, target: null, shard: null };
    const run = {
      kind: 'moe',
      name: 'planted',
      id: null,
      hash: null,
      tokenizer: null,
      router: { name: 'jetmoe', k: 1, scoring: null },
      interventions: [],
    };
    writeAtlas(target, { run, corpus: corpusRead, leftOut: [], sums: whole });
    for (const table of tableNames) {
      if (table === 'documents' || table === 'ablations') continue;
      const rows = await readTableOf(target, table);
      expect(new Set(rows.map(({ router }) => router)), table).toEqual(new Set(routers));
      const found = await readTableOf(target, table, { layer: 0, router: 'mlp' });
      expect(found, table).toEqual(rows.filter(({ layer, router }) => layer === 0 && router === 'mlp'));
      expect(found.length, table).toBeGreaterThan(0);
    }
    const named = (await readTableOf(target, 'experts')).filter(({ label }) => label !== null);
    expect(named).toMatchObject([{ layer: 1, router: 'mlp', expert: 2, name: '1.mlp.2', label: 'law' }]);
    const dead = (await readTableOf(target, 'experts')).filter((row) => row['dead'] === true);
    expect(dead).toMatchObject([{ layer: 1, router: 'self_attention', expert: 4 }]);
    // The sums that are read again are of the same layers.
    expect(readMade(target).sums.layout.isSame(layout)).toBe(true);
  });

  it('is merged from shards', () => {
    const shards = [0, 1, 2].map((i) => corpusOf(documents.filter((_, d) => d % 3 === i)));
    for (const shard of shards.slice(1)) shards[0]!.merge(shard);
    expect(Buffer.compare(pack(shards[0]!.state), pack(whole.state))).toBe(0);
  });

  it('is compared router by router', () => {
    const after = tablesOf(corpusOf(corpus(2))).tables;
    const { layers, unmatched } = compareAtlases(tablesOf(whole).tables, after);
    expect(layers.map(({ unit: { layer, router } }) => [layer, router])).toEqual([
      [0, 'self_attention'],
      [0, 'mlp'],
      [1, 'self_attention'],
      [1, 'mlp'],
    ]);
    expect(unmatched).toBe(0);
    const agreement = new Agreement();
    agreement.add(documents[0]!.trace, documents[0]!.trace, null);
    agreement.close();
    expect(agreement.value.layers.map(({ name }) => name)).toEqual(layout.layers.map(layerName));
  });

  it('is knocked out at one of them', () => {
    const { document, trace } = documents[1]!;
    const place: Place = { unit: 3 * experts + 2, kind: 'top', document: document.id, sequence: 0, token: 5 };
    const piece = { ...placedIn(trace), document, trace, before: [{ tokens: 0, text: 0 }] };
    const [trial] = trialsIn(piece, [place]);
    for (const { intervention } of [trial!.own, trial!.matched!])
      expect(intervention).toMatchObject({
        expert: expect.stringMatching(/^1\.mlp\./) as string,
        scope: { layer: 1, kind: 'mlp' },
      });
  });

  it('has names of its own in names.json; an older file has none for a router', () => {
    const unit = { stack: null, layer: 1, expert: 2, note: '' };
    const names = [
      { ...unit, router: 'mlp', name: 'law' },
      { ...unit, router: 'self_attention', name: 'nothing' },
    ];
    expect(parseNames(writtenNames(names))).toEqual(names);
    expect(mergedNames(names.map((one, i) => ({ atlas: String(i), names: [one] })))).toEqual({ names, others: [] });
    const older = JSON.stringify({ format: 'gander-atlas-names', version: 1, names: [{ ...unit, name: 'old' }] });
    expect(parseNames(older)).toEqual([{ ...unit, router: null, name: 'old' }]);
  });
});

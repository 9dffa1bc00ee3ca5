/** Merged parts equal the whole, to the last bit. */
import { describe, expect, it } from 'vitest';
import { pack, unpack } from '../../../src/atlas/pack.js';
import { Sums } from '../../../src/atlas/sums.js';
import { tablesOf } from '../../../src/atlas/tables/index.js';
import { random } from '../../../src/statistics/random.js';
import { fabricate } from '../trace/fabricate.js';
import { corpusOf, documentOf, type Drawn, drawn, traceOf } from './planted.js';

const next = random(5);

const mixture = Array.from({ length: 60 }, (_, d): Drawn => {
  const ids = Array.from({ length: 5 + Math.floor(next() * 30) }, () => Math.floor(next() * 12));
  const chosen = [0, 1, 2].map(() => ids.map(() => drawn([1, 2, 3, 4, 0], next)));
  const label = [null, 'a', 'b', 'c'][d % 4]!;
  return { document: documentOf(`d${d}`, label), trace: traceOf(5, chosen, ids) };
});

const pool = Array.from({ length: 30 }, (_, d): Drawn => ({
  document: documentOf(`p${d}`, d % 2 ? 'odd' : 'even'),
  trace: fabricate({ seed: d, layers: 3, kinds: ['q', 'v'] }),
}));

describe.each([
  ['a mixture', mixture],
  ['a pool', pool],
])('sums of %s', (_name, documents) => {
  const whole = corpusOf(documents);

  it('are the same when merged from seven shards, in any order, saved and read in between', () => {
    const shards = Array.from({ length: 7 }, (_, i) => documents.filter((_, d) => (d * 5) % 7 === i).reverse());
    const merged = new Sums(whole.layout);
    for (const shard of shards.reverse()) merged.merge(Sums.load(unpack(pack(corpusOf(shard).state))));
    expect(Buffer.compare(pack(merged.state), pack(whole.state))).toBe(0);
    expect(tablesOf(merged)).toEqual(tablesOf(whole));
  });

  it('refuse a document that they already have, and other experts', () => {
    expect(() => corpusOf([...documents, documents[0]!])).toThrow(/is in two of the parts/);
    expect(() => whole.merge(corpusOf([documents === pool ? mixture[0]! : pool[0]!]))).toThrow(/different models/);
  });
});

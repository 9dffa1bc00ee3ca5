import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { traceLimits } from '../../../src/checks/limits.js';
import { random } from '../../../src/statistics/random.js';
import {
  align,
  alignTraces,
  type Alignment,
  commonSubsequence,
  isCutAlike,
} from '../../../src/trace/alignment/align.js';
import { joined, runsOf } from '../../../src/trace/alignment/together.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { fabricate, fabricateIds, textOf, withText } from './fabricate.js';

const tokenizedBy = (trace: Trace, tokenizer?: string): Trace => {
  const { tokenizer: _, ...source } = trace.source;
  return { ...trace, source: { ...source, ...(tokenizer !== undefined && { tokenizer }) } };
};

/** Textbook dynamic programming: the length of a longest common subsequence. */
function longest(a: Int32Array, b: Int32Array): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    b.forEach((y, j) => next.push(x === y ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)));
    row = next;
  }
  return row[b.length]!;
}

const runsIn = ({ a, b, same }: Alignment) =>
  runsOf([...same.keys()].filter((c) => same[c]).map((c): [number, number] => [a[c]!, b[c]!]));

const turned = ({ a, b, same }: Alignment): Alignment => ({ a: b, b: a, same });

const ids = (alphabet: number) =>
  fc.array(fc.nat(alphabet), { maxLength: 40 }).map((values) => Int32Array.from(values));

describe('token alignment', () => {
  it('is as long as possible, in order, and pairs equal tokens', () => {
    const pair = fc.nat(6).chain((alphabet) => fc.tuple(ids(alphabet), ids(alphabet)));
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const pairs = commonSubsequence(a, b);
        expect(pairs.length).toBe(longest(a, b));
        pairs.forEach(([i, j], n) => {
          expect(a[i]).toBe(b[j]);
          if (n > 0) expect(i > pairs[n - 1]![0] && j > pairs[n - 1]![1]).toBe(true);
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('contains every token of both texts once, in order', () => {
    fc.assert(
      fc.property(ids(4), ids(4), (a, b) => {
        const columns = align(a, b);
        expect([...columns.a].filter((i) => i >= 0)).toEqual([...a.keys()]);
        expect([...columns.b].filter((j) => j >= 0)).toEqual([...b.keys()]);
        columns.same.forEach((same, c) => {
          const [i, j] = [columns.a[c]!, columns.b[c]!];
          expect(i >= 0 || j >= 0).toBe(true);
          if (same) expect(a[i]).toBe(b[j]);
        });
      }),
    );
  });

  it('keeps matched tokens together, and matches as many as without', () => {
    const pair = fc.nat(6).chain((alphabet) => fc.tuple(ids(alphabet), ids(alphabet)));
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const { same } = align(a, b);
        expect(same.reduce((sum, x) => sum + x, 0)).toBe(longest(a, b));
        expect(runsIn(align(a, b)).length).toBeLessThanOrEqual(runsOf(commonSubsequence(a, b)).length);
      }),
      { numRuns: 2000 },
    );
  });

  it('matches an excerpt with one place, wherever it is from, in a text full of newlines and repeated tokens', () => {
    // Of every three tokens one is a newline, and the others come from five words.
    const next = random(7);
    const text = Int32Array.from({ length: 240 }, () => (next() < 1 / 3 ? 0 : 1 + Math.floor(next() * 5)));
    for (let from = 0; from < text.length; from++)
      for (const length of [1, 2, 3, 7, 24, 60]) {
        const excerpt = text.subarray(from, from + length);
        for (const found of [align(text, excerpt), turned(align(excerpt, text))])
          expect(runsIn(found), `${from} ${length}`).toMatchObject([{ j: 0, length: excerpt.length }]);
      }
  });

  it('matches an excerpt whose first and last token are elsewhere too, or nowhere', () => {
    // A special token ends both; the selection begins with a token that the text has merged with the one before.
    const [newline, end, cut] = [0, 1, 2];
    const text = Int32Array.of(7, newline, 3, newline, 4, newline, newline, 5, 6, newline, 8, 9, newline, 3, end);
    expect(runsIn(align(text, Int32Array.of(newline, 5, 6, newline, 8, end)))).toEqual([
      { i: 6, j: 0, length: 5 },
      { i: 14, j: 5, length: 1 },
    ]);
    expect(runsIn(align(text, Int32Array.of(cut, newline, 5, 6, newline, cut)))).toEqual([{ i: 6, j: 1, length: 4 }]);
  });

  it('slides a run that could as well lie next to its neighbour, in both texts', () => {
    // As where a block is inserted that ends as the one before it does.
    const a = Int32Array.of(1, 2, 0, 3, 4, 0, 5, 9);
    const b = Int32Array.of(1, 2, 0, 5, 8);
    expect(runsIn(align(a, b))).toEqual([
      { i: 0, j: 0, length: 3 },
      { i: 6, j: 3, length: 1 },
    ]);
    const [long, short] = [Int32Array.of(7, 0, 3, 4, 0, 5, 6, 8), Int32Array.of(9, 0, 5, 6, 9, 9, 9)];
    expect(runsIn(align(long, short))).toEqual([{ i: 4, j: 1, length: 3 }]);
    expect(runsIn(turned(align(short, long)))).toEqual([{ i: 4, j: 1, length: 3 }]);
  });

  it('joins runs without reading 8,000 repeated tokens over and over', () => {
    let reads = 0;
    const counted = (tokens: Int32Array) =>
      new Proxy(tokens, {
        get(of, key) {
          reads++;
          return Reflect.get(of, key) as unknown;
        },
      });
    // Each run is as the other text goes on, but for its last token: nearly all of it is read in vain.
    const size = 8000;
    const a = Int32Array.from({ length: size }, (_, t) => (t % 5 === 4 ? 1 : 0));
    const runs = Array.from({ length: size / 8 }, (_, r) => ({ i: r * 8, j: r * 4, length: 4 }));
    joined(counted(a), counted(new Int32Array(size)), runs);
    joined(
      counted(new Int32Array(size)),
      counted(new Int32Array(size)),
      runs.map((run) => ({ ...run, i: run.j, j: run.i })),
    );
    expect(reads).toBeLessThan(4 * size * Math.log2(size));
  });

  it('sets replaced tokens side by side', () => {
    const columns = align(Int32Array.of(1, 2, 3, 9), Int32Array.of(1, 5, 9));
    expect([...columns.a]).toEqual([0, 1, 2, 3]);
    expect([...columns.b]).toEqual([0, 1, -1, 2]);
    expect([...columns.same]).toEqual([1, 0, 0, 1]);
  });

  it('follows the furthest path if there are too many edits, and stays common and in order', () => {
    const pair = fc.nat(6).chain((alphabet) => fc.tuple(ids(alphabet), ids(alphabet), fc.integer({ min: 1, max: 5 })));
    fc.assert(
      fc.property(pair, ([a, b, most]) => {
        const pairs = commonSubsequence(a, b, most);
        if (a.length + b.length - 2 * longest(a, b) <= most) expect(pairs.length).toBe(longest(a, b));
        pairs.forEach(([i, j], n) => {
          expect(a[i]).toBe(b[j]);
          if (n > 0) expect(i > pairs[n - 1]![0] && j > pairs[n - 1]![1]).toBe(true);
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('manages two unrelated texts as long as a trace can be', () => {
    const draw = (seed: number) => {
      const next = random(seed);
      return Int32Array.from({ length: traceLimits.tokens }, () => Math.floor(next() * 3000));
    };
    const [a, b] = [draw(1), draw(2)];
    const columns = align(a, b);
    expect(columns.same.reduce((sum, x) => sum + x, 0)).toBeGreaterThan(500);
    expect([...columns.a].filter((i) => i >= 0).length).toBe(a.length);
    expect([...columns.b].filter((j) => j >= 0).length).toBe(b.length);
  });

  it('compares texts if the tokenizers differ, and only routed tokens', () => {
    const a = fabricate({ tokens: ['x', 'y', 'z'] });
    const b = tokenizedBy(fabricate({ tokens: ['y', 'z', 'w'] }), 'other');
    expect([...alignTraces(a, b).same]).toEqual([0, 1, 1, 0]);
    expect([...alignTraces(withText(a, { done: 2 }), b).a]).toEqual([0, 1, -1, -1]);
  });

  it('compares texts if the tokenizers are not known to be the same', () => {
    // The same ids, but other texts.
    const a = fabricate({ tokens: ['x', 'y', 'z'] });
    const b = fabricate({ tokens: ['p', 'y', 'q'] });
    expect([...alignTraces(a, b).same]).toEqual([1, 1, 1]);
    expect([...alignTraces(tokenizedBy(a), b).same]).toEqual([0, 1, 0]);
  });

  it('compares ids if there are no texts, unless the tokenizers are known to differ', () => {
    const [a, b] = [fabricateIds({ seed: 1 }), fabricateIds({ seed: 2 })];
    expect([...alignTraces(a, b, 1).same]).toEqual([1, 1, 1, 1]);
    const differ = alignTraces(tokenizedBy(a, 'one'), tokenizedBy(b, 'other'));
    expect([...differ.same]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([...differ.b]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('compares the characters in the text if no token is spelled', () => {
    const unspelled = (tokens: string[]) => {
      const trace = fabricate({ tokens });
      const { text: _, ids: __, ...rest } = textOf(trace).tokens;
      return withText(trace, { tokens: rest });
    };
    expect([...alignTraces(unspelled(['a', 'b']), unspelled(['b', 'c'])).same]).toEqual([0, 1, 0]);
  });

  it('finds nothing in common with a sequence that does not exist', () => {
    expect([...alignTraces(fabricateIds(), fabricate(), 1).same]).toEqual([0, 0, 0, 0]);
  });
});

describe('runs of one text from different programs', () => {
  const text = 'the grey goose';
  const cut = (source: string, pieces: readonly string[], spelled: readonly string[] = pieces): Trace => {
    const trace = fabricateIds();
    let at = 0;
    const start = Int32Array.from(pieces, (piece) => (at += piece.length) - piece.length);
    const end = Int32Array.from(pieces, (piece, t) => start[t]! + piece.length);
    const tokens = { count: pieces.length, start, end, text: spelled };
    const sequence = { role: 'text' as const, text, tokens, done: pieces.length, predictions: 0 };
    return { ...trace, source: { kind: source, name: source, versions: {} }, sequences: [sequence] };
  };

  it('are aligned by the characters that their tokens cover, however they are spelled', () => {
    const [a, b] = [
      cut('pool', ['the', ' grey', ' goose']),
      cut('vllm', ['the', ' grey', ' goose'], ['the', 'grey', 'goose']),
    ];
    expect([...alignTraces(a, b).same]).toEqual([1, 1, 1]);
    expect(isCutAlike(a, b)).toBe(true);
  });

  it('split differently, are aligned where they agree, and reported as different', () => {
    const [a, b] = [cut('pool', ['the', ' grey', ' goose']), cut('vllm', ['the', ' gr', 'ey', ' goose'])];
    expect([...alignTraces(a, b).same]).toEqual([1, 0, 0, 1]);
    expect(isCutAlike(a, b)).toBe(false);
  });

  it('count as split alike if they have the same tokenizer, or else the same offsets', () => {
    const [a, b] = [cut('pool', ['the', ' grey', ' goose']), cut('vllm', ['the', ' grey goose'])];
    expect(isCutAlike(tokenizedBy(a, 'x'), tokenizedBy(a, 'x'))).toBe(true);
    expect(isCutAlike(tokenizedBy(a, 'x'), tokenizedBy(a, 'y'))).toBe(false);
    expect(isCutAlike(fabricateIds(), b)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { Results } from '../../../evaluate/results.js';
import { bestSingle, tabulate, verdict } from '../../../evaluate/table.js';
import { doc } from './fakes.js';

const documents = [doc('x', 'x1'), doc('x', 'x2'), doc('y', 'y1')];
const singles = ['single:a', 'single:b'];

/** Bits of each strategy for x1, x2, y1; undefined: not measured. Bytes 10, 30, 20. */
function resultsOf(bits: Record<string, readonly (number | undefined)[]>): Results {
  const results = new Results('pool');
  for (const [key, values] of Object.entries(bits)) {
    values.forEach((value, i) => {
      if (value !== undefined)
        results.addScore(documents[i]!.hash, key, { bits: value, bytes: [10, 30, 20][i]!, tokens: 4 });
    });
  }
  return results;
}

const complete = {
  base: [20, 60, 40],
  'phatgoose:2': [10, 30, 20],
  'single:a': [8, 32, 40],
  'single:b': [30, 40, 16],
};
const table = (bits: Record<string, readonly (number | undefined)[]>, matching = false) =>
  tabulate(documents, ['base', 'phatgoose:2', 'merged'], singles, 2, resultsOf(bits), 1, matching);
const row = (rows: ReturnType<typeof table>, key: string) => rows.rows.find((r) => r.key === key);

describe('the table', () => {
  it('has bits per byte by kind, and the mean of the kinds', () => {
    const { rows, kinds } = table(complete);
    expect(kinds).toEqual(['x', 'y']);
    const a = rows.find((r) => r.key === 'single:a')!;
    expect(a.kinds['x']).toMatchObject({ documents: 2, bitsPerByte: 1 });
    expect(a.kinds['y']).toMatchObject({ documents: 1, bitsPerByte: 2 });
    expect(a.overall).toMatchObject({ documents: 3, bitsPerByte: 1.5, difference: { value: 0.5 } });
  });

  it('shows no difference in the reference’s own row', () => {
    expect(row(table(complete), 'phatgoose:2')!.overall).toEqual({ documents: 3, bitsPerByte: 1 });
  });

  it('has the oracle: the best single of each kind, and of each document', () => {
    const kind = row(table(complete), 'oracle-kind')!;
    expect(kind.picked).toEqual({ x: 'a', y: 'b' });
    expect(kind.overall!.bitsPerByte).toBeCloseTo((40 / 40 + 16 / 20) / 2);
    const document = row(table({ ...complete, 'single:b': [30, 31, 16] }), 'oracle-document')!;
    expect(document.overall!.bitsPerByte).toBeCloseTo(((8 + 31) / 40 + 16 / 20) / 2);
  });

  it('has the best individual: the lowest mean over the kinds, not over the documents', () => {
    const best = row(table(complete), 'best-individual')!;
    expect(best.picked).toBe('b'); // (70/40 + 16/20)/2 = 1.275; a: (1 + 2)/2
    expect(best.overall!.bitsPerByte).toBeCloseTo(1.275);
    expect(bestSingle(singles, documents, ['x'], resultsOf(complete))).toBe('single:a');
  });

  it('has the kind’s own expert if kinds are experts', () => {
    const own = [doc('a', 'x1'), doc('b', 'x2')];
    const { rows } = tabulate(own, ['phatgoose:2'], singles, 2, resultsOf(complete), 1, true);
    expect(rows.find((r) => r.key === 'layer-expert')!.overall!.bitsPerByte).toBeCloseTo((8 / 10 + 40 / 30) / 2);
  });

  it('has no row for what was not measured', () => {
    const { rows } = table(complete);
    expect(rows.some((r) => r.key === 'merged')).toBe(false);
    const { base, 'phatgoose:2': reference } = complete;
    expect(table({ base, 'phatgoose:2': reference }).rows.map((r) => r.key)).toEqual(['base', 'phatgoose:2']);
    expect(table({ base })).toEqual({ kinds: [], rows: [] });
  });

  it('has an oracle only over documents on which every expert was measured', () => {
    expect(row(table({ ...complete, 'single:b': [] }), 'oracle-kind')).toBeUndefined();
    const half = table({ ...complete, 'single:b': [30, undefined, undefined] });
    expect(row(half, 'oracle-kind')!.picked).toEqual({ x: 'a' });
    expect(row(half, 'oracle-kind')!.kinds['x']!.documents).toBe(1);
    expect(row(half, 'oracle-kind')!.overall).toBeUndefined();
    expect(row(half, 'best-individual')).toBeUndefined();
    const few = tabulate(documents, ['phatgoose:2'], ['single:a'], 2, resultsOf(complete), 1);
    expect(few.rows.map((r) => r.key)).toEqual(['phatgoose:2', 'single:a']);
  });

  it('pairs differences on documents measured with both', () => {
    const partial = row(table({ ...complete, base: [20, undefined, 40] }), 'base')!;
    expect(partial.overall).toMatchObject({ documents: 2, bitsPerByte: 2, difference: { value: 1 } });
    const missing = row(table({ ...complete, base: [20, 60, undefined] }), 'base')!;
    expect(missing.overall).toBeUndefined();
    expect(missing.kinds['x']!.documents).toBe(2);
  });

  it('refuses scores over different bytes', () => {
    const results = resultsOf(complete);
    results.addScore(documents[0]!.hash, 'base', { bits: 1, bytes: 11, tokens: 4 });
    expect(() => tabulate(documents, ['base'], [], 2, results, 1)).toThrow('11 bytes');
  });

  it('calls a row better or worse only if its interval does not include 0', () => {
    expect(verdict({ low: 0.1, high: 0.2 })).toBe('worse');
    expect(verdict({ low: -0.2, high: -0.1 })).toBe('better');
    expect(verdict({ low: -0.1, high: 0 })).toBe('open');
  });
});

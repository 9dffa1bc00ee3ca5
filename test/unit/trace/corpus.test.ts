import { describe, expect, it } from 'vitest';
import { besideCorpus } from '../../../src/trace/figures/corpus.js';
import { usage, usageIntervals } from '../../../src/trace/figures/usage.js';
import { sharedModules } from '../../../src/trace/model/access.js';
import { traceOf } from '../atlas/planted.js';

/** One layer of 4 experts, one chosen by each token. */
function found(chosen: readonly number[], loads: readonly (number | undefined)[], spread = 0.01) {
  const trace = traceOf(
    4,
    [chosen.map((e) => e)],
    chosen.map((_, i) => i),
  );
  const modules = sharedModules(trace)!;
  return besideCorpus(
    usage(trace, modules),
    usageIntervals(trace, modules),
    loads.map((load) => (load === undefined ? undefined : { load, low: load - spread, high: load + spread })),
  );
}

const times = (n: number, list: readonly number[]) => Array.from({ length: n }, () => list).flat();

describe('a text beside a corpus', () => {
  it('says which experts it takes more often and less often than chance explains, by how far they are apart', () => {
    // Shares 0.5, 0.25, 0.25 and 0.
    const rows = found(times(40, [0, 0, 1, 2]), [0.1, 0.25, 0.3, 0.35]);
    expect(rows.map(({ expert, apart }) => [expert, apart])).toEqual([
      [0, 'more'],
      [3, 'fewer'],
      [2, undefined],
      [1, undefined],
    ]);
    expect(rows[0]).toMatchObject({ share: 0.5, times: 5 });
    expect(rows[1]).toMatchObject({ share: 0, times: 0 });
  });

  it('says nothing of a text of few tokens, however far it is from the corpus', () => {
    expect(found(times(7, [0, 0, 0, 1]), [0.01, 0.33, 0.33, 0.33]).map(({ apart }) => apart)).toEqual(
      Array.from({ length: 4 }, () => undefined),
    );
  });

  it('does not take a rare expert that so few tokens may well miss to be chosen less often', () => {
    const rows = found(times(20, [0, 1]), [0.47, 0.47, 0.06, 0.3], 0.001);
    const [rare, usual] = [2, 3].map((e) => rows.find(({ expert }) => expert === e)!);
    expect(rare!.apart).toBeUndefined();
    expect(usual!.apart).toBe('fewer');
    // With 40 tokens, a share of 8.8 % is missed once in 40 times.
    expect(rare!.interval.high).toBeCloseTo(0.088, 3);
    expect((1 - rare!.interval.high) ** 40).toBeCloseTo(0.025);
  });

  it('says nothing where the atlas knows no interval, and leaves out experts that it does not have', () => {
    const trace = traceOf(4, [times(20, [0, 1])], times(20, [0, 1]));
    const modules = sharedModules(trace)!;
    const rows = besideCorpus(usage(trace, modules), usageIntervals(trace, modules), [
      { load: 0.01, low: null, high: null },
      undefined,
      { load: 0, low: 0, high: 0 },
      undefined,
    ]);
    expect(rows.map(({ expert, apart }) => [expert, apart])).toEqual([
      [0, undefined],
      [2, undefined],
    ]);
    expect(rows[1]!.times).toBeNaN();
  });
});

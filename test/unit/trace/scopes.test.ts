import { describe, expect, it } from 'vitest';
import { bootstrapContrast } from '../../../src/statistics/bootstrap.js';
import { random } from '../../../src/statistics/random.js';
import { contrast } from '../../../src/trace/figures/contrast.js';
import { parted, regionScopes, selectionScope } from '../../../src/trace/text/scopes.js';
import { scopeOf } from '../../../webview/scope/regions.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { usage, usageIntervals } from '../../../src/trace/figures/usage.js';
import { blockOf, fabricate, sharedOf, withText } from './fabricate.js';

/** One token per word or line end, after a token without text. */
function traceOf(text: string): Trace {
  const words = [...text.matchAll(/\n|[^\S\n]*[^\s]+/g)];
  const trace = fabricate({ layers: 1, kinds: ['q'], experts: 3, tokens: ['<|s|>', ...words.map(([word]) => word)] });
  return withText(trace, {
    text,
    tokens: {
      ...trace.sequences[0]!.tokens,
      start: Int32Array.from([-1, ...words.map(({ index }) => index)]),
      end: Int32Array.from([-1, ...words.map(({ index, 0: word }) => index + word.length)]),
    },
  });
}

const text = 'Hello there\n```py\nx = 1\n```\nand\n```py\ny\n```\n```sh\nls\n```\nbye\n';

describe('the scopes of a text', () => {
  const trace = traceOf(text);
  const { tokens } = trace.sequences[0]!;
  const said = (key: string) =>
    scopeOf(trace, 'a.md', key)!.ranges.map(([from, to]) => text.slice(tokens.start![from], tokens.end![to - 1]));

  it('are the surrounding text as one, and each other region', () => {
    expect(regionScopes(trace, 'a.md').map(({ key }) => key)).toEqual([
      'region prose  0',
      'region code fence py 0',
      'region code fence py 1',
      'region code fence py 2',
      'region code fence sh 0',
    ]);
    expect(said('region code fence py 0')).toEqual(['x = 1\n', 'y\n']);
    expect(said('region code fence py 2')).toEqual(['y\n']);
    expect(said('region prose  0')).toEqual([
      'Hello there\n```py\n',
      '```\nand\n```py\n',
      '```\n```sh\n',
      '```\nbye\n',
    ]);
  });

  it('keep the markup around PHP in one piece, even if the file begins with PHP', () => {
    const php = traceOf('<?php a(); ?>\n<p>x\n<?php b(); ?>\n<p>y\n');
    const said = regionScopes(php, 'a.php').map(({ key, region }) => [key, region!.count]);
    expect(said).toEqual([
      ['region PHP  0', 2],
      ['region PHP  1', 2],
      ['region PHP  2', 2],
      ['region markup  0', 1],
    ]);
  });

  it('depend on the name of the document, with or without line numbers', () => {
    for (const title of ['a.md:3', 'a.md:1–12', 'a.md.gander.safetensors'])
      expect(regionScopes(trace, title)).toHaveLength(5);
    expect(regionScopes(trace, 'a.rs')).toEqual([]);
    expect(regionScopes(traceOf('only words\n'), 'a.md')).toEqual([]);
  });

  it('are what was selected, if the text has that many tokens', () => {
    const scope = selectionScope(0, [2, 5]);
    expect(scopeOf(trace, 'a.md', scope.key)).toEqual(scope);
    expect(scopeOf(trace, 'a.md', 'tokens 0 2-5000')).toBeUndefined();
    expect(scopeOf(trace, 'a.md', 'tokens 7 2-5')).toBeUndefined();
    expect(scopeOf(trace, 'a.md', 'nonsense')).toBeUndefined();
  });

  it('divide the text’s tokens', () => {
    const { inside, outside } = parted(trace.sequences[0]!, [[0, 3], [5, 6]]); // prettier-ignore
    expect([...inside]).toEqual([1, 2, 5]);
    expect([...outside].slice(0, 3)).toEqual([3, 4, 6]);
  });
});

describe('a scope compared with the rest', () => {
  it('gives the usage of both and their difference, with an interval', () => {
    const trace = traceOf('a b '.repeat(100));
    const next = random(3);
    blockOf(trace).chosen.forEach((_, i, chosen) => {
      chosen[i] = i % 2 === 0 ? (next() < (i < 200 ? 0.8 : 0.2) ? 0 : 1) : 2;
    });
    const ranges = [[0, 101]] as const;
    const modules = sharedOf(trace);
    const found = contrast(trace, modules, ranges);
    const { inside, outside } = parted(trace.sequences[0]!, ranges);
    expect(found.inside).toEqual(usage(trace, modules, inside));
    expect(found.outside).toEqual(usage(trace, modules, outside));
    expect(found.intervals).toEqual(usageIntervals(trace, modules, inside));
    const { change, changeIntervals } = found;
    for (const e of [0, 1, 2]) {
      expect(change[e]).toBeCloseTo(found.inside.share[e]! - found.outside.share[e]!, 12);
      expect(changeIntervals[e]!.low).toBeLessThanOrEqual(change[e]!);
      expect(changeIntervals[e]!.high).toBeGreaterThanOrEqual(change[e]!);
    }
    // Experts that differ are found to differ, and those that do not are not.
    expect(changeIntervals[0]!.low).toBeGreaterThan(0);
    expect(changeIntervals[1]!.high).toBeLessThan(0);
    expect(changeIntervals[2]).toEqual({ low: 0, high: 0 });
  });

  it('gives no difference if there is no rest', () => {
    const trace = traceOf('a b c');
    const { change, changeIntervals } = contrast(trace, sharedOf(trace), [[0, 99]]);
    expect([...change]).toEqual([NaN, NaN, NaN]);
    expect(changeIntervals[0]!.low).toBeNaN();
  });
});

it('the interval of a difference contains it at least nine times in ten', () => {
  let held = 0;
  for (let round = 0; round < 100; round++) {
    const next = random(100 + round);
    const sample = (p: number) => {
      const parts = Float64Array.from({ length: 60 }, () => (next() < p ? 1 : 0));
      return { parts, wholes: new Float64Array(60).fill(1) };
    };
    const [{ low, high }] = bootstrapContrast(sample(0.5), sample(0.3), 1, { seed: round, resamples: 300 })
      .difference as [{ low: number; high: number }];
    if (low <= 0.2 && 0.2 <= high) held++;
  }
  expect(held).toBeGreaterThanOrEqual(88);
});

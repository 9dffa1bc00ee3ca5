import widthOf from 'string-width';
import { describe, expect, it } from 'vitest';
import { traceTable } from '../../../src/cli/traceTable.js';
import { painter, unpainted as paint } from '../../../src/terminal/paint.js';
import { fabricate, fabricateIds } from '../trace/fabricate.js';

describe('a trace as a table', () => {
  it('has a line for each token and for each expert', () => {
    const lines = traceTable(fabricate(), paint, 100).split('\n');
    expect(lines.filter((line) => /^ *\d+ {2}/.test(line)).length).toBe(16);
    expect(lines.filter((line) => /^E[0-4] Expert/.test(line)).length).toBe(5);
    expect(lines.at(-2)).toContain('warning');
  });

  it.each([60, 80, 100, 120, 160])('keeps within %i columns where it can', (columns) => {
    const wide = Math.max(
      ...traceTable(fabricate(), paint, columns)
        .split('\n')
        .filter((l) => /^ *\d+ /.test(l))
        .map((line) => widthOf(line)),
    );
    expect(wide).toBeLessThanOrEqual(Math.max(columns, 80));
  });

  it('paints no two of many experts alike, but for those that are faint', () => {
    const painted = painter({ isTTY: true, getColorDepth: () => 24 }, {});
    const trace = fabricate({ experts: 40, k: 4, tokens: Array.from({ length: 60 }, (_, i) => `t${i}`) });
    const text = traceTable(trace, painted, 100);
    // eslint-disable-next-line no-control-regex -- colours are what is looked at
    const bars = [...text.matchAll(/^(\w{1,3}) Expert.*?\u001b\[([\d;]+)m/gm)].map(([, letter, colour]) => [
      letter,
      colour,
    ]);
    expect(bars).toHaveLength(40);
    expect(bars.filter(([, colour]) => colour === '2')).toHaveLength(25);
    expect(new Set(bars.map(([, colour]) => colour)).size).toBe(16);
    expect(new Set(bars.map(([letter]) => letter)).size).toBe(40);
  });

  it('lets no control character of the text through', () => {
    expect(traceTable(fabricate({ tokens: ['\u001b[2J', '\r', '\u202e'] }), paint, 100)).not.toMatch(/[^\P{C}\n]/u);
  });

  it('says of ids alone what can be said, and what is absent', () => {
    const text = traceTable(fabricateIds(), paint, 100);
    expect(text.match(/Each layer has experts of its own/g)).toHaveLength(2);
    expect(text).toContain('not given by the source: text, weights, router logits');
    expect(text).toMatch(/^decoder 3 +\d+\.\d/m);
    expect(text).toMatch(/^0 +#100 +– +– +–$/m);
    expect(text).not.toMatch(/leading expert|NaN|undefined/);
  });

  it('is made of an empty trace too', () => {
    expect(traceTable(fabricate({ tokens: [] }), paint, 80)).toContain('0 tokens');
    expect(traceTable(fabricate({ bare: true }), paint, 80)).toContain('–');
  });
});

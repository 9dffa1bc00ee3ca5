import { describe, expect, it } from 'vitest';
import { Progress } from '../../../src/cli/progress.js';
import { bar, fit, pad, painter, table, widthOf } from '../../../src/cli/terminal.js';
import { traceTable } from '../../../src/cli/traceTable.js';
import { fabricate, fabricateIds } from '../trace/fabricate.js';

const terminal = (depth: number) => ({ isTTY: true, columns: 100, getColorDepth: () => depth });
const escape = '\u001b';

describe('colour', () => {
  it('is only for terminals, and not where NO_COLOR is set', () => {
    expect(painter({}, {}).bold('a')).toBe('a');
    expect(painter(terminal(24), { NO_COLOR: '1' }).bold('a')).toBe('a');
    expect(painter(terminal(24), { TERM: 'dumb' }).bold('a')).toBe('a');
    expect(painter(terminal(1), {}).bold('a')).toBe('a');
    expect(painter(terminal(24), {}).bold('a')).toBe(`${escape}[1ma${escape}[22m`);
  });

  it('is as fine as the terminal can', () => {
    expect(painter(terminal(24), {}).expert(0, 'a')).toContain('[38;2;');
    expect(painter(terminal(8), {}).expert(0, 'a')).toMatch(/\[38;5;\d+m/);
    expect(painter(terminal(4), {}).expert(0, 'a')).toContain('[31m');
  });
});

describe('columns', () => {
  it('are as wide as characters look', () => {
    expect(widthOf('abc')).toBe(3);
    expect(widthOf('日本')).toBe(4);
    expect(widthOf('e\u0301')).toBe(1);
    expect(widthOf('👩‍👩‍👧')).toBe(2);
    expect(widthOf(`${escape}[1mab${escape}[22m`)).toBe(2);
    expect(fit('日本語', 5)).toBe('日本…');
    expect(fit('abc', 3)).toBe('abc');
    expect(pad('日', 4, 'right')).toBe('  日');
  });

  it('line up', () => {
    const paint = painter({});
    expect(
      table(
        ['a', 'n'],
        [
          ['日本', '1'],
          ['x', '22'],
        ],
        'lr',
        paint,
      ),
    ).toBe('a      n\n日本   1\nx     22\n');
  });
});

describe('a bar', () => {
  it('has eighths', () => {
    expect(bar(1, 4)).toBe('████');
    expect(bar(0.5, 1)).toBe('▌');
    expect(bar(0, 4)).toBe('');
    expect(bar(2, 1)).toBe('█');
  });
});

describe('a trace as a table', () => {
  const paint = painter({});

  it('has a line for each token and for each expert', () => {
    const lines = traceTable(fabricate(), paint, 100).split('\n');
    expect(lines.filter((line) => /^ *\d+ {2}/.test(line)).length).toBe(16);
    expect(lines.filter((line) => /^[A-E] Expert/.test(line)).length).toBe(5);
    expect(lines.at(-2)).toContain('warning');
  });

  it.each([60, 80, 100, 120, 160])('keeps within %i columns where it can', (columns) => {
    const wide = Math.max(
      ...traceTable(fabricate(), paint, columns)
        .split('\n')
        .filter((l) => /^ *\d+ /.test(l))
        .map(widthOf),
    );
    expect(wide).toBeLessThanOrEqual(Math.max(columns, 80));
  });

  it('lets no control character of the text through', () => {
    expect(traceTable(fabricate({ tokens: ['\u001b[2J', '\r', '\u202e'] }), paint, 100)).not.toMatch(/[^\P{C}\n]/u);
  });

  it('says of ids alone what can be said, and what is absent', () => {
    const text = traceTable(fabricateIds(), paint, 100);
    expect(text.match(/Each layer has experts of its own/g)).toHaveLength(2);
    expect(text).toContain('not given by the source: text, weights, scores');
    expect(text).toMatch(/^decoder 3 +\d+\.\d/m);
    expect(text).toMatch(/^0 +#100 +– +– +–$/m);
    expect(text).not.toMatch(/leading expert|NaN|undefined/);
  });

  it('is made of an empty trace too', () => {
    expect(traceTable(fabricate({ tokens: [] }), paint, 80)).toContain('0 tokens');
    expect(traceTable(fabricate({ bare: true }), paint, 80)).toContain('–');
  });
});

describe('progress', () => {
  const stream = (isTTY: boolean) => {
    const written: string[] = [];
    return { isTTY, written, write: (text: string) => written.push(text) };
  };

  it('is told to terminals only, and cleared', () => {
    const piped = stream(false);
    const silent = new Progress(piped, false);
    silent.say('a');
    silent.clear();
    expect(piped.written).toEqual([]);
    const shown = stream(true);
    const progress = new Progress(shown, false);
    progress.clear();
    progress.say('a');
    progress.clear();
    progress.clear();
    expect(shown.written.length).toBe(2);
    const quiet = stream(true);
    new Progress(quiet, true).count('x')(1, 2);
    expect(quiet.written).toEqual([]);
  });
});

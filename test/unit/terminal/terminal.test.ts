import widthOf from 'string-width';
import { describe, expect, it } from 'vitest';
import { colourCount, quiet } from '../../../src/look/palette.js';
import { bar } from '../../../src/look/bar.js';
import { fit, pad, table } from '../../../src/terminal/columns.js';
import { painter, unpainted } from '../../../src/terminal/paint.js';
import { Progress } from '../../../src/terminal/progress.js';
import { duration } from '../../../src/words/duration.js';
import { shown } from '../../../src/trace/text/label.js';

const terminal = (depth: number) => ({ isTTY: true, columns: 100, getColorDepth: () => depth });
const escape = '\u001b';

describe('colour', () => {
  it('is only for terminals, and not if NO_COLOR is set', () => {
    expect(painter({}, {}).bold('a')).toBe('a');
    expect(painter(terminal(24), { NO_COLOR: '1' }).bold('a')).toBe('a');
    expect(painter(terminal(24), { TERM: 'dumb' }).bold('a')).toBe('a');
    expect(painter(terminal(1), {}).bold('a')).toBe('a');
    expect(painter(terminal(24), {}).bold('a')).toBe(`${escape}[1ma${escape}[22m`);
  });

  it('uses as many colours as the terminal has', () => {
    expect(painter(terminal(24), {}).slot(0, 'a')).toContain('[38;2;');
    expect(painter(terminal(8), {}).slot(0, 'a')).toMatch(/\[38;5;\d+m/);
    expect(painter(terminal(4), {}).slot(0, 'a')).toContain('[31m');
  });

  it('differs for each expert that has a colour, and is dim for all others', () => {
    const slots = Array.from({ length: colourCount }, (_, slot) => slot);
    for (const [depth, least] of [
      [24, 16],
      [8, 14],
      [4, 12],
    ] as const)
      expect(
        new Set(slots.map((slot) => painter(terminal(depth), {}).slot(slot, 'a'))).size,
        `${depth}`,
      ).toBeGreaterThanOrEqual(least);
    const { slot, dim } = painter(terminal(24), {});
    expect(slot(quiet, 'a')).toBe(dim('a'));
  });
});

describe('columns', () => {
  it('count the width of characters in a terminal', () => {
    expect(widthOf('abc')).toBe(3);
    expect(widthOf('日本')).toBe(4);
    expect(widthOf('e\u0301')).toBe(1);
    expect(widthOf('👩‍👩‍👧')).toBe(2);
    expect(widthOf(`${escape}[1mab${escape}[22m`)).toBe(2);
    expect(fit('日本語', 5)).toBe('日本…');
    expect(fit('👩‍👩‍👧👩‍👩‍👧', 3)).toBe('👩‍👩‍👧…');
    expect(fit('abc', 3)).toBe('abc');
    expect(pad('日', 4, 'right')).toBe('  日');
  });

  it('line up', () => {
    expect(
      table(
        ['a', 'n'],
        [
          ['日本', '1'],
          ['x', '22'],
        ],
        'lr',
        unpainted,
      ),
    ).toBe('a      n\n日本   1\nx     22\n');
  });
});

describe('text from outside', () => {
  it('keeps its lines and joined emoji, and loses control characters', () => {
    expect(shown('a\n\tb 👩‍👩‍👧 e\u0301')).toBe('a\n\tb 👩‍👩‍👧 e\u0301');
    expect(shown('\u001b[2J\r\u009b1m\u202eabc\u2066\u200f\u061c\ud800\u2028')).toBe('·[2J··1m·abc·····');
  });
});

describe('a bar', () => {
  it('is drawn in eighths', () => {
    expect(bar(1, 4)).toBe('████');
    expect(bar(0.5, 1)).toBe('▌');
    expect(bar(0.3, 4)).toBe('█▎  ');
    expect([0, NaN, -1].map((share) => bar(share, 4))).toEqual(Array(3).fill('    '));
    expect(bar(2, 1)).toBe('█');
  });
});

describe('progress', () => {
  const stream = (isTTY: boolean) => {
    const written: string[] = [];
    return { isTTY, columns: 60, written, write: (text: string) => written.push(text) };
  };

  it('is one line in a terminal, cleared once', () => {
    const shown = stream(true);
    const progress = new Progress(shown);
    progress.clear();
    progress.say('a');
    progress.clear();
    progress.clear();
    expect(shown.written).toEqual([`\r${escape}[Ka`, `\r${escape}[K`]);
  });

  it('shows how many are done and the time left, within the terminal’s width', () => {
    let now = 0;
    const shown = stream(true);
    const count = new Progress(shown, { now: () => now }).count('tokens', 'routing');
    count(0, 100);
    now = 60_000;
    count(25, 100);
    count(26, 100); // immediately after: not drawn
    now = 61_000;
    count(50, 100, '日本'.repeat(40));
    const lines = shown.written.map((line) => line.slice(4));
    expect(lines[0]).toBe(`${' '.repeat(20)} 0 of 100 tokens  routing`);
    expect(lines[1]).toBe('█████                25 of 100 tokens, 3 min left  routing');
    expect(lines).toHaveLength(3);
    expect(widthOf(lines[2]!)).toBeLessThan(60);
  });

  it('is silent or an occasional line outside a terminal', () => {
    let now = 0;
    const piped = stream(false);
    const silent = new Progress(piped);
    silent.say('a');
    silent.clear();
    expect(piped.written).toEqual([]);
    const count = new Progress(piped, { everyMs: 30_000, now: () => now }).count('files');
    for (now = 0; now <= 60_000; now += 10_000) count(now / 10_000, 7);
    expect(piped.written).toHaveLength(3);
  });

  it('gives durations as a person would', () => {
    expect([duration(4_000), duration(90_000), duration(3_700_000)]).toEqual(['4 s', '2 min', '1 h 02 min']);
  });
});

import { describe, expect, it } from 'vitest';
import { commandOf, parseOptions } from '../../../evaluate/options.js';
import { duration, Progress } from '../../../evaluate/progress.js';

describe('options', () => {
  it('have defaults', () => {
    const options = parseOptions([])!;
    expect(options).toMatchObject({ documents: 30, tokens: 512, own: 0, out: 'models/smollm2-135m', seed: 1 });
    expect(options.kinds).toBeUndefined();
    expect(parseOptions(['--pool', 'p', '--kinds', 'a, b,'])).toMatchObject({ out: 'p', kinds: ['a', 'b'] });
    expect(parseOptions(['-h'])).toBeUndefined();
  });

  it.each([['--documents', '0'], ['--documents', '1e9'], ['--tokens', '1'], ['--what'], ['left over']])(
    'refuse %s %s',
    (...args) => {
      expect(() => parseOptions(args)).toThrow();
    },
  );

  it('come back as a command without a path of this machine', () => {
    const options = parseOptions([
      '--pool',
      '/here/models/x',
      '--own',
      '5',
      '--strategies',
      'base',
      '--cache',
      '/tmp/c',
    ])!;
    expect(commandOf(options, '/here')).toBe(
      'npm run evaluate -- --pool models/x --corpora training/.corpora --documents 30 --tokens 512 --strategies base --own 5',
    );
  });
});

describe('progress', () => {
  it('says how long it still takes', () => {
    let now = 0;
    let out = '';
    const progress = new Progress({ isTTY: true, columns: 60, write: (text) => (out += text) }, () => now);
    progress.at(0, 100, 'first');
    now = 60_000;
    progress.at(10, 100, 'eleventh');
    expect(out).toContain('10/100, 9 min left  eleventh');
    expect(out.split('\r').every((line) => line.length < 66)).toBe(true);
  });

  it('is a line now and then where nobody watches', () => {
    let now = 0;
    const lines: string[] = [];
    const progress = new Progress({ write: (text) => lines.push(text) }, () => now);
    for (now = 0; now <= 60_000; now += 10_000) progress.at(now / 10_000, 7, 'x');
    expect(lines).toHaveLength(3);
  });

  it('reads as a person would say it', () => {
    expect([duration(4_000), duration(90_000), duration(3_700_000)]).toEqual(['4 s', '2 min', '1 h 02 min']);
  });
});

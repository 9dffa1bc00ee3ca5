import { describe, expect, it } from 'vitest';
import { commandOf, parseOptions } from '../../../evaluate/options.js';

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

  it('can be written as a command without absolute paths', () => {
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

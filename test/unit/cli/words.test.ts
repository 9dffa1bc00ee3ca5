import { describe, expect, it } from 'vitest';
import { half } from '../../../src/requests/textParts.js';
import { cacheFolder, dataFolder } from '../../../src/cli/paths.js';
import { UsageError } from '../../../src/cli/usage.js';
import { checkExperts, parseCount, parseIntervention, parseNumber, parseStrategy } from '../../../src/cli/words.js';
import type { PoolInfo } from '../../../src/requests/api.js';
import { strategyText } from '../../../src/strategies/index.js';
import { interventionText } from '../../../src/trace/text/label.js';

const experts = ['sql', 'python', 'go', 'c'].map((id) => ({ id }));
const pool = {
  kind: 'pool',
  topK: 2,
  experts,
  expertSets: [{ scope: 'pool', experts }],
  warnings: [],
} as unknown as PoolInfo;

describe('a strategy', () => {
  it.each([
    ['base', { name: 'base' }],
    ['single:sql', { name: 'single', expert: 'sql' }],
    ['single:a:b', { name: 'single', expert: 'a:b' }],
    ['phatgoose', { name: 'phatgoose', k: 2 }],
    ['phatgoose:3', { name: 'phatgoose', k: 3 }],
    ['arrow', { name: 'arrow', k: 3 }],
    ['average-activation:1', { name: 'average-activation', k: 1 }],
    ['retrieval', { name: 'retrieval' }],
  ])('%s', (text, strategy) => {
    expect(parseStrategy(text, pool)).toEqual(strategy);
  });

  it('takes --k if it names none', () => {
    expect(parseStrategy('phatgoose', pool, 4)).toEqual({ name: 'phatgoose', k: 4 });
    expect(parseStrategy('arrow:1', pool, 4)).toEqual({ name: 'arrow', k: 1 });
  });

  it('takes all experts if more are asked for', () => {
    expect(parseStrategy('phatgoose:999999999', pool)).toEqual({ name: 'phatgoose', k: 4 });
    expect(parseStrategy('arrow', pool, 99)).toEqual({ name: 'arrow', k: 4 });
  });

  it.each(['', 'magic', 'single', 'single:', 'base:2', 'phatgoose:', 'phatgoose:0', 'phatgoose:1.5', 'constructor'])(
    'is not "%s"',
    (text) => {
      expect(() => parseStrategy(text, pool)).toThrow(UsageError);
    },
  );

  it('is told its present name where it has been renamed', () => {
    expect(() => parseStrategy('learned:2', pool)).toThrow(
      'There is no strategy "learned:2". It is now called jointly-trained.',
    );
  });

  it('is written as it is read', () => {
    for (const text of ['base', 'single:sql', 'phatgoose:2', 'arrow:3', 'merged']) {
      expect(strategyText(parseStrategy(text, pool))).toBe(text);
    }
  });
});

describe('a what-if', () => {
  it('has an expert, a scope and, for a logit bias, an amount', () => {
    expect(parseIntervention('knock-out', 'sql')).toEqual({ action: 'knock-out', expert: 'sql', scope: {} });
    expect(parseIntervention('force', 'sql@layer=3,kind=q,token=0')).toEqual({
      action: 'force',
      expert: 'sql',
      scope: { layer: 3, kind: 'q', token: 0 },
    });
    expect(parseIntervention('logit-bias', 'sql@module=model.layers.0.mlp.up_proj=-0.5')).toEqual({
      action: 'logit-bias',
      expert: 'sql',
      scope: { module: 'model.layers.0.mlp.up_proj' },
      amount: -0.5,
    });
    expect(parseIntervention('logit-bias', 'sql=+1e-1')).toMatchObject({ scope: {}, amount: 0.1 });
    expect(parseIntervention('force', 'sql@tokens=12..29+44').scope).toEqual({
      tokens: [
        [12, 30],
        [44, 45],
      ],
    });
  });

  it.each([
    ['logit-bias', 'sql'],
    ['logit-bias', 'sql='],
    ['logit-bias', 'sql=much'],
    ['logit-bias', 'sql=Infinity'],
    ['logit-bias', 'sql@layer=3'],
    ['knock-out', ''],
    ['knock-out', '@layer=3'],
    ['knock-out', 'sql@'],
    ['knock-out', 'sql@layer=x'],
    ['knock-out', 'sql@depth=3'],
    ['force', 'sql@layer=1,'],
    ['force', 'sql@tokens=5..3'],
    ['force', 'sql@tokens=5..'],
  ] as const)('is not --%s "%s"', (action, text) => {
    expect(() => parseIntervention(action, text)).toThrow(UsageError);
  });

  it('is written as it is read', () => {
    expect(interventionText(parseIntervention('logit-bias', 'sql@layer=3,kind=q=-0.5'))).toBe(
      'logit-bias sql@layer=3,kind=q=-0.5',
    );
    expect(interventionText(parseIntervention('logit-bias', 'sql=2'))).toBe('logit-bias sql=+2');
    expect(interventionText(parseIntervention('logit-bias', 'sql@tokens=12..29+44=1'))).toBe(
      'logit-bias sql@tokens=12..29+44=+1',
    );
    expect(interventionText(parseIntervention('knock-out', 'sql'))).toBe('knock-out sql');
  });

  it('must name an expert of the pool, and the error lists them', () => {
    checkExperts(pool, [{ name: 'single', expert: 'go' }], []);
    const wrong = () => checkExperts(pool, [], [parseIntervention('knock-out', 'rust')]);
    expect(wrong).toThrow(
      expect.objectContaining({ code: 'request-invalid', remedy: 'Its experts: sql, python, go, c.' }) as Error,
    );
  });
});

describe('numbers', () => {
  it('are distinguished from words', () => {
    expect(parseCount('12', '-n')).toBe(12);
    for (const text of ['0', '-1', '1.5', '', ' 1', '9999999999'])
      expect(() => parseCount(text, '-n')).toThrow(UsageError);
    expect(parseNumber('-.5', '-x')).toBe(-0.5);
    for (const text of ['', ' ', 'x', 'NaN']) expect(() => parseNumber(text, '-x')).toThrow(UsageError);
  });
});

describe('folders', () => {
  it('follow the platform', () => {
    expect(cacheFolder('linux', {}, '/home/a')).toBe('/home/a/.cache/gander');
    expect(cacheFolder('linux', { XDG_CACHE_HOME: '/x' }, '/home/a')).toBe('/x/gander');
    expect(cacheFolder('linux', { XDG_CACHE_HOME: 'relative' }, '/home/a')).toBe('/home/a/.cache/gander');
    expect(cacheFolder('darwin', {}, '/Users/a')).toBe('/Users/a/Library/Caches/gander');
    expect(cacheFolder('win32', { LOCALAPPDATA: '/L' }, '/U')).toMatch(/L.gander.Cache$/);
    expect(dataFolder('linux', {}, '/home/a')).toBe('/home/a/.local/share/gander');
    expect(dataFolder('linux', { XDG_DATA_HOME: '/x' }, '/home/a')).toBe('/x/gander');
    expect(dataFolder('darwin', {}, '/Users/a')).toBe('/Users/a/Library/Application Support/gander');
    expect(dataFolder('win32', {}, '/U')).toMatch(/Local.gander.Data$/);
  });
});

describe('a text too long to score at once', () => {
  it('is cut after a line, or in the middle, never inside a character', () => {
    expect(half('aaaa\nbbbb\ncccc')).toBe(5);
    expect(half('abcdef')).toBe(3);
    expect(half('a😀b')).toBe(1);
    expect(half('😀')).toBeUndefined();
    expect(half('a')).toBeUndefined();
  });
});

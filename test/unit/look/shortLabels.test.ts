import { describe, expect, it } from 'vitest';
import { labelledName, shortLabelsOf } from '../../../src/look/shortLabels.js';

const shortLabels = (...names: string[]) => shortLabelsOf(names.map((name) => ({ name })));

describe('short labels of experts', () => {
  it('are what a person would write', () => {
    const names = ['C', 'CSS', 'Go', 'HTML', 'Java', 'JSON', 'Technical prose', 'Python', 'Rust', 'Shell', 'SQL'];
    expect(shortLabels(...names)).toEqual(['C', 'CSS', 'Go', 'HTM', 'Ja', 'JSN', 'TP', 'Py', 'Ru', 'Sh', 'SQL']);
    expect(shortLabels('Beta 10 (patterns)', 'Alpha (rank-stabilised)')).toEqual(['B10', 'ARS']);
    expect(shortLabels('TypeScript', 'JavaScript', 'C++', 'expert 12', 'beta-2')).toEqual([
      'TS',
      'JS',
      'C++',
      'E12',
      'B2',
    ]);
  });

  it('leave a short name to its own expert, whichever come before', () => {
    expect(shortLabels('Python', 'Py')).toEqual(['Pt', 'Py']);
  });

  it('are all different, and no longer than three', () => {
    const alike = shortLabels(
      ...Array.from({ length: 1024 }, () => 'Python'),
      '',
      '  ',
      '木',
      '木',
      'C',
      'C',
      '!!!',
      '!!!!',
    );
    expect(new Set(alike).size).toBe(alike.length);
    expect(Math.max(...alike.map((shortLabel) => Array.from(shortLabel).length))).toBeLessThanOrEqual(3);
    expect(alike).not.toContain('');
  });

  it('come before the name, unless the name has them in it', () => {
    const experts = ['C', 'Python', 'HTML', 'TypeScript', 'Technical prose', 'JSON'].map((name) => ({ name }));
    expect(experts.map((_, e) => labelledName(experts, e))).toEqual([
      'C',
      'Python',
      'HTML',
      'TS TypeScript',
      'TP Technical prose',
      'JSN JSON',
    ]);
  });

  it('are made only once per list', () => {
    const experts = [{ name: 'Python' }];
    expect(shortLabelsOf(experts)).toBe(shortLabelsOf(experts));
  });
});

import { afterAll, describe, expect, it } from 'vitest';
import { formOf, translatedForms } from '../../../src/words/counted.js';
import { words } from '../../../src/words/words.js';
import { setWords, t } from '../../../webview/look/strings.js';
import { sayPolish } from './polish.js';

const same = (message: string) => message;

describe('a text with a count', () => {
  afterAll(() => setWords({}, 'en'));

  it('has two forms in English and German', () => {
    expect([0, 1, 2, 1234].map((n) => t('tokens', n))).toEqual(['0 tokens', '1 token', '2 tokens', '1,234 tokens']);
    expect([1, 2].map((n) => t('routing', n, 1))).toEqual(['Routing: 1 of 1 tokens', 'Routing: 2 of 1 tokens']);
    expect(translatedForms(words.tokens, 'de', same)).toBeUndefined();
    const german = translatedForms(words.tokens, 'de', (message) => message.replace('token', 'Token'))!;
    expect(german).toEqual({ one: '{0} Token', other: '{0} Tokens' });
    expect([1, 2].map((n) => formOf(german, [n], 'de'))).toEqual(['{0} Token', '{0} Tokens']);
  });

  it.each([
    ['small', [], /^Only 1 text token: /],
    ['scopeSmallRest', [], /^The rest has only 1 text token: /],
    ['detailLayer', ['3', 'Css', '60%'], /^In layer 3, Css leads with 60% /],
    ['effectCells', [84], /^1 token × 84 modules$/],
    ['effectCellsFirst', [84], /^1 token after the first × 84 modules$/],
  ] as const)('speaks of one as of one: %s', (word, values, said) => {
    expect(t(word, 1, ...values)).toMatch(said);
  });

  it('has all four forms in Polish, by the value that decides', () => {
    const forms = {
      tokens: translatedForms(words.tokens, 'pl', sayPolish)!,
      routing: translatedForms(words.routing, 'pl', sayPolish)!,
    };
    setWords(forms, 'pl');
    expect([1, 2, 5, 12, 22, 1.5].map((n) => t('tokens', n))).toEqual([
      '1 token!',
      '2 tokeny',
      '5 tokenów',
      '12 tokenów',
      '22 tokeny',
      '2 tokena',
    ]);
    expect(t('routing', 5, 1)).toBe('5 z 1 tokena');
    expect(t('routing', 1, 5)).toBe('1 z 5 tokenów');
  });

  it('is in English, with English forms, if it has no translation', () => {
    expect(translatedForms(words.legendRest, 'pl', sayPolish)).toBeUndefined();
    setWords({}, 'pl');
    expect([1, 2, 5].map((n) => t('legendRest', n))).toEqual(['1 other expert', '2 other experts', '5 other experts']);
    // French counts 0 as one; English does not.
    setWords({}, 'fr');
    expect(t('tokens', 0)).toBe('0 tokens');
  });

  it('uses the general form if a translator left one out', () => {
    const forms = translatedForms(words.tokens, 'pl', (message, comment) =>
      comment.includes('few') ? message : sayPolish(message, comment),
    )!;
    expect(formOf(forms, [2], 'pl')).toBe('{0} tokena');
    expect(formOf(forms, [5], 'pl')).toBe('{0} tokenów');
  });

  it('works in a language without a plural and in one with six forms', () => {
    const all = (language: string) =>
      translatedForms(words.tokens, language, (message, comment) => [message, ...comment, language].join(' '))!;
    expect(all('ja')).toEqual({ other: '{0} tokens ja' });
    expect(Object.keys(all('ar'))).toHaveLength(6);
    expect([0, 1, 2, 3, 11, 100].map((n) => formOf(all('ar'), [n], 'ar'))).toEqual([
      '{0} tokens zero ar',
      '{0} token ar',
      '{0} tokens two ar',
      '{0} tokens few ar',
      '{0} tokens many ar',
      '{0} tokens ar',
    ]);
  });
});

/** How words and numbers are written on the page. */
import { words, type Word } from '../src/shared/words.js';

export type { Word };

let translated: Partial<Record<Word, string>> = {};

/** The host may hand over a translation of any of them. */
export function setWords(bundle: Partial<Record<Word, string>>): void {
  translated = bundle;
}

export function isWord(key: string): key is Word {
  return Object.hasOwn(words, key);
}

export function t(key: Word, ...values: readonly (string | number)[]): string {
  const [one, many] = (translated[key] ?? words[key]).split('|') as [string, string?];
  const template = many !== undefined && Number(values[0]) !== 1 ? many : one;
  return template.replace(/\{(\d+)\}/g, (all, i: string) => {
    const value = values[Number(i)];
    return value === undefined ? all : typeof value === 'number' ? whole(value) : value;
  });
}

/** 12,345 */
export const whole = (n: number): string => (Number.isInteger(n) ? n : Math.round(n)).toLocaleString('en');

export function fixed(n: number, digits = 2): string {
  if (!Number.isFinite(n)) return '–';
  const text = n.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

/** Of what is never below zero: what is there but too small to write is not 0. */
export function small(n: number): string {
  return n > 0 && n < 0.001 ? '<0.001' : fixed(n, 3);
}

export function signed(n: number, digits = 2): string {
  const text = fixed(n, digits);
  return Number(text) > 0 ? `+${text}` : text;
}

/** 7 %; small shares keep a digit, so that nothing that happened reads as 0 %. */
export function percent(n: number): string {
  if (!Number.isFinite(n)) return '–';
  const p = n * 100;
  if (p > 0 && p < 0.1) return '<0.1 %';
  return `${(p !== 0 && Math.abs(p) < 10) || (p > 99 && p < 100) ? p.toFixed(1) : p.toFixed(0)} %`;
}

export const strategyName = (name: string): string => (isWord(name) ? t(name) : name);
export const strategyHint = (name: string): string => (isWord(`${name}Hint`) ? t(`${name}Hint` as Word) : '');
export const kindName = (kind: string): string => (isWord(kind) ? t(kind) : kind);

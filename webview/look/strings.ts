/** How words and numbers are written on the page. */
import type { Quantity } from '../../src/paper/plot.js';
import type { Interval } from '../../src/statistics/bootstrap.js';
import type { Scale } from '../../src/trace/figures/colouring.js';
import { byName } from '../../src/look/names.js';
import { nativeRouter } from '../../src/strategies/native.js';
import { strategyWords } from '../../src/strategies/words.js';
import { filled, formOf, type Counted, type Forms } from '../../src/words/counted.js';
import { Numbers } from '../../src/words/numbers.js';
import { words, type Word } from '../../src/words/words.js';
import { kindWords } from '../../src/trace/text/whatIfWords.js';

export type { Word };

type Bundle = Readonly<Record<string, string | Forms>>;

let translated: Bundle = {};
let numbers = new Numbers('en');

/** The host may pass a translation of any of the words. @param language a BCP 47 tag */
export function setWords(bundle: Bundle, language: string): void {
  translated = bundle;
  numbers = new Numbers(language);
}

/** Makes the function that looks up the words of a table; code that is loaded late has a table of its own. */
export function sayer<W extends string>(table: Readonly<Record<W, string | Counted>>) {
  return (key: W, ...values: readonly (string | number)[]): string => {
    const own = translated[key];
    const text = own ?? table[key];
    const template = typeof text === 'string' ? text : formOf(text, values, own ? numbers.language : 'en');
    return filled(template, values, whole);
  };
}

export const t = sayer(words);

export const whole = (n: number): string => numbers.whole(n);
export const fixed = (n: number, digits?: number): string => numbers.fixed(n, digits);
export const signed = (n: number, digits?: number): string => numbers.signed(n, digits);
export const percent = (share: number): string => numbers.percent(share);

/** An interval as a table has it; `–` if there is none. @param say writes a number */
export const rangeText = ({ low, high }: Interval, say = percent): string =>
  Number.isNaN(low) ? '–' : `${say(low)} – ${say(high)}`;

/** In the order of their names in the page's language. */
export const sortedByName = <T>(things: readonly T[], nameOf: (thing: T) => string): T[] =>
  byName(things, nameOf, numbers.language);

/** Shares as an axis shows them. */
export const inPercent = (title: string): Quantity => ({ title, unit: '%', times: 100 });

/** For values that are never negative: one that is too small to write is not shown as 0. */
export function small(n: number): string {
  return n > 0 && n < 0.001 ? `<${fixed(0.001, 3)}` : fixed(n, 3);
}

interface Ends extends Pick<Scale, 'weak' | 'strong'> {
  readonly isPast?: Scale['isPast'];
}

/** Both ends of a scale, with more decimals if it is narrow; with ≤ or ≥ if there are values past it. @param say writes a number */
export function ends({ weak, strong, isPast }: Ends, say = fixed): [string, string] {
  const digits = Math.abs(strong - weak) < 0.1 ? 3 : 2;
  const [low, high] = strong < weak ? ['≥', '≤'] : ['≤', '≥'];
  return [(isPast?.[0] ? low : '') + say(weak, digits), (isPast?.[1] ? high : '') + say(strong, digits)];
}

const titleOf = sayer(strategyWords);

/** A router that is none of Gander's strategies is the model's own, whatever its source calls it. */
export const strategyName = (name: string): string =>
  titleOf(Object.hasOwn(strategyWords, name) ? name : nativeRouter.name);
export const kindName = (kind: string): string => kindWords(kind, t);

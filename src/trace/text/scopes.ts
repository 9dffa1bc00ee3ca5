/** Parts of a text to look at by themselves: its regions, each in a language of its own, and what one selects. Pure. */
import { textTokens } from '../model/access.js';
import { rangeKey, rangeOfKey, tokensWithin } from '../model/ranges.js';
import { regionOfTokens, regions } from './regions.js';
import type { Sequence, TokenRange, Trace } from '../model/trace.js';

export interface TextScope {
  /** By which it is found again, in a later run of the text, too. */
  readonly key: string;
  readonly sequence: number;
  /** Ascending, apart from one another. */
  readonly ranges: readonly TokenRange[];
  /** Absent: tokens that were selected. */
  readonly region?: ScopedRegion;
}

export interface ScopedRegion {
  /** As `regions` calls it. */
  readonly name: string;
  readonly language?: string;
  /** Which of those that are called so, from 1; 0: all of them. */
  readonly number: number;
  readonly count: number;
}

export function selectionScope(sequence: number, range: TokenRange): TextScope {
  return { key: rangeKey(sequence, range), sequence, ranges: [range] };
}

/**
 * The regions of the first text: what holds the others (prose, markup) as one, of the others all together and each.
 * Empty where there is but one, or the text is not known. @param title the document's name, with or without its lines
 */
export function regionScopes(trace: Trace, title: string): TextScope[] {
  const { text, tokens } = trace.sequences[0]!;
  if (text === undefined || !tokens.end) return [];
  const found = regions(text, title.replace(/\.gander\.safetensors$/, '').replace(/:\d+(–\d+)?$/, ''));
  const of = regionOfTokens(found, tokens.end);
  const named = new Map<string, number[]>();
  found.forEach((region, r) => {
    const name = `${region.name} ${region.language ?? ''}`;
    named.set(name, [...(named.get(name) ?? []), r]);
  });
  if (named.size < 2) return [];
  return [...named.values()].flatMap((all): TextScope[] => {
    const { name, language, isRest } = found[all[0]!]!;
    const scope = (some: readonly number[], number: number): TextScope => ({
      key: `region ${name} ${language ?? ''} ${number}`,
      sequence: 0,
      ranges: rangesOf(of, some),
      region: { name, ...(language && { language }), number, count: isRest ? 1 : all.length },
    });
    const each = isRest || all.length === 1 ? [] : all.map((r, i) => scope([r], i + 1));
    return [scope(all, 0), ...each].filter(({ ranges }) => ranges.length > 0);
  });
}

/** The selection that a key means; undefined where it means none, or the text has not so many tokens. */
export function selectionOf(trace: Trace, key: string): TextScope | undefined {
  const asked = rangeOfKey(key);
  if (!asked) return undefined;
  const { sequence, range } = asked;
  const isThere = range[0] < range[1] && range[1] <= (trace.sequences[sequence]?.tokens.count ?? 0);
  return isThere ? selectionScope(sequence, range) : undefined;
}

/** Runs of tokens whose region is one of some. */
function rangesOf(regionOf: Int32Array, some: readonly number[]): TokenRange[] {
  const ranges: [number, number][] = [];
  const wanted = new Set(some);
  regionOf.forEach((region, t) => {
    if (!wanted.has(region)) return;
    const last = ranges.at(-1);
    if (last?.[1] === t) last[1] = t + 1;
    else ranges.push([t, t + 1]);
  });
  return ranges;
}

/** The text's tokens that are in some ranges, and the rest of them. */
export function parted(sequence: Sequence, ranges: readonly TokenRange[]): { inside: Int32Array; outside: Int32Array } {
  const tokens = textTokens(sequence);
  const within = tokensWithin(ranges, sequence.tokens.count);
  return { inside: tokens.filter((t) => within[t]), outside: tokens.filter((t) => !within[t]) };
}

/** Parts of a text that can be viewed by themselves: its regions, each in one language, and a person's selection. Pure. */
import { textTokens } from '../model/access.js';
import { rangeKey, rangeOfKey, tokensWithin } from '../model/ranges.js';
import { regionOfTokens, regions } from './regions.js';
import type { Sequence, TokenRange, Trace } from '../model/trace.js';

export interface TextScope {
  /** Finds the part again, also in a later run of the text. */
  readonly key: string;
  readonly sequence: number;
  /** Ascending and disjoint. */
  readonly ranges: readonly TokenRange[];
  /** Absent for selected tokens. */
  readonly region?: ScopedRegion;
}

export interface ScopedRegion {
  /** A name from `regions`. */
  readonly name: string;
  readonly language?: string;
  /** Which one of the regions with this name, from 1; 0: all of them together. */
  readonly number: number;
  readonly count: number;
}

export function selectionScope(sequence: number, range: TokenRange): TextScope {
  return { key: rangeKey(sequence, range), sequence, ranges: [range] };
}

/**
 * The regions of the first text: what surrounds the others (prose, markup) as one part, the others all together and one by
 * one. Empty if there is only one kind, or if the text is unknown.
 * @param title the document's name, with or without line numbers
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

/** The selection with this key; undefined if the key is not that of a selection, or if the text has too few tokens. */
export function selectionOf(trace: Trace, key: string): TextScope | undefined {
  const asked = rangeOfKey(key);
  if (!asked) return undefined;
  const { sequence, range } = asked;
  const isThere = range[0] < range[1] && range[1] <= (trace.sequences[sequence]?.tokens.count ?? 0);
  return isThere ? selectionScope(sequence, range) : undefined;
}

/** Runs of tokens whose region is in `some`. */
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

/** The text's tokens inside some ranges, and those outside. */
export function parted(sequence: Sequence, ranges: readonly TokenRange[]): { inside: Int32Array; outside: Int32Array } {
  const tokens = textTokens(sequence);
  const within = tokensWithin(ranges, sequence.tokens.count);
  return { inside: tokens.filter((t) => within[t]), outside: tokens.filter((t) => !within[t]) };
}

import { describe, expect, it } from 'vitest';
import { changed, overlaid } from '../../../src/editor/overlaid.js';
import { levelsOf } from '../../../src/editor/tones.js';
import type { SideResult } from '../../../src/routing/store.js';
import { choiceChanges } from '../../../src/trace/alignment/change.js';
import { slotsIn } from '../../../src/trace/figures/colours.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { Background } from '../../../webview/background/background.js';
import { fabricate, fabricateIds, textOf } from '../trace/fabricate.js';

const trace = fabricate();
const main: SideResult = { text: '', title: '', strategy: { name: 'top-k', k: 2 }, interventions: [], trace };
const { count } = textOf(trace).tokens;
const [set] = trace.expertSets;
const noHelper = () => {
  throw new Error('A short text is compared at once.');
};

describe('while the panel shows an overlay, a range is underlined', () => {
  it('by the chosen colouring if it has no data for the overlay', () => {
    expect(overlaid({ main }, '')).toBeUndefined();
    expect(overlaid({ main }, 'change')).toBeUndefined();
    expect(overlaid({ main }, 'attribution')).toBeUndefined();
  });

  it('by the expert that a token owes most to, in its own colour', () => {
    // Not in the trace's order: experts are matched by id.
    const experts = [set!.experts[3]!, set!.experts[1]!];
    const change = new Float32Array(count * 2).fill(NaN);
    change.set([-1, -0.5, -0.2, -0.9], 2);
    const attribution = { experts, logProb: new Float32Array(count), change };
    const { slots, levels } = overlaid({ main: { ...main, attribution } }, 'attribution')!;
    const own = slotsIn(trace, set!);
    expect(levels).toBeUndefined();
    expect(slots).toEqual(Array.from({ length: count }, (_, t) => (t === 1 ? own[3] : t === 2 ? own[1] : undefined)));
  });

  it('by how many choices the what-if changes, and not at all if none', () => {
    const same = overlaid({ main: { ...main, before: trace } }, 'change')!;
    expect(same.levels!.every((level) => level === undefined)).toBe(true);
    const { slots, levels } = overlaid({ main: { ...main, before: fabricate({ seed: 3 }) } }, 'change')!;
    expect(slots).toBeUndefined();
    expect(levels!.some((level) => level !== undefined)).toBe(true);
  });

  it('by the change against the other run rather than that of the what-if', () => {
    const other = { ...main, trace };
    const { levels } = overlaid({ main: { ...main, before: fabricate({ seed: 3 }) }, other }, 'change')!;
    expect(levels!.every((level) => level === undefined)).toBe(true);
  });

  it('by the change of log-probability against a run that chooses nothing, likelier below 0', () => {
    const fixed = fabricate({ experts: 2, k: 2 });
    const [sequence] = trace.sequences;
    const shift = [NaN, -0.4, 0.4, 0.2, 0];
    const logProb = sequence!.logProb!.map((x, t) => x + (shift[t] ?? 0.01));
    const other = { ...main, trace: { ...fixed, sequences: [{ ...sequence!, logProb }] } };
    const { slots, levels } = overlaid({ main, other }, 'change')!;
    expect(slots).toBeUndefined();
    expect(levels!.slice(0, 5)).toEqual([undefined, 4, -4, -2, undefined]);
  });

  it('by the change of the tokens that both runs have, whichever is longer', () => {
    const tokens = textOf(trace).tokens.text!;
    const longer = fabricate({ tokens: [...tokens, ' and', ' on'], seed: 3 });
    const shorter = fabricate({ tokens: tokens.slice(0, -2), seed: 3 });
    const levels = (other: Trace) => overlaid({ main, other: { ...main, trace: other } }, 'change')!.levels!;
    expect(levels(longer)).toHaveLength(count);
    expect(levels(longer).every((level) => level !== undefined)).toBe(true);
    expect(levels(shorter).map((level) => level !== undefined)).toEqual(tokens.map((_, t) => t < count - 2));
  });

  it('as in the panel, token by token', () => {
    const { length } = textOf(trace).tokens.text!;
    const other = fabricate({ tokens: ['<|start|>', 'def', ' sub', '(', 'a', ')', ' more', ' of', ' it'], seed: 3 });
    const [inPanel] = choiceChanges(trace, other, new Background(noHelper, noHelper).partners(trace, other)!);
    expect(changed({ main, other: { ...main, trace: other } })).toEqual(inPanel);
    expect(inPanel!.value).toHaveLength(length);
  });

  it('by the change of log-probability against a run with other experts', () => {
    const [own] = trace.expertSets;
    const experts = own!.experts.map((expert) => ({ ...expert, id: `${expert.id}-elsewhere` }));
    const other = { ...main, trace: { ...trace, expertSets: [{ ...own!, experts }] } };
    expect(changed({ main, other })!.by).toBe('logProb');
  });

  it('by the chosen colouring if no change is known', () => {
    const nothing = fabricate({ done: 0 });
    expect(overlaid({ main, other: { ...main, trace: nothing } }, 'change')).toBeUndefined();
    const fixed = fabricate({ experts: 2, k: 2 });
    const unpredicted = { ...fixed, sequences: fixed.sequences.map(({ logProb: _, ...sequence }) => sequence) };
    expect(overlaid({ main, other: { ...main, trace: unpredicted } }, 'change')).toBeUndefined();
  });

  it('not by attribution for an input, which is not predicted', () => {
    const two = fabricateIds();
    const attribution = { experts: [], logProb: new Float32Array(), change: new Float32Array() };
    expect(overlaid({ main: { ...main, trace: two, attribution } }, 'attribution')).toBeUndefined();
  });
});

it('a line has four thicknesses, and is absent for too small a value', () => {
  expect(levelsOf(Float32Array.from([NaN, 0, 0.19, 0.2, 0.5, 0.99, 1]))).toEqual([
    undefined,
    undefined,
    undefined,
    1,
    2,
    4,
    4,
  ]);
});

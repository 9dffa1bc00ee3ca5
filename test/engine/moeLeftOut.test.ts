/** What-ifs that leave fewer experts than a router chooses: the trace shows what ran, in every form. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { rowsAt } from '../../src/trace/model/access.js';
import { softmax } from '../../src/trace/figures/distribution.js';
import type { Intervention, Trace } from '../../src/trace/model/trace.js';
import { fixtures, groupLimited, groups, scale, withOtherExperts } from './mixtureVariants.js';
import { largestDifference, temporaryFolder } from './support.js';

const cache = temporaryFolder();
const engines: Engine[] = [];
const open = async (pool: string) => {
  const engine = await createEngine({ pool, cache, threads: 1, chunk: 4 });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

const text = 'the model of a goose';
const all = [0, 1, 2, 3, 4, 5, 6, 7];
const forms = [
  ...readdirSync(fixtures)
    .filter((name) => !name.endsWith('.md'))
    .map((name) => ({ name, make: () => path.join(fixtures, name) })),
  { name: 'deepseek-v2, group_limited_greedy', make: groupLimited },
];

/** The same in all layers. */
const asked = (trace: Trace, action: 'knock-out' | 'force', experts: readonly number[]): Intervention[] =>
  trace.expertSets.flatMap((set) => experts.map((e) => ({ action, expert: set.experts[e]!.id, scope: {} })));

/** The experts that each what-if leaves. */
const whatIfs = [
  { what: 'one is forced', action: 'force', experts: [5], left: () => [5] },
  { what: 'one is left', action: 'knock-out', left: () => [2] },
  {
    what: 'one fewer than k are left',
    action: 'knock-out',
    left: (k: number) => [1, 4, 6, 3, 0, 7, 2].slice(0, Math.max(1, k - 1)),
  },
  {
    what: 'a group is emptied',
    action: 'knock-out',
    left: (_: number, every: readonly number[]) => every.slice(groups.size),
  },
  { what: 'one group is left', action: 'knock-out', left: () => all.slice(0, groups.size) },
] as const;

describe.each(forms)('$name', ({ make }) => {
  it.each(whatIfs)('runs what the trace shows if $what', async ({ action, left, ...given }) => {
    const folder = make();
    const engine = await open(folder);
    const before = await engine.route({ text });
    const { k } = rowsAt(before, 0);
    const every = [...before.expertSets[0]!.experts.keys()];
    const stay = left(k, every) as readonly number[];
    const out = every.filter((e) => !stay.includes(e));
    const interventions = asked(before, action, 'experts' in given ? given.experts : out);
    const after = await engine.route({ text, interventions });
    for (const s of after.modules.keys()) expectSound(after, s, stay);
    // The results of the experts left out make no difference.
    const variant = await open(withOtherExperts(folder, out));
    const there = await variant.route({ text, interventions });
    expect([...there.sequences[0]!.logProb!]).toEqual([...after.sequences[0]!.logProb!]);
    expect([...rowsAt(there, 1).score!]).toEqual([...rowsAt(after, 1).score!]);
    // The results of the remaining experts do.
    const other = await open(withOtherExperts(folder, stay));
    const moved = await other.route({ text, interventions });
    expect(largestDifference(moved.sequences[0]!.logProb!, after.sequences[0]!.logProb!)).toBeGreaterThan(1e-4);
  });
});

/** The remaining experts come first, as far as there are any, and have all the weight. */
function expectSound(trace: Trace, module: number, left: readonly number[]): void {
  const { chosen, weight, k, tokens } = rowsAt(trace, module);
  for (let t = 0; t < tokens; t++) {
    const [row, weights] = [chosen, weight!].map((column) => [...column.subarray(t * k, (t + 1) * k)]);
    const some = row!.filter((e) => e >= 0);
    expect(some.length, `${row!.join()} of ${left.join()}`).toBeGreaterThan(0);
    expect(some.length).toBeLessThanOrEqual(Math.min(k, left.length));
    expect(row!.slice(some.length).every((e) => e === -1)).toBe(true);
    expect(some.every((e) => left.includes(e))).toBe(true);
    expect(weights!.slice(some.length).every((w) => w === 0)).toBe(true);
    expect(weights![0]).toBeGreaterThan(0);
  }
}

describe('group_limited_greedy', () => {
  it.each([
    ['as it is', all],
    ['with three left', [1, 4, 6]],
    ['with one left', [2]],
    ['with a group emptied', all.slice(2)],
  ])('gives what plain arithmetic gives, %s', async (_, left) => {
    const engine = await open(groupLimited());
    const before = await engine.route({ text });
    const out = all.filter((e) => !left.includes(e));
    const trace = await engine.route({ text, interventions: asked(before, 'knock-out', out) });
    const { chosen, weight, score, k, tokens } = rowsAt(trace, 0);
    for (let t = 0; t < tokens; t++) {
      const raw = score!.subarray(8 * t, 8 * t + 8).map((a, e) => (left.includes(e) ? a : -Infinity));
      const wanted = greedy(softmax(raw), left, k);
      expect([...chosen.subarray(t * k, (t + 1) * k)].filter((e, j) => e >= 0 && weight![t * k + j]! > 0)).toEqual(
        wanted.map(({ e }) => e),
      );
      const weights = Float32Array.from({ length: k }, (_, j) => scale * (wanted[j]?.p ?? 0));
      expect(largestDifference(weight!.subarray(t * k, (t + 1) * k), weights)).toBeLessThan(1e-5);
    }
  });
});

/** The best remaining experts of the best groups, as far as they have any probability. */
function greedy(p: Float32Array, left: readonly number[], k: number): { readonly e: number; readonly p: number }[] {
  const most = Array.from({ length: groups.count }, (_, g) => Math.max(p[2 * g]!, p[2 * g + 1]!));
  const best = [...most.keys()].sort((a, b) => most[b]! - most[a]!).slice(0, groups.most);
  const inside = left.filter((e) => best.includes(Math.floor(e / groups.size))).map((e) => ({ e, p: p[e]! }));
  return inside.sort((a, b) => b.p - a.p).slice(0, k);
}

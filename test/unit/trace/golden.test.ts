/** The PyTorch reference's traces, written with Python's safetensors and explained by Gander's own formulas. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chosenAt, rowsAt, sharedModules } from '../../../src/trace/model/access.js';
import { difference } from '../../../src/trace/figures/difference.js';
import { certaintyAt } from '../../../src/trace/figures/distribution.js';
import { decodeTrace, encodeTrace } from '../../../src/trace/file/file.js';
import { tokenLeaders } from '../../../src/trace/figures/leaders.js';
import { forcedAt, selectionScores } from '../../../src/trace/model/selection.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { usage } from '../../../src/trace/figures/usage.js';

const folder = new URL('../../fixtures/golden/tiny/', import.meta.url);
const traces = readdirSync(folder)
  .filter((name) => name.endsWith('.safetensors'))
  .map((name): [string, Trace] => [name, decodeTrace(readFileSync(new URL(name, folder)))]);

/** Traces that depend on a tensor which is not in the trace: a bias, or fixed weights. */
const byTensor = /-(bias|fixed)\.safetensors$/;
const routed = traces.filter(([name, trace]) => trace.router.k !== undefined && !byTensor.test(name));

describe('golden traces', () => {
  it('exist', () => {
    expect(traces.length).toBeGreaterThan(10);
    expect(routed.some(([, trace]) => trace.interventions.length > 1)).toBe(true);
  });

  it.each(traces)('%s is read back exactly', (_, trace) => {
    expect(decodeTrace(encodeTrace(trace))).toStrictEqual(trace);
  });

  it.each(traces)('%s adds up', (_, trace) => {
    const modules = sharedModules(trace)!;
    const { share, expert } = tokenLeaders(trace, modules);
    expect(share.every((s) => s >= 0 && s <= 1)).toBe(true);
    expect(expert.every((e, t) => e >= -1 && e >= 0 === share[t]! > 0)).toBe(true);
    const u = usage(trace, modules);
    if (u.choices > 0) expect(u.share.reduce((a, b) => a + b, 0)).toBeCloseTo(1);
    if (modules.sequence.tokens.count > 1) expect(difference(trace, trace).all.flipped).toBe(0);
  });

  it.each(routed)('%s: the k largest selection scores were chosen, with their softmax for weights', (_, trace) => {
    const k = trace.router.k!;
    for (let s = 0; s < trace.modules.length; s++) {
      const rows = rowsAt(trace, s);
      for (let t = 0; t < rows.tokens; t++) {
        const chosen = [...chosenAt(rows, t)].filter((e) => e >= 0);
        const weights = rows.weight!.subarray(t * rows.k, (t + 1) * rows.k);
        const forced = forcedAt(rows, t);
        if (forced >= 0) {
          expect(chosen).toEqual([forced]);
          expect(weights[0]).toBe(1);
          continue;
        }
        const scores = selectionScores(rows, t)!;
        const best = [...scores.keys()]
          .filter((e) => scores[e]! > -Infinity)
          .sort((a, b) => scores[b]! - scores[a]! || a - b)
          .slice(0, k);
        // Below rounding errors, the choice may go either way.
        if (!(certaintyAt(trace, rows, t).margin < 1e-4)) expect(chosen).toEqual(best);
        const z = chosen.reduce((sum, e) => sum + Math.exp(scores[e]!), 0);
        chosen.forEach((e, rank) => expect(weights[rank]).toBeCloseTo(Math.exp(scores[e]!) / z, 4));
      }
    }
  });
});

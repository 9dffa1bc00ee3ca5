import { expect, it } from 'vitest';
import { TraceBuilder, affinityPieces, choicePieces, headOf } from '../../../src/trace/pieces.js';
import { finished } from '../../../src/trace/finished.js';
import type { Trace } from '../../../src/trace/trace.js';
import { fabricate } from './fabricate.js';

const words = (count: number) => Array.from({ length: count }, (_, i) => ` ${i}`);

/** As another process has it: nothing shared. */
const sent = <T>(value: T): T => structuredClone(value);

function pass(builder: TraceBuilder, trace: Trace, from = 0): Trace {
  for (const piece of choicePieces(trace, from)) builder.add(sent(piece));
  for (const piece of affinityPieces(trace, from)) builder.add(sent(piece));
  return builder.build(sent(headOf(trace)));
}

it.each([1, 63, 64, 65, 200])('a trace of %i tokens arrives as it was', (tokens) => {
  const trace = fabricate({ tokens: words(tokens) });
  expect([...choicePieces(trace)]).toHaveLength(Math.ceil(tokens / 64));
  expect([...affinityPieces(trace)]).toHaveLength(Math.ceil(tokens / 64));
  expect(pass(new TraceBuilder(), trace)).toStrictEqual(trace);
});

it('a trace that grows sends what is new, and its tail stays empty until then', () => {
  const whole = fabricate({ tokens: words(150) });
  const builder = new TraceBuilder();
  const first = pass(builder, { ...whole, done: 70 });
  expect(finished(first)).toStrictEqual(finished({ ...whole, done: 70 }));
  const tail = first.chosen.subarray(70 * whole.k, 150 * whole.k);
  expect(tail.every((e) => e === -1)).toBe(true);
  expect(first.affinity!.subarray(70 * whole.experts.length, 150 * whole.experts.length).every(Number.isNaN)).toBe(
    true,
  );
  for (const pieces of [choicePieces, affinityPieces]) {
    expect([...pieces(whole, 70)].map(({ from, count }) => [from, count])).toEqual([
      [70, 64],
      [134, 16],
    ]);
  }
  const last = pass(builder, whole, 70);
  expect(last).toStrictEqual(whole);
  expect(last.chosen).toBe(first.chosen);
});

it('text that is being written gets wider arrays, and nothing of it is lost', () => {
  const whole = fabricate({ tokens: words(90) });
  const builder = new TraceBuilder();
  pass(builder, finished({ ...whole, done: 80 }));
  expect(pass(builder, whole, 80)).toStrictEqual(whole);
});

it('what a trace has not stays away', () => {
  const {
    affinity: _a,
    contribution: _c,
    logProb: _l,
    topIds: _i,
    topLogProb: _p,
    topTokens: _t,
    ...bare
  } = fabricate();
  expect([...affinityPieces(bare)]).toEqual([]);
  expect(pass(new TraceBuilder(), bare)).toStrictEqual(bare);
});

it('a trace of no tokens arrives, too', () => {
  const none = finished({ ...fabricate(), done: 0 });
  expect(pass(new TraceBuilder(), none)).toStrictEqual(none);
});

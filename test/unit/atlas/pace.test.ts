import { expect, it } from 'vitest';
import { type Done, paceOver } from '../../../src/atlas/pace.js';

const done = (bytes: number, tokens: number, before = false): Done => ({ document: 'd', bytes, tokens, before });

/** A clock that shows each time in turn. */
const clock =
  (...times: number[]) =>
  () =>
    times.shift()!;

it('tells how much is done, how fast, and how long the rest takes', () => {
  const paceOf = paceOver(1000, clock(0, 2000, 4000));
  expect(paceOf(done(250, 100))).toEqual({
    documents: 1,
    tokens: 100,
    tokensPerSecond: 50,
    share: 0.25,
    leftMs: 6000,
  });
  expect(paceOf(done(250, 100))).toMatchObject({ documents: 2, tokens: 200, share: 0.5, leftMs: 4000 });
});

it('does not take what an earlier run did for its own speed', () => {
  const paceOf = paceOver(1000, clock(0, 1, 1001));
  expect(paceOf(done(600, 0, true))).toEqual({
    documents: 1,
    tokens: 0,
    tokensPerSecond: 0,
    share: 0.6,
    leftMs: undefined,
  });
  expect(paceOf(done(100, 50)).leftMs).toBeCloseTo(3003);
});

it('tells neither share nor rest where the size is not known, and never more than all', () => {
  expect(paceOver(0, clock(0, 1000))(done(10, 5))).toMatchObject({ share: undefined, leftMs: undefined });
  // A file that has grown meanwhile.
  expect(paceOver(10, clock(0, 1000))(done(30, 5))).toMatchObject({ share: 1, leftMs: 0 });
});

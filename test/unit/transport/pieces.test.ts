import { describe, expect, it } from 'vitest';
import { finished } from '../../../src/trace/model/finished.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { headOf, TraceBuilder, type TracePiece, TraceSender } from '../../../src/transport/pieces.js';
import { blockOf, fabricate, fabricateIds, textOf, withText } from '../trace/fabricate.js';

const words = (count: number) => Array.from({ length: count }, (_, i) => ` ${i}`);

/** Sends a run: pieces as another process gets them, with nothing shared. */
function way() {
  const [sender, builder] = [new TraceSender(), new TraceBuilder()];
  const send = (pieces: Iterable<TracePiece>) => {
    const sent = [...pieces].map((piece) => structuredClone(piece));
    for (const piece of sent) builder.add(piece);
    return sent;
  };
  return {
    send: (trace: Trace) => [...send(sender.first(trace)), ...send(sender.deferred(trace))],
    first: (trace: Trace) => send(sender.first(trace)),
    build: (trace: Trace) => builder.build(structuredClone(headOf(trace))),
    lacksDeferred: (trace: Trace) => sender.lacksDeferred(trace),
  };
}

const said = (pieces: readonly TracePiece[]) =>
  pieces.map((piece) => (piece.part === 'cells' ? `${piece.sent} ${piece.from}+${piece.count}` : piece.part));

it.each([1, 63, 64, 65, 200])('a trace of %i tokens arrives as it was', (tokens) => {
  const trace = fabricate({ tokens: words(tokens) });
  const { send, build } = way();
  const pieces = said(send(trace));
  expect(pieces.slice(0, 2)).toEqual(['frame', 'tokens']);
  expect(pieces.filter((piece) => piece.startsWith('first'))).toHaveLength(Math.ceil(tokens / 64));
  expect(pieces.filter((piece) => piece.startsWith('deferred'))).toHaveLength(Math.ceil(tokens / 64));
  expect(build(trace)).toStrictEqual(trace);
});

it('of a growing trace only what is new is sent, and its tail stays empty until then', () => {
  const whole = fabricate({ tokens: words(150) });
  const { k, experts } = blockOf(whole);
  const { send, build } = way();
  const partial = withText(whole, { done: 70 });
  send(partial);
  const first = build(partial);
  expect(finished(first)).toStrictEqual(finished(partial));
  const tail = blockOf(first).chosen.subarray(70 * k, 150 * k);
  expect(tail.every((e) => e === -1)).toBe(true);
  expect(
    blockOf(first)
      .score!.subarray(70 * experts, 150 * experts)
      .every(Number.isNaN),
  ).toBe(true);
  // No frame, text or token is sent twice.
  expect(said(send(whole))).toEqual(['first 70+64', 'first 134+16', 'deferred 70+64', 'deferred 134+16']);
  const last = build(whole);
  expect(last).toStrictEqual(whole);
  expect(blockOf(last).chosen).toBe(blockOf(first).chosen);
  expect(textOf(last).tokens).toBe(textOf(first).tokens);
});

describe('text that is being generated', () => {
  const whole = fabricate({ tokens: words(90) });
  const short = finished(withText(whole, { done: 80, text: words(80).join('') }));

  it('gets wider arrays, and nothing of it is lost', () => {
    const { send, build } = way();
    send(short);
    expect(build(short)).toStrictEqual(short);
    const [tokens, ...cells] = send(whole);
    expect(tokens).toMatchObject({ part: 'tokens', kept: 80, text: { kept: short.sequences[0]!.text!.length } });
    expect((tokens as Extract<TracePiece, { part: 'tokens' }>).tokens.text).toEqual(words(90).slice(80));
    expect(said(cells)).toEqual(['first 80+10', 'deferred 80+10']);
    expect(build(whole)).toStrictEqual(whole);
    expect(build(withText(whole, { done: 85 })).sequences[0]!.done).toBe(85);
  });

  it('may change at its end: a token that was half a character', () => {
    const { send, build } = way();
    send(short);
    const end = textOf(whole).tokens.end!.slice();
    end[79]!++;
    const changed = withText(whole, { text: `${words(79).join('')}x`, tokens: { ...textOf(whole).tokens, end } });
    expect(send(changed)[0]).toMatchObject({ kept: 79, text: { kept: words(79).join('').length, more: 'x' } });
    expect(build(changed)).toStrictEqual(changed);
  });

  it('is cut to what is done if it was stopped', () => {
    const { send, build } = way();
    const partial = withText(whole, { done: 70 });
    send(partial);
    const cut = finished(partial);
    send(cut);
    expect(build(cut)).toStrictEqual(cut);
  });
});

it('columns that a trace does not have stay absent', () => {
  const bare = fabricate({ bare: true });
  const { send, build, lacksDeferred } = way();
  expect(lacksDeferred(bare)).toBe(false);
  expect(said(send(bare))).toEqual(['frame', 'tokens', 'first 0+16']);
  expect(build(bare)).toStrictEqual(bare);
});

it('several sequences and blocks arrive, each with its own tokens', () => {
  const trace = fabricateIds();
  const { send, build } = way();
  expect(said(send(trace))).toEqual(['frame', 'tokens', 'tokens', 'first 0+6', 'first 0+4']);
  expect(build(trace)).toStrictEqual(trace);
});

it('large columns are sent when they are asked for', () => {
  const trace = fabricate();
  const { first, send, build, lacksDeferred } = way();
  first(trace);
  expect(blockOf(build(trace)).score).toBeUndefined();
  expect(lacksDeferred(trace)).toBe(true);
  expect(said(send(trace))).toEqual(['deferred 0+16']);
  expect(lacksDeferred(trace)).toBe(false);
  expect(build(trace)).toStrictEqual(trace);
});

it('a trace without tokens arrives, too', () => {
  const none = finished(withText(fabricate(), { done: 0 }));
  const { send, build } = way();
  send(none);
  expect(build(none)).toStrictEqual(none);
});

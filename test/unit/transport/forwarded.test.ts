/** A trace on its way from the child to the page: the host sends on what the child has cut, and cuts nothing itself. */
import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import type { Answering } from '../../../src/channel/messages.js';
import type { HostMessage, SideState } from '../../../src/protocol/panel.js';
import type { Requests } from '../../../src/requests/schemas.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import type * as columns from '../../../src/trace/model/columns.js';
import type { TracePiece } from '../../../src/transport/pieces.js';
import { fabricate, withText } from '../trace/fabricate.js';

/** Columns that were cut. */
let cuts = 0;
// Other files of this worker have loaded these modules as they are.
vi.resetModules();
vi.doMock('../../../src/trace/model/columns.js', async (original) => {
  const own = await original<typeof columns>();
  const cut: typeof columns.cut = (...given) => {
    cuts++;
    return own.cut(...given);
  };
  return { ...own, cut };
});
const { Answerer } = await import('../../../src/channel/answerer.js');
const { Caller } = await import('../../../src/channel/caller.js');
const { cutterOf, joinerOf } = await import('../../../src/transport/forms.js');
const { bytesOf } = await import('../../../src/transport/pieces.js');
const { finished } = await import('../../../src/trace/model/finished.js');
const { ReceivedPieces } = await import('../../../src/transport/received.js');
const { SideReceiver, SideSender } = await import('../../../src/transport/sides.js');
afterAll(() => {
  vi.doUnmock('../../../src/trace/model/columns.js');
  vi.resetModules();
});
beforeEach(() => {
  cuts = 0;
});

const words = (count: number) => Array.from({ length: count }, (_, i) => ` ${i}`);
const whole = fabricate({ tokens: words(300) });
const strategy = { name: 'phatgoose', k: 2 } as const;
const state = (trace: Trace): SideState => ({ title: 't', strategy, interventions: [], trace, stale: false });

type Pieces = InstanceType<typeof ReceivedPieces>;

/** What a child gives, the last of it being the result: what it is here, and the pieces that arrived. */
async function run(given: readonly Trace[], received: Pieces) {
  const arrived: TracePiece[] = [];
  const child: InstanceType<typeof Answerer<Requests>> = new Answerer<Requests>(
    (async (_: unknown, __: unknown, { onPartial }: { onPartial: (trace: Trace) => unknown }) => {
      for (const part of given.slice(0, -1)) await onPartial(part);
      return given.at(-1);
    }) as never,
    (message) => {
      const crossed = structuredClone<Answering>(message);
      if (crossed.type === 'piece') arrived.push(crossed.piece as TracePiece);
      host.take(crossed);
    },
    cutterOf,
  );
  const host: InstanceType<typeof Caller<Requests>> = new Caller<Requests>(
    (message) => child.take(structuredClone(message)),
    (name) => joinerOf(name, received),
  );
  const partial: Trace[] = [];
  const trace = await host.ask('route', { text: 't', strategy }, { onPartial: (part) => partial.push(part) });
  return { trace, partial, arrived };
}

const piecesIn = (messages: readonly HostMessage[]) =>
  messages.flatMap((message) => (message.type === 'piece' ? [message.piece] : []));

/** As a page has it. */
function shown(messages: readonly HostMessage[]): Trace | undefined {
  const page = new SideReceiver();
  const sides = structuredClone(messages).flatMap((message) => {
    if (message.type === 'piece') page.piece(message);
    return message.type === 'side' ? [page.side(message)] : [];
  });
  return sides.at(-1)?.trace;
}

/** The very same, whatever their order. */
function expectSame(sent: readonly TracePiece[], arrived: readonly TracePiece[]): void {
  expect(sent).toHaveLength(arrived.length);
  expect(sent.filter((piece) => !arrived.includes(piece))).toEqual([]);
  expect(new Set(sent).size).toBe(arrived.length);
}

const toPage = (trace: Trace, received: Pieces) => [...new SideSender(received).messages('main', state(trace))];

it('is cut once: to each page go the very pieces that came, each once, and it has what the child has', async () => {
  const received = new ReceivedPieces();
  const { trace, arrived } = await run([whole], received);
  // A frame, tokens, and five pieces each of choices and of scores.
  expect(arrived).toHaveLength(12);
  const inChild = cuts;
  expect(inChild).toBeGreaterThan(0);
  for (const page of ['the first', 'the second']) {
    const messages = toPage(trace, received);
    expectSame(piecesIn(messages), arrived);
    expect(shown(messages), page).toStrictEqual(whole);
  }
  expect(cuts).toBe(inChild);
});

it('of one that grows, what came with each part goes on with it', async () => {
  const received = new ReceivedPieces();
  const upTo = (done: number) => withText(whole, { done });
  const { trace, partial, arrived } = await run([upTo(100), upTo(200), whole], received);
  const inChild = cuts;
  const sender = new SideSender(received);
  const running = { what: 'route', done: 0, total: 300 } as const;
  const messages = [...partial, trace].flatMap((part, i) => [
    ...sender.messages('main', { ...state(part), ...(i < 2 && { running }) }),
  ]);
  expectSame(piecesIn(messages), arrived);
  expect(cuts).toBe(inChild);
});

it('of one that was written, a page that comes later gets the same cells, and all of its text at once', async () => {
  const received = new ReceivedPieces();
  const upTo = (done: number) => finished(withText(whole, { done, text: words(done).join('') }));
  const { trace, arrived } = await run([upTo(298), upTo(299), whole], received);
  const cells = (pieces: readonly TracePiece[]) => pieces.filter(({ part }) => part === 'cells');
  const messages = toPage(trace, received);
  expectSame(cells(piecesIn(messages)), cells(arrived));
  expect(piecesIn(messages).filter(({ part }) => part === 'tokens')).toHaveLength(1);
  expect(shown(messages)).toStrictEqual(whole);
});

it('where there is no room for all, the oldest run is cut anew', async () => {
  const { arrived } = await run([whole], new ReceivedPieces());
  const received = new ReceivedPieces(1.5 * arrived.reduce((sum, piece) => sum + bytesOf(piece), 0));
  const [older, newer] = [await run([whole], received), await run([whole], received)];
  const again = toPage(older.trace, received);
  expect(piecesIn(again).filter((piece) => older.arrived.includes(piece))).toEqual([]);
  expect(shown(again)).toStrictEqual(whole);
  expectSame(piecesIn(toPage(newer.trace, received)), newer.arrived);
});

it('what was made here is cut here', () => {
  const messages = toPage(whole, new ReceivedPieces());
  expect(cuts).toBeGreaterThan(0);
  expect(shown(messages)).toStrictEqual(whole);
});

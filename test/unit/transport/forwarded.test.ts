/** A trace on its way from the child to the page: the host sends on what the child has cut, and cuts nothing itself. */
import { expect, it } from 'vitest';
import { Answerer } from '../../../src/channel/answerer.js';
import { Caller } from '../../../src/channel/caller.js';
import { type Answering, isAnswering } from '../../../src/channel/messages.js';
import type { HostMessage, SideState } from '../../../src/protocol/panel.js';
import type { Requests } from '../../../src/requests/api.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { cutterOf, joinerOf } from '../../../src/transport/forms.js';
import { SideReceiver, SideSender } from '../../../src/transport/sides.js';
import { fabricate, withText } from '../trace/fabricate.js';

const words = (count: number) => Array.from({ length: count }, (_, i) => ` ${i}`);
const whole = fabricate({ tokens: words(300) });
const strategy = { name: 'phatgoose', k: 2 } as const;
const state = (trace: Trace): SideState => ({ title: 't', strategy, interventions: [], trace, stale: false });

/** A child's trace: the messages as they arrive here, and the trace that they make. */
async function run(parts: readonly number[] = []) {
  const arrived: Answering[] = [];
  const child = new Answerer<Requests>(
    async (_, __, { onPartial }) => {
      for (const done of parts) await (onPartial as (trace: Trace) => unknown)(withText(whole, { done }));
      return whole;
    },
    (message) => {
      const crossed = structuredClone(message);
      arrived.push(crossed);
      if (isAnswering(crossed)) host.take(crossed);
    },
    cutterOf,
  );
  const host = new Caller<Requests>((message) => child.take(structuredClone(message)), joinerOf);
  const partial: Trace[] = [];
  const trace = await host.ask('route', { text: 't', strategy }, { onPartial: (part) => partial.push(part) });
  const pieces = arrived.flatMap((message) => (message.type === 'piece' ? [message.piece] : []));
  return { trace, partial, cells: pieces.filter((piece) => (piece as { part: string }).part === 'cells') };
}

const cellsIn = (messages: readonly HostMessage[]) =>
  messages.flatMap((message) => (message.type === 'piece' && message.piece.part === 'cells' ? [message.piece] : []));

it('is cut once: the page gets the very pieces that came, each once, and then has what the child has', async () => {
  const { trace, cells } = await run();
  const messages = [...new SideSender().messages('main', state(trace))];
  const sent = cellsIn(messages);
  expect(sent).toHaveLength(10);
  expect(new Set(sent)).toEqual(new Set(cells));
  for (const piece of sent) expect(cells.some((one) => one === piece)).toBe(true);
  const page = new SideReceiver();
  const shown = structuredClone(messages).flatMap((message) => {
    if (message.type === 'piece') page.piece(message);
    return message.type === 'side' ? [page.side(message)] : [];
  });
  expect(shown.at(-1)!.trace).toStrictEqual(whole);
});

it('while it grows, is sent on with the pieces that came with each part', async () => {
  const { trace, partial, cells } = await run([100, 200]);
  const sender = new SideSender();
  const running = { what: 'route', done: 0, total: 300 } as const;
  const messages = [...partial, trace].flatMap((part, i) => [
    ...sender.messages('main', { ...state(part), ...(i < 2 && { running }) }),
  ]);
  for (const piece of cellsIn(messages)) expect(cells.some((one) => one === piece)).toBe(true);
  expect(cellsIn(messages)).toHaveLength(cells.length);
});

it('is cut anew for a page that comes later', async () => {
  const { trace, cells } = await run();
  const first = cellsIn([...new SideSender().messages('main', state(trace))]);
  const again = cellsIn([...new SideSender().messages('main', state(trace))]);
  expect(again).toStrictEqual(first);
  expect(again.some((piece) => cells.some((one) => one === piece))).toBe(false);
});

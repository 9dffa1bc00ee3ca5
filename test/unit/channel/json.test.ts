// VS Code sends messages to a page, and back, as JSON.
import { expect, it } from 'vitest';
import { Answerer } from '../../../src/channel/answerer.js';
import { Caller } from '../../../src/channel/caller.js';
import { type Answering, type Asking, isAnswering, isAsking } from '../../../src/channel/messages.js';

interface Calls {
  readonly run: { readonly request: { readonly text: string }; readonly result: unknown };
}

const throughJson = (message: Asking | Answering): unknown => JSON.parse(JSON.stringify(message));

it('a call whose answer is nothing ends, like one with an answer', async () => {
  const caller = new Caller<Calls>((message: Asking) => {
    const arrived = throughJson(message);
    if (!isAsking(arrived)) throw new TypeError('not a call');
    answerer.take(arrived);
  });
  const answerer = new Answerer<Calls>(
    (_, { text }) => Promise.resolve(text === '' ? undefined : text.length),
    (message: Answering) => {
      const arrived = throughJson(message);
      if (!isAnswering(arrived)) throw new TypeError('not an answer');
      caller.take(arrived);
    },
  );
  expect(await caller.ask('run', { text: 'goose' })).toBe(5);
  expect(await caller.ask('run', { text: '' })).toBeUndefined();
  expect(caller.pending).toBe(0);
});

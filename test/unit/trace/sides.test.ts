import { expect, it } from 'vitest';
import type { HostMessage, SideState } from '../../../src/shared/panelProtocol.js';
import { SideReceiver, SideSender } from '../../../src/trace/sides.js';
import { fabricate } from './fabricate.js';

const words = (count: number) => Array.from({ length: count }, (_, i) => ` ${i}`);

const state = (more: Partial<SideState>): SideState => ({
  title: 'geese.md',
  strategy: { name: 'phatgoose', k: 2 },
  interventions: [],
  stale: false,
  ...more,
});

function page() {
  const [sender, receiver] = [new SideSender(), new SideReceiver()];
  let pieces = 0;
  return {
    show: (side: 'main' | 'other', shown: SideState | undefined): SideState | undefined => {
      pieces = 0;
      let result: SideState | undefined;
      for (const message of structuredClone<HostMessage[]>([...sender.messages(side, shown)])) {
        if (message.type === 'piece') {
          pieces++;
          receiver.piece(message);
        } else if (message.type === 'side') result = receiver.side(message);
      }
      return result;
    },
    pieces: () => pieces,
  };
}

it('the page has what the host has, with traces and without', () => {
  const { show } = page();
  const [trace, before] = [fabricate({ tokens: words(100) }), fabricate({ tokens: words(20) })];
  for (const shown of [state({}), state({ trace }), state({ trace, before }), state({ title: 'other.md', trace })])
    expect(show('main', shown)).toStrictEqual(shown);
  expect(show('main', undefined)).toBeUndefined();
});

it('sends arrays once, and of a trace that grows the new tokens', () => {
  const { show, pieces } = page();
  const trace = fabricate({ tokens: words(200) });
  show('main', state({ trace: { ...trace, done: 64 } }));
  expect(pieces()).toBe(2);
  show('main', state({ trace: { ...trace, done: 128 } }));
  expect(pieces()).toBe(2);
  expect(show('main', state({ trace }))).toStrictEqual(state({ trace }));
  expect(pieces()).toBe(4);
  show('main', state({ trace, stale: true }));
  expect(pieces()).toBe(0);
  // The other side shows the same run: it is there already.
  show('other', state({ trace }));
  expect(pieces()).toBe(0);
});

it('sends again what no side shows any more', () => {
  const { show, pieces } = page();
  const [first, second] = [fabricate({ tokens: words(30) }), fabricate({ tokens: words(30) })];
  show('main', state({ trace: first }));
  show('other', state({ trace: first }));
  show('main', state({ trace: second }));
  show('main', state({ trace: first }));
  expect(pieces()).toBe(0);
  show('other', undefined);
  show('main', state({ trace: second }));
  expect(pieces()).toBe(2);
  expect(show('main', state({ trace: first }))).toStrictEqual(state({ trace: first }));
  expect(pieces()).toBe(2);
});

import { expect, it, vi } from 'vitest';
import type { HostMessage, SideState } from '../../../src/protocol/panel.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { SideReceiver, SideSender } from '../../../src/transport/sides.js';
import { blockOf, fabricate, withText, without } from '../trace/fabricate.js';

const upTo = (trace: Trace, done: number) => withText(trace, { done });

const words = (count: number) => Array.from({ length: count }, (_, i) => ` ${i}`);

const asked = { title: 'geese.md', strategy: { name: 'phatgoose', k: 2 }, interventions: [] } as const;

const state = (more: Partial<SideState>): SideState => ({ ...asked, stale: false, ...more });

const running = { what: 'route', done: 0, total: 0 } as const;

function page() {
  const [sender, receiver] = [new SideSender(), new SideReceiver()];
  let types: string[] = [];
  let texts = 0;
  let states: (SideState | undefined)[] = [];
  return {
    /** What the page shows in the end; `until`: the host stops after this many messages. */
    show: (side: 'main' | 'other', shown: SideState | undefined, until = Infinity): SideState | undefined => {
      [types, states] = [[], []];
      texts = 0;
      for (const message of sender.messages(side, shown)) {
        const arrived = structuredClone<HostMessage>(message);
        if (arrived.type === 'piece') {
          // Frame and tokens are sent before the first cells, once per run.
          if (arrived.piece.part === 'cells') types.push(arrived.piece.sent === 'deferred' ? 'scores' : 'choices');
          else texts++;
          receiver.piece(arrived);
        } else {
          types.push(arrived.type);
          if (arrived.type === 'side') states.push(receiver.side(arrived));
        }
        if (types.length === until) break;
      }
      return states.at(-1);
    },
    types: () => types,
    /** Number of pieces with frame, text or tokens. */
    texts: () => texts,
    states: () => states,
  };
}

it('the page has what the host has, with traces and without', () => {
  const { show, types } = page();
  const [trace, before] = [fabricate({ tokens: words(100) }), fabricate({ tokens: words(20) })];
  for (const shown of [state({}), state({ trace }), state({ trace, before }), state({ title: 'other.md', trace })])
    expect(show('main', shown)).toStrictEqual(shown);
  expect(show('main', undefined)).toBeUndefined();
  expect(types()).toEqual(['side']);
  show('main', undefined);
  expect(types()).toEqual([]);
});

it('sends arrays once, and of a growing trace only the new tokens', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { show, types, texts } = page();
    const trace = fabricate({ tokens: words(200) });
    show('main', state({ running, trace: upTo(trace, 64) }));
    expect(texts()).toBe(2);
    expect(types()).toEqual(['choices', 'side']);
    vi.advanceTimersByTime(1000);
    show('main', state({ running, trace: upTo(trace, 128) }));
    expect(types()).toEqual(['choices', 'side']);
    expect(show('main', state({ trace }))).toStrictEqual(state({ trace }));
    expect(types()).toEqual(['status', 'choices', 'choices', 'side', ...Array<string>(4).fill('scores'), 'side']);
    expect(texts()).toBe(0);
    show('main', state({ trace, stale: true }));
    expect(types()).toEqual(['status']);
    // The other side shows the same run, which the page already has.
    show('other', state({ trace }));
    expect(types()).toEqual(['side']);
  } finally {
    vi.useRealTimers();
  }
});

it('still sends the last message if the host stopped before it, wherever that was', () => {
  const trace = fabricate({ tokens: words(100) });
  const all = ['choices', 'choices', 'side', 'scores', 'scores', 'side'];
  for (let until = 1; until < all.length; until++) {
    const { show, types } = page();
    show('main', state({ trace }), until);
    const said = types();
    expect(show('main', state({ trace }))).toStrictEqual(state({ trace }));
    expect([...said, ...types()]).toEqual(all);
    show('main', state({ trace }));
    expect(types()).toEqual([]);
  }
});

it('leaves a partial result on show for a while, longer with more tokens; what is known is sent ahead', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { show, types } = page();
    const trace = fabricate({ tokens: words(200) });
    const shown = (done: number) => {
      show('main', state({ running, trace: upTo(trace, done) }));
      return types();
    };
    expect(shown(1)).toEqual(['choices', 'side']);
    vi.advanceTimersByTime(149);
    expect(shown(2)).toEqual(['choices']);
    vi.advanceTimersByTime(1);
    expect(shown(100)).toEqual(['choices', 'choices', 'side']);
    vi.advanceTimersByTime(599);
    expect(shown(101)).toEqual(['choices']);
    vi.advanceTimersByTime(1);
    expect(shown(102)).toEqual(['choices', 'side']);
    // The final result does not wait.
    show('main', state({ running, trace }));
    expect(types()).toEqual(['choices', 'choices']);
    show('main', state({ trace }));
    expect(types().slice(0, 2)).toEqual(['status', 'side']);
  } finally {
    vi.useRealTimers();
  }
});

it('shows another run at once', () => {
  const { show, types } = page();
  const [first, second] = [fabricate({ tokens: words(30) }), fabricate({ tokens: words(30) })];
  show('main', state({ running, trace: upTo(first, 9) }));
  show('main', state({ running, trace: upTo(second, 9) }));
  expect(types()).toEqual(['choices', 'side']);
});

it('shows what was chosen before the scores arrive, and says that they follow', () => {
  const { show, states } = page();
  const trace = fabricate({ tokens: words(100) });
  const bare = without(trace, 'score');
  show('main', state({ trace }));
  expect(states()).toStrictEqual([state({ trace: bare, scoresFollow: true }), state({ trace })]);
  // A run that was stopped: only these are new.
  const { show: showAgain, types, states: all } = page();
  showAgain('main', state({ running, trace: upTo(trace, 70) }));
  expect(all().map((s) => s?.scoresFollow)).toEqual([true]);
  const stopped = showAgain('main', state({ trace: upTo(trace, 70) }));
  expect(types()).toEqual(['status', 'scores', 'scores', 'side']);
  const scores = (of: Trace) => blockOf(of).score!.slice(0, 70 * 5);
  expect(scores(stopped!.trace!)).toEqual(scores(trace));
});

it('goes on with scores that were interrupted', () => {
  const { show, types } = page();
  const shown = state({ trace: fabricate({ tokens: words(200) }) });
  // Four messages with choices, the side, one with scores.
  show('main', shown, 6);
  expect(types().at(-1)).toBe('scores');
  expect(show('main', shown)).toStrictEqual(shown);
  expect(types()).toEqual(['scores', 'scores', 'scores', 'side']);
});

it('tells a new page once that there is no comparison: it may remember one', () => {
  const { show, types } = page();
  show('main', state({}));
  show('other', undefined);
  expect(types()).toEqual(['side']);
  show('other', undefined);
  expect(types()).toEqual([]);
  show('other', state({}));
  show('other', undefined);
  expect(types()).toEqual(['side']);
});

it('sends again what no side shows any more', () => {
  const { show, types } = page();
  const [first, second] = [fabricate({ tokens: words(30) }), fabricate({ tokens: words(30) })];
  show('main', state({ trace: first }));
  show('other', state({ trace: first }));
  show('main', state({ trace: second }));
  show('main', state({ trace: first }));
  expect(types()).toEqual(['side']);
  show('other', undefined);
  show('main', state({ trace: second }));
  expect(types()).toEqual(['choices', 'side', 'scores', 'side']);
  expect(show('main', state({ trace: first }))).toStrictEqual(state({ trace: first }));
  expect(types()).toEqual(['choices', 'side', 'scores', 'side']);
});

import { effect } from '@preact/signals-core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HostMessage, PageMessage, PagePost, Side, SideState } from '../../../src/protocol/panel.js';
import { SideSender } from '../../../src/transport/sides.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { lazy } from '../../../webview/store/lazy.js';
import { sideName } from '../../../webview/store/sides.js';
import { initial } from '../../../webview/store/state.js';
import { Store, type Kept } from '../../../webview/store/store.js';
import { Background } from '../../../webview/background/background.js';
import { fabricate, fabricateIds, spelled, textOf, withText, without } from '../trace/fabricate.js';

afterEach(() => {
  vi.useRealTimers();
});

/** What the page sends, whether or not it waits for an answer. */
function said(message: PagePost): PageMessage {
  return message.type === 'call'
    ? ({ type: message.name, ...(message.request as object) } as PageMessage)
    : (message as PageMessage);
}

function begin(kept?: unknown) {
  const sent: PageMessage[] = [];
  const saved: Kept[] = [];
  const host = {
    postMessage: (message: PagePost) => sent.push(said(message)),
    getState: () => kept,
    setState: (state: Kept) => saved.push(state),
  };
  const background = new Background(
    () => {
      throw new Error('these texts are short');
    },
    () => {},
  );
  const scopes = lazy(() => import('../../../webview/scope/regions.js'));
  const store = new Store(host, background, scopes);
  const sender = new SideSender();
  const side = (name: Side, trace: Trace | undefined, more: Partial<SideState> = {}): void => {
    const state: SideState = {
      title: 'a.md',
      strategy: { name: 'phatgoose', k: 2 },
      interventions: [],
      stale: false,
      ...(trace && { trace }),
      ...more,
    };
    for (const message of sender.messages(name, state)) store.receive(message);
  };
  return { store, sent, saved, side, receive: (message: HostMessage) => store.receive(message) };
}

describe('selection', () => {
  test('of a token on the page is sent to the editor; one that the editor made is not', () => {
    const { store, side, sent, receive } = begin();
    side('main', fabricate());
    store.select({ token: 4 });
    receive({ type: 'select', token: 7 });
    expect(store.view.selection.value.token).toBe(7);
    expect(sent).toEqual([{ type: 'select', token: 4 }]);
  });

  test('of a line includes all its tokens, and is sent as such, until a single token is selected', () => {
    const { store, side, sent, receive } = begin();
    side('main', fabricate());
    store.selectIn('main', { sequence: 0, token: 2, end: 5 });
    expect(store.placeIn.main.value).toEqual({ sequence: 0, token: 2, end: 5 });
    // Its layer is selected without another message to the editor.
    store.select({ layer: '1', module: -1 });
    expect(store.view.selection.value).toEqual({ sequence: 0, token: 2, end: 5, layer: '1', module: -1 });
    store.select({ token: 2 });
    receive({ type: 'select', token: 3 });
    expect(store.view.selection.value).toEqual({ sequence: 0, token: 3, layer: '1', module: -1 });
    expect(sent).toEqual([
      { type: 'select', token: 2, end: 5 },
      { type: 'select', token: 2 },
    ]);
  });

  test('of a line of the other run is of the tokens’ partners', () => {
    const { store, side } = begin();
    const words = ['a', ' b', ' c', '\n', 'd'];
    side('main', spelled(words));
    side('other', spelled([' x', ...words], 3));
    store.selectIn('other', { sequence: 0, token: 1, end: 5 });
    expect(store.placeIn.main.value).toEqual({ sequence: 0, token: 0, end: 4 });
    expect(store.placeIn.other.value).toEqual({ sequence: 0, token: 1, end: 5 });
  });

  test('of a layer is kept in the same text, and not in another file', () => {
    const { store, side } = begin();
    side('main', spelled(['Two', ' geese']));
    store.select({ token: 1, layer: '1', module: -1 });
    side('main', spelled(['Two', ' geese']));
    expect(store.view.selection.value).toMatchObject({ token: 1, layer: '1' });
    side('main', spelled(['SELECT', ' 1']));
    expect(store.view.selection.value).toMatchObject({ token: -1, layer: '', module: -1 });
  });

  test('stays within the text, and within what a new trace has', () => {
    const { store, side, receive } = begin();
    side('main', fabricate({ layers: 3 }));
    receive({ type: 'select', token: 99, module: 20 });
    expect(store.view.selection.value).toEqual({ sequence: 0, token: 15, layer: '2', module: 20 });
    side('main', fabricate({ layers: 1, tokens: ['a', ' b'] }));
    expect(store.view.selection.value).toEqual({ sequence: 0, token: -1, layer: '', module: -1 });
  });

  test('of the second text says so', () => {
    const { store, side, sent } = begin();
    side('main', fabricateIds());
    store.select({ sequence: 1, token: 2 });
    expect(sent).toEqual([{ type: 'select', token: 2, sequence: 1 }]);
  });

  test('moves to the token’s partner in the other run, and back', () => {
    const { store, side } = begin();
    side('main', spelled(['The', ' grey', ' goose', ' flies']));
    side('other', spelled(['The', ' goose', ' flies', ' far']));
    store.select({ token: 2 });
    expect(store.placeIn.other.value.token).toBe(1);
    store.selectIn('other', { sequence: 0, token: 2 });
    expect(store.view.selection.value.token).toBe(3);
    // A token that only the other run has is selected there alone.
    store.selectIn('other', { sequence: 0, token: 3 });
    expect(store.view.selection.value.token).toBe(-1);
    expect(store.placeIn.other.value.token).toBe(3);
    store.select({ token: 0 });
    expect(store.placeIn.other.value.token).toBe(0);
  });
});

describe('a scope of tokens', () => {
  const written = (...texts: readonly string[]): Trace => {
    const trace = fabricateIds();
    return { ...trace, sequences: trace.sequences.map((sequence, s) => ({ ...sequence, text: texts[s]! })) };
  };

  test('stays when a run writes the same output, and goes when one writes another', () => {
    const { store, side } = begin();
    side('main', written('In', 'one two'));
    store.set({ scope: 'tokens 1 0-2' });
    for (const output of ['', 'one', 'one two', 'one two three']) {
      side('main', written('In', output));
      expect(store.view.scope.value).toBe('tokens 1 0-2');
    }
    for (const output of ['', 'one', 'one other']) side('main', written('In', output));
    expect(store.view.scope.value).toBe('');
  });

  test('does not depend on the other text', () => {
    const { store, side } = begin();
    side('main', written('In', 'one'));
    store.set({ scope: 'tokens 0 0-2' });
    side('main', written('In', 'other'));
    expect(store.view.scope.value).toBe('tokens 0 0-2');
    side('main', written('Another', 'other'));
    expect(store.view.scope.value).toBe('');
  });
});

test('Escape leaves one thing at a time: the tour, the maximised map, the scope', () => {
  const { store } = begin();
  const state = () => [store.tour.value, store.view.maximised.value, store.view.scope.value];
  store.set({ maximised: true, scope: 'region prose  0' });
  store.tour.value = true;
  store.leave();
  expect(state()).toEqual([false, true, 'region prose  0']);
  store.leave();
  expect(state()).toEqual([false, false, 'region prose  0']);
  store.leave();
  expect(state()).toEqual([false, false, '']);
});

describe('sides', () => {
  test('a comparison that opens is shown; one that ends leaves what it coloured, and stays where the next begins', () => {
    const { store, side, receive } = begin();
    side('main', fabricate());
    expect(store.gridSource.value).toBe('main');
    side('other', fabricate({ seed: 3 }));
    expect([store.view.tab.value, store.colouredBy.value]).toEqual(['compare', 'change']);
    receive({ type: 'side', side: 'other', state: undefined });
    expect([store.view.tab.value, store.colouredBy.value]).toEqual(['compare', 'experts']);
  });

  test('another comparison is shown, too, but not another part of the same one, nor one of another text', () => {
    const { store, side } = begin();
    const tab = () => store.view.tab.value;
    const [run, next] = [fabricate({ seed: 3 }), fabricate({ seed: 4 })];
    const [whole] = next.sequences;
    side('main', fabricate());
    // Asked for again, as by Compare With: first nothing of it is there, then a part, then all.
    for (const strategy of [{ name: 'arrow', k: 2 }, { name: 'base' }, { name: 'base' }]) {
      side('other', undefined, { strategy });
      expect(tab()).toBe('compare');
      store.set({ tab: 'summary' });
      side('other', { ...run, source: { ...run.source } }, { strategy });
      expect(tab()).toBe('summary');
    }
    // A finished run, as from Run History, though a part of it comes first.
    const part = { ...next, sequences: [{ ...whole!, done: 2 }] };
    side('other', part, { strategy: { name: 'base' } });
    expect(tab()).toBe('compare');
    store.set({ tab: 'summary' });
    side('other', next, { strategy: { name: 'base' } });
    side('main', fabricate(), { title: 'b.md' });
    side('other', run, { title: 'another' });
    expect(tab()).toBe('summary');
    // In this text it is another.
    side('other', next, { title: 'another' });
    expect(tab()).toBe('compare');
  });

  test.each([
    [{ name: 'single', expert: 'c' }, 'One expert: C', 'One expert: C'],
    [{ name: 'arrow', k: 2 }, 'Arrow, 2 experts per token', 'Arrow, 2 experts per token'],
    [{ name: 'arrow', k: 2 }, 'Gosling, Arrow, 2 experts per token', 'Gosling, Arrow, 2 experts per token'],
    [{ name: 'arrow', k: 2 }, 'Arrow.md', 'Arrow.md · Arrow'],
    [{ name: 'arrow', k: 2 }, 'b.md', 'b.md · Arrow'],
  ] as const)('a run of %o with the title %s is called %s: its strategy is said once', (strategy, title, name) => {
    const { store, side } = begin();
    side('main', fabricate());
    side('other', { ...fabricate({ seed: 3 }), router: { name: strategy.name } }, { strategy, title });
    expect(sideName(store, 'other')).toBe(name);
  });

  test('what-ifs that only one of two runs has come first in its name, and the other says that it has none', () => {
    const { store, side } = begin();
    const [a, b] = fabricate().expertSets[0]!.experts;
    const [hidden, held] = [
      { action: 'knock-out', expert: a!.id, scope: {} },
      { action: 'force', expert: b!.id, scope: { layer: 0 } },
    ] as const;
    const [without, forced] = [`${a!.name} knocked out everywhere`, `${b!.name} forced in layer 0`];
    const names = () => [sideName(store, 'main'), sideName(store, 'other')];
    side('main', { ...fabricate(), interventions: [hidden, held] });
    side('other', fabricate(), { title: 'PHATGOOSE, 2 experts per token' });
    expect(names()).toEqual([
      `${without} · ${forced} · a.md · PHATGOOSE`,
      'no what-ifs · PHATGOOSE, 2 experts per token',
    ]);
    side('other', { ...fabricate(), interventions: [hidden] }, { title: 'PHATGOOSE, 2 experts per token' });
    expect(names()).toEqual([
      `${forced} · a.md · PHATGOOSE · ${without}`,
      `PHATGOOSE, 2 experts per token · ${without}`,
    ]);
  });

  test('a run is also called by what the model wrote in it, unless it wrote the same in the other', () => {
    const { store, side } = begin();
    const [main, longer] = [fabricate(), fabricate({ tokens: ['<|start|>', 'def', ' more\n', ' of', ' it'] })];
    const names = () => [sideName(store, 'main'), sideName(store, 'other')];
    side('main', main);
    side('other', longer, { title: 'PHATGOOSE, 2 experts per token', given: 3 });
    expect(names()).toEqual(['a.md · PHATGOOSE', 'generated “more of it” · PHATGOOSE, 2 experts per token']);
    side('main', longer, { given: 3 });
    expect(names()).toEqual(['a.md · PHATGOOSE', 'PHATGOOSE, 2 experts per token']);
    side('other', main, { title: 'PHATGOOSE, 2 experts per token' });
    expect(names()).toEqual(['generated “more of it” · a.md · PHATGOOSE', 'PHATGOOSE, 2 experts per token']);
  });

  test('a comparison that a reload has ended leaves the tab open', () => {
    const { store, side, receive } = begin({ version: 2, tab: 'compare', comparing: true });
    side('main', fabricate());
    receive({ type: 'side', side: 'other', state: undefined });
    expect([store.view.tab.value, store.view.comparing.value]).toEqual(['compare', false]);
  });

  test('what a reload has ended is known, until it is there again, or another text is', () => {
    const attribution = { experts: [], logProb: new Float32Array(), change: new Float32Array() };
    const { store, side, saved, receive } = begin({ ...initial, comparing: true, attributed: true });
    side('main', fabricate());
    receive({ type: 'side', side: 'other', state: undefined });
    expect(store.lost.value).toEqual({ attribution: 'a.md', comparison: 'a.md' });
    store.save();
    expect(saved.at(-1)).toMatchObject({ attributed: false, comparing: false });
    side('main', fabricate(), { attribution });
    side('other', fabricate({ seed: 3 }));
    expect(store.lost.value).toEqual({});
    // What a person closes is not lost.
    receive({ type: 'side', side: 'other', state: undefined });
    side('main', fabricate());
    expect(store.lost.value).toEqual({});
    const again = begin({ ...initial, attributed: true });
    again.side('main', fabricate());
    again.side('main', fabricate(), { title: 'b.md' });
    expect(again.store.lost.value).toEqual({});
  });

  test('what a reload has ended is of no interest once another run is there', () => {
    const route = { what: 'route', done: 3, total: 16 } as const;
    const lostAfter = (...later: readonly ((panel: ReturnType<typeof begin>) => void)[]) => {
      const panel = begin({ ...initial, comparing: true, attributed: true });
      // The run itself comes back, part by part.
      panel.side('main', undefined, { running: route });
      panel.receive({ type: 'side', side: 'other', state: undefined });
      panel.side('main', fabricate(), { running: route });
      panel.side('main', fabricate(), { model: 'Gosling' });
      for (const step of later) step(panel);
      return panel.store.lost.value;
    };
    const kept = { attribution: 'a.md', comparison: 'a.md' };
    expect(lostAfter()).toEqual(kept);
    // What is asked about it leaves it as it is.
    const running = { what: 'attribute', done: 0, total: 9 } as const;
    expect(lostAfter(({ receive }) => receive({ type: 'status', side: 'main', running, stale: false }))).toEqual(kept);
    expect(
      lostAfter(({ receive }) => receive({ type: 'status', side: 'main', running: undefined, stale: true })),
    ).toEqual(kept);
    const others: readonly ((panel: ReturnType<typeof begin>) => void)[] = [
      ({ receive }) => receive({ type: 'status', side: 'main', running: route, stale: false }),
      ({ side }) => side('main', undefined, { running: route }),
      ({ side }) => side('main', fabricate(), { running: { ...route, what: 'generate' }, model: 'Gosling' }),
      ({ side }) => side('main', fabricate(), { model: 'SmolLM2' }),
      ({ side }) => side('main', fabricate(), { model: 'Gosling', strategy: { name: 'arrow', k: 2 } }),
      ({ side }) =>
        side('main', fabricate(), {
          model: 'Gosling',
          interventions: [{ action: 'knock-out', expert: 'go', scope: {} }],
        }),
      ({ side }) => side('main', fabricate(), { model: 'Gosling', title: 'b.md' }),
    ];
    for (const other of others) expect(lostAfter(other)).toEqual({});
    expect(lostAfter(others[0]!, ({ side }) => side('main', fabricate(), { model: 'Gosling' }))).toEqual({});
  });

  test('what a hidden page had, and its host still has, is not lost', () => {
    const attribution = { experts: [], logProb: new Float32Array(), change: new Float32Array() };
    const { store, side } = begin({ ...initial, comparing: true, attributed: true });
    side('main', fabricate(), { attribution });
    side('other', fabricate({ seed: 3 }));
    expect([store.lost.value, store.view.attributed.value]).toEqual([{}, true]);
  });

  test('text and map are coloured by a change if there is one, and otherwise by what was chosen', () => {
    const { store, side, sent, receive } = begin();
    const main = fabricate();
    store.set({ overlay: 'change' });
    side('main', main);
    expect([store.colouredBy.value, store.changes.value]).toEqual(['experts', undefined]);
    // With a what-if, there is also the run without it.
    side('main', main, { before: fabricate({ seed: 3 }) });
    expect([store.colouredBy.value, store.changes.value?.[0]?.by]).toEqual(['change', 'choices']);
    // A choice made elsewhere says what becomes of the change; one made here shows at once.
    receive({ type: 'colour', by: 'entropy', layer: '', over: 'change', passed: false });
    expect(store.colouredBy.value).toBe('change');
    store.colour({ by: 'margin', layer: '' });
    expect(store.colouredBy.value).toBe('margin');
    expect(sent).toEqual([
      { type: 'overlay', by: 'change' },
      { type: 'overlay', by: '' },
      { type: 'colour', by: 'margin', layer: '', over: '', passed: false },
    ]);
  });

  test('what was chosen instead of an attribution stays when the run is sent again, and comes back with it', () => {
    const { store, side, receive, sent } = begin();
    const attributed = () => ({
      attribution: { experts: [], logProb: new Float32Array(), change: new Float32Array() },
    });
    side('main', fabricate(), attributed());
    store.set({ tab: 'whatIf' });
    expect(store.colouredBy.value).toBe('attribution');
    store.colour({ by: 'surprise', layer: '' });
    const chosen = { type: 'colour', by: 'surprise', layer: '', over: '', passed: true } as const;
    expect(sent.at(-1)).toEqual(chosen);
    side('main', fabricate(), attributed());
    expect(store.colouredBy.value).toBe('surprise');
    // Another text has its own choice.
    side('main', fabricate({ seed: 3 }), attributed());
    receive({ type: 'colour', by: 'experts', layer: '', over: 'attribution', passed: false });
    store.set({ tab: 'summary' });
    expect(store.colouredBy.value).toBe('attribution');
    side('main', fabricate({ seed: 3 }));
    expect(store.colouredBy.value).toBe('experts');
    side('main', fabricate(), attributed());
    receive(chosen);
    store.set({ tab: 'whatIf' });
    expect(store.colouredBy.value).toBe('surprise');
    expect(sent.filter(({ type }) => type === 'colour')).toEqual([chosen]);
  });

  test('what a trace does not contain colours nothing', () => {
    const { store, side } = begin();
    store.colour({ by: 'margin', layer: '' });
    side('main', without(fabricate(), 'score'));
    expect([store.view.colouring.value, store.colouredBy.value]).toEqual(['margin', 'experts']);
    side('main', fabricate());
    expect(store.colouredBy.value).toBe('margin');
  });

  test('progress changes nothing else', () => {
    const { store, side, receive } = begin();
    const running = { what: 'route', done: 4, total: 16 } as const;
    side('main', fabricate({ done: 4 }), { running });
    const drawn = vi.fn();
    const end = effect(() => {
      drawn(store.main.trace.value, store.main.isRunning.value, store.main.interventions.value, store.main.title.value);
    });
    receive({ type: 'status', side: 'main', running: { ...running, done: 8 }, stale: false });
    expect(store.main.running.value?.done).toBe(8);
    expect(drawn).toHaveBeenCalledTimes(1);
    receive({ type: 'status', side: 'main', running: undefined, stale: true });
    expect([store.main.isRunning.value, store.main.isStale.value]).toEqual([false, true]);
    end();
  });

  test('scores that come last do not change the choices', () => {
    const { store, side } = begin();
    const whole = fabricate();
    const seen: (Trace | undefined)[] = [];
    const end = effect(() => {
      seen.push(store.main.choices.value);
    });
    side('main', whole);
    end();
    // One for nothing, one for all choices; the scores that follow do not make a third.
    expect(seen).toHaveLength(2);
    expect(seen[1]!.blocks[0]!.score).toBeUndefined();
    expect(store.main.trace.value!.blocks[0]!.score).toEqual(whole.blocks[0]!.score);
    expect(store.main.scoresFollow.value).toBe(false);
  });

  test('what a person chose to colour by stays chosen while the scores for it are to come', () => {
    const { store, side } = begin({ ...initial, colouring: 'entropy' });
    const whole = fabricate();
    side('main', withText(whole, { done: 5 }), { running: { what: 'route', done: 5, total: 16 } });
    expect([store.colouredBy.value, store.awaitedColour.value]).toEqual(['experts', 'entropy']);
    side('main', whole);
    expect([store.colouredBy.value, store.awaitedColour.value]).toEqual(['entropy', undefined]);
  });

  test('nothing is awaited of a run that has no scores, or if the choice needs none', () => {
    for (const colouring of ['entropy', 'weight'] as const) {
      const { store, side } = begin({ ...initial, colouring });
      const { score: _, ...bare } = fabricate().blocks[0]!;
      side('main', { ...fabricate(), blocks: [bare] });
      expect(store.awaitedColour.value).toBeUndefined();
    }
  });

  test('a run that grows is drawn as it grows', () => {
    const { store, side } = begin();
    const whole = fabricate();
    side('main', withText(whole, { done: 5 }), { running: { what: 'route', done: 5, total: 16 } });
    expect(textOf(store.main.choices.value!).done).toBe(5);
    side('main', whole);
    expect(textOf(store.main.choices.value!).done).toBe(16);
  });
});

describe('what is in sight', () => {
  test('is a pool’s experts, or one layer’s if each has its own, and the filter with them', () => {
    const { store, side } = begin();
    side('main', fabricate());
    expect(store.main.shownExperts.value!.layer).toBeUndefined();
    store.lookAtLayer('1');
    expect(store.view.colourLayer.value).toBe('');
    side('main', fabricateIds());
    expect(store.main.shownExperts.value!.layer).toEqual({ stack: 'encoder', layer: 2 });
    store.setFilter({ experts: ['x'] });
    store.lookAtLayer('decoder 3');
    expect(store.main.shownExperts.value!.layer).toEqual({ stack: 'decoder', layer: 3 });
    expect(store.main.shownExperts.value!.parts.map((part) => part?.modules.length)).toEqual([undefined, 1]);
    expect(store.view.filter.value.experts).toEqual([]);
  });

  test('a layer or a number colours the text; the editor is told, and what it says is not sent back', () => {
    const { store, side, receive, sent } = begin();
    side('main', fabricateIds());
    store.set({ pinned: ['x'] });
    store.lookAtLayer('encoder 3');
    expect(store.view.pinned.value).toEqual([]);
    store.colour({ by: 'weight', layer: '' });
    // Looking at another layer changes what is in sight, but not what is measured.
    store.lookAtLayer('decoder 2');
    expect(store.main.shownExperts.value!.layer).toEqual({ stack: 'decoder', layer: 2 });
    expect(store.view.measureLayer.value).toBe('');
    receive({ type: 'colour', by: 'experts', layer: 'encoder 4', over: '', passed: false });
    expect(store.view.colouring.value).toBe('experts');
    expect(store.main.shownExperts.value!.layer).toEqual({ stack: 'encoder', layer: 4 });
    expect(sent.filter(({ type }) => type === 'colour')).toEqual([
      { type: 'colour', by: 'experts', layer: 'encoder 3', over: '', passed: false },
      { type: 'colour', by: 'weight', layer: '', over: '', passed: false },
    ]);
  });

  test('a pinned expert has a colour', () => {
    const { store, side } = begin();
    const trace = fabricateIds();
    side('main', trace);
    const set = store.main.shownExperts.value!.set;
    const rare = store.main.looks.value(set).slots.lastIndexOf(-1);
    store.set({ pinned: [set.experts[rare]!.id] });
    expect(store.main.looks.value(set).slots[rare]).toBeGreaterThanOrEqual(0);
    expect(store.main.looks.value(set).slots.filter((slot) => slot >= 0)).toHaveLength(15);
  });
});

describe('what is kept', () => {
  test('the view, shortly after it changed, with what the host asked for', () => {
    vi.useFakeTimers();
    const { store, saved, receive } = begin();
    receive({ type: 'remember', memory: 'file:///a' });
    expect(saved).toHaveLength(1);
    store.set({ tab: 'summary' });
    store.set({ tab: 'predictions' });
    vi.advanceTimersByTime(1000);
    expect(saved).toHaveLength(2);
    expect(saved[1]).toMatchObject({ tab: 'predictions', memory: 'file:///a', version: 2 });
    store.set({ tab: 'predictions' });
    vi.advanceTimersByTime(1000);
    expect(saved).toHaveLength(2);
  });

  test('is restored', () => {
    const first = begin();
    first.store.set({ tab: 'summary', pinned: ['a'] });
    first.receive({ type: 'remember', memory: 'm' });
    const again = begin(JSON.parse(JSON.stringify(first.saved.at(-1))));
    expect(again.store.view.tab.value).toBe('summary');
    again.store.save();
    expect(again.saved.at(-1)).toMatchObject({ memory: 'm', pinned: ['a'] });
  });
});

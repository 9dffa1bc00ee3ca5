import { beforeEach, expect, it } from 'vitest';
import { History, type HistoryLimits } from '../../../src/routing/history.js';
import { Runs } from '../../../src/routing/runs.js';
import { RoutingService, weigh } from '../../../src/routing/service.js';
import { RoutingStore } from '../../../src/routing/store.js';
import { ChildSource } from '../../../src/source/child.js';
import type { Strategy } from '../../../src/strategies/strategy.js';
import type { Intervention } from '../../../src/trace/model/trace.js';
import { FakeEngine, fakeTrace, settle } from './fakes.js';

const phatgoose = { name: 'phatgoose', k: 1 } as const;
const base = { name: 'base' } as const;
const knockOut: Intervention = { action: 'knock-out', expert: 'a', scope: {} };
const many = { runs: 20, bytes: Infinity };
let engine: FakeEngine;
let store: RoutingStore;
let runs: Runs;
let history: History;

const remember = (limits: HistoryLimits = many) => {
  engine = new FakeEngine();
  store = new RoutingStore();
  runs = new Runs(new RoutingService(() => new ChildSource(engine)), store);
  history = new History(store, runs, limits);
};
beforeEach(() => remember());

const add = (text: string, uri = 'd') =>
  store.add({
    uri,
    version: 1,
    span: { start: 0, end: text.length },
    main: { text, title: 't', strategy: phatgoose, interventions: [] },
  }).id;

/** Answers every request that is made meanwhile. */
async function finish(run: Promise<unknown>): Promise<void> {
  const state = { isDone: false };
  const done = run.finally(() => (state.isDone = true));
  for (; !state.isDone; await settle()) for (const one of engine.asked) one.answer();
  await done;
}

const route = (id: number, strategy: Strategy, interventions: readonly Intervention[] = []) =>
  finish(runs.route(id, 'main', strategy, interventions));
const names = (uri = 'd') => history.of(uri).map(({ result }) => result.strategy.name);

it('lists the finished runs of a document, the newest first, those with what-ifs also without them', async () => {
  const id = add('ab');
  await route(id, phatgoose);
  await route(id, base);
  await route(id, phatgoose, [knockOut]);
  expect(names()).toEqual(['phatgoose', 'base', 'phatgoose']);
  const [whatIf, , first] = history.of('d');
  expect(whatIf!.result.interventions).toEqual([knockOut]);
  expect(whatIf!.result.before).toBe(first!.result.trace);
  expect(whatIf!.result.running).toBeUndefined();
  expect(history.of('e')).toEqual([]);
});

it('has a row for what was generated, and none for a run that failed or was stopped, or of another text beside it', async () => {
  const id = add('ab');
  await finish(runs.generate(id, { maxTokens: 3 }));
  expect(history.of('d')[0]!.result.trace.sequences[0]!.text).toBe('ab!!!');
  const stopped = runs.route(id, 'main', base, []);
  await settle();
  engine.asked.at(-1)!.options.onPartial?.(fakeTrace({ text: 'ab', strategy: base }, 1));
  runs.stop(id);
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  await finish(runs.compare(id, { ...store.get(id)!.main, text: 'another', title: 'Present Selection' }));
  expect(store.get(id)!.other!.trace).toBeDefined();
  expect(history.of('d')).toHaveLength(1);
});

it('lists what a run was compared with, to be shown again by the name of its text', async () => {
  const id = add('ab');
  await route(id, phatgoose);
  await finish(runs.compare(id, { ...store.get(id)!.main, title: 'Merged', strategy: { name: 'merged' } }));
  await finish(runs.compare(id, { ...store.get(id)!.main, title: 'Base', strategy: base }));
  expect(names()).toEqual(['base', 'merged', 'phatgoose']);
  const [now, former, first] = history.of('d');
  expect(now!.result.trace).toBe(store.get(id)!.other!.trace);
  expect(now!.result.running).toBeUndefined();
  expect(history.of('d').map(({ result }) => result.title)).toEqual(['t', 't', 't']);
  const asked = engine.asked.length;
  runs.showAgain(id, former!.result);
  expect(store.get(id)).toMatchObject({ main: { title: 't', trace: former!.result.trace }, other: { title: 'Base' } });
  runs.compareFinished(id, first!.result);
  expect(store.get(id)!.other!.trace).toBe(first!.result.trace);
  expect(engine.asked).toHaveLength(asked);
  expect(names()).toEqual(['base', 'merged', 'phatgoose']);
});

it('knows which model ran what was compared elsewhere, and lists no run with an expert that was only tried', async () => {
  const id = add('ab');
  await route(id, phatgoose);
  const elsewhere = { route: () => Promise.resolve(fakeTrace({ text: 'ab', strategy: base })) };
  await runs.compareElsewhere(id, { title: 'theirs', model: 'Theirs', strategy: base }, elsewhere);
  const models = () => history.of('d').map(({ result }) => result.model);
  expect(models()).toEqual(['Theirs', 'Fake']);
  expect(store.get(id)!.other!.model).toBeUndefined();
  await runs.compareElsewhere(id, { title: 'with an expert', strategy: phatgoose }, elsewhere);
  expect(store.get(id)!.other!.trace).toBeDefined();
  expect(models()).toEqual(['Theirs', 'Fake']);
});

it('lists once what was run twice in one place', async () => {
  await route(add('ab'), phatgoose);
  await route(add('ab'), base);
  const again = add('ab');
  await route(again, phatgoose);
  expect(names()).toEqual(['phatgoose', 'base']);
  expect(history.of('d')[0]!.range).toBe(again);
});

it('shows a run again without running anything, even if a newer range covers it', async () => {
  const old = add('ab');
  await route(old, phatgoose);
  const newer = add('abc');
  await route(newer, base);
  expect(store.of('d').map(({ id }) => id)).toEqual([newer]);
  const asked = engine.asked.length;
  const [, first] = history.of('d');
  runs.showAgain(first!.range, first!.result);
  expect(store.of('d').map(({ id }) => id)).toEqual([old]);
  expect(store.latest).toMatchObject({ id: old, replaced: false, main: { trace: first!.result.trace } });
  expect(engine.asked).toHaveLength(asked);
  expect(names()).toEqual(['base', 'phatgoose']);
});

it('shows a run of a text that has changed since as stale, with its tokens where they are now', async () => {
  const old = add('ab');
  await route(old, phatgoose);
  const document = 'xab';
  await route(add('ab'), base);
  const read = ({ start, end }: { start: number; end: number }) => document.slice(start, end).replace('b', 'B');
  store.edit(
    'd',
    [
      { offset: 0, length: 0, text: 'x' },
      { offset: 2, length: 1, text: 'B' },
    ],
    read,
  );
  const { range, result } = history.of('d')[1]!;
  runs.showAgain(range, result);
  expect(store.get(old)).toMatchObject({ stale: true, span: { start: 1 } });
  expect([...store.tokenSpans(old)!.start]).toEqual([1, -1]);
});

it('ends what runs where a run is shown again, and lets nothing of it arrive late', async () => {
  const id = add('ab');
  await route(id, phatgoose);
  const running = runs.generate(id, { maxTokens: 2 });
  const ended = expect(running).rejects.toMatchObject({ code: 'cancelled' });
  await settle();
  const { range, result } = history.of('d')[0]!;
  runs.showAgain(range, result);
  engine.asked.at(-1)!.options.onPartial?.(fakeTrace({ text: 'ab!', strategy: phatgoose }));
  await ended;
  expect(store.get(id)!.main).toBe(result);
});

it('shows a run beside the one on show, but not beside itself', async () => {
  const id = add('ab');
  await route(id, phatgoose);
  await route(id, base);
  const [now, former] = history.of('d');
  const asked = engine.asked.length;
  expect(() => runs.compareFinished(id, now!.result)).toThrow('A run cannot be compared with itself.');
  expect(store.get(id)!.other).toBeUndefined();
  runs.compareFinished(id, former!.result);
  expect(store.get(id)).toMatchObject({ main: { strategy: base }, other: { trace: former!.result.trace } });
  expect(engine.asked).toHaveLength(asked);
  // The other run becomes the one on show, so there is nothing left to compare with.
  runs.showAgain(id, former!.result);
  expect(store.get(id)!.other).toBeUndefined();
});

it('limits the runs per document', async () => {
  remember({ ...many, runs: 2 });
  const [d, e] = [add('ab'), add('ab', 'e')];
  await route(e, phatgoose);
  for (const name of ['base', 'merged', 'arrow']) await route(d, { name });
  expect(names()).toEqual(['arrow', 'merged']);
  expect(names('e')).toEqual(['phatgoose']);
});

it('limits the bytes over all documents: the oldest runs go first, with their ranges', async () => {
  const one = weigh(fakeTrace({ text: 'ab', strategy: base }));
  remember({ ...many, bytes: 2.5 * one });
  const covered = add('ab', 'e');
  await route(covered, phatgoose);
  const e = add('ab', 'e');
  await route(e, base);
  expect(store.get(covered)).toMatchObject({ replaced: true });
  await route(add('ab'), { name: 'merged' });
  expect([names('e'), names()]).toEqual([['base'], ['merged']]);
  expect(store.get(covered)).toBeUndefined();
  // What a kept range is compared with counts too.
  store.setSide(e, 'other', { ...store.get(e)!.main, trace: fakeTrace({ text: 'ab', strategy: phatgoose }) });
  await route(add('cd', 'f'), phatgoose);
  expect([names('e'), names(), names('f')]).toEqual([[], ['merged'], ['phatgoose']]);
  remember({ ...many, bytes: 1 });
  await route(add('ab'), phatgoose);
  expect(names()).toEqual(['phatgoose']);
});

it('forgets the runs of a text that is not in the document opened under its address', async () => {
  const gone = add('ab');
  await route(gone, phatgoose);
  const kept = add('abc');
  await route(kept, base);
  const document = 'ax abc';
  store.edit('d', [{ offset: 0, length: 0, text: 'ax ' }], ({ start, end }) => document.slice(start, end));
  const other = 'xx xxx';
  store.reopened('d', ({ start, end }) => other.slice(start, end));
  history.reopened('e', () => '');
  expect(names()).toEqual(['base', 'phatgoose']);
  history.reopened('d', ({ start, end }) => other.slice(start, end));
  expect(names()).toEqual([]);
  expect([store.get(gone), store.get(kept)]).toEqual([undefined, undefined]);
});

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type Manner, Runs } from '../../../src/routing/runs.js';
import { RoutingService } from '../../../src/routing/service.js';
import { type Routed, RoutingStore, writtenIn } from '../../../src/routing/store.js';
import { GanderError } from '../../../src/errors/errors.js';
import { ChildSource } from '../../../src/source/child.js';
import type { Strategy } from '../../../src/strategies/strategy.js';
import type { Intervention } from '../../../src/trace/model/trace.js';
import type { Attribution, RouteRequest } from '../../../src/requests/api.js';
import { FakeEngine, fakeTrace, pool, settle } from './fakes.js';

const strategy = { name: 'phatgoose', k: 1 } as const;
const knockOut: Intervention = { action: 'knock-out', expert: 'a', scope: {} };
let engine: FakeEngine;
let store: RoutingStore;
let runs: Runs;
let id: number;
let log: string[];
let service: RoutingService;

const main = () => store.get(id)!.main;
const answer = async (n: number) => {
  await settle();
  engine.asked[n]!.answer();
  await settle();
};

beforeEach(() => {
  engine = new FakeEngine();
  store = new RoutingStore();
  log = [];
  service = new RoutingService(() => new ChildSource(engine));
  runs = new Runs(service, store, (line) => log.push(line));
  id = store.add({
    uri: 'd',
    version: 1,
    span: { start: 0, end: 2 },
    main: { text: 'ab', title: 't', strategy, interventions: [] },
  }).id;
});

it('writes progress, partial results and the result into the store, and tells listeners', async () => {
  const told = vi.fn();
  runs.onDidRoute(told);
  const onProgress = vi.fn();
  const done = runs.route(id, 'main', strategy, [], { onProgress });
  await settle();
  const { options, request } = engine.asked[0]!;
  options.onProgress?.(1, 2);
  options.onPartial?.(fakeTrace(request, 1));
  expect(onProgress.mock.calls).toEqual([[1, 2]]);
  expect(main()).toMatchObject({ running: { what: 'route', done: 1, total: 2 }, trace: { sequences: [{ done: 1 }] } });
  await answer(0);
  await done;
  expect(main().running).toBeUndefined();
  expect(main().trace!.sequences[0]!.done).toBe(2);
  expect(told).toHaveBeenCalledOnce();
});

it('remembers a strategy that was chosen for a text, for it and for texts that have none, until it is to forget', async () => {
  const route = async (uri: string, to: Strategy, interventions: readonly Intervention[] = []) => {
    const frame = { text: 'ab', title: 't', strategy, interventions: [] };
    const added = store.add({ uri, version: 1, span: { start: 0, end: 2 }, main: frame }).id;
    const from = engine.asked.length;
    const done = runs.route(added, 'main', to, interventions);
    for (let n = from; n < from + (interventions.length > 0 ? 2 : 1); n++) await answer(n);
    await done;
  };
  await route('d', strategy, [knockOut]);
  expect(runs.chosen.for('d')).toBeUndefined();
  await route('d', { name: 'arrow', k: 1 });
  await route('e', { name: 'phatgoose', k: 3 });
  expect(runs.chosen.for('d')?.strategy).toEqual({ name: 'arrow', k: 1 });
  expect(runs.chosen.for('f')?.strategy).toEqual({ name: 'phatgoose', k: 3 });
  runs.chosen.forget();
  expect(runs.chosen.for('d')).toBeUndefined();
});

it('logs strategy, tokens and time of every run, and how far a stopped one came', async () => {
  const done = runs.route(id, 'main', strategy, []);
  await settle();
  engine.asked[0]!.options.onProgress?.(2, 2);
  await answer(0);
  await done;
  const stopped = runs.attribute(id);
  await settle();
  engine.asked[1]!.options.onProgress?.(1, 2);
  runs.stop(id);
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  expect(log).toEqual([
    expect.stringMatching(/^route done: phatgoose k 1, 2 tokens, \d+\.\d\d s$/),
    expect.stringMatching(/^attribute stopped: phatgoose k 1, 1 of 2 tokens, \d+\.\d\d s$/),
  ]);
});

describe('a range whose model is still being loaded', () => {
  const waiting = () => {
    store.setSide(id, 'main', { ...main(), strategy: { name: 'arrow' }, isOpening: true });
    let found = (_manner: Manner) => {};
    const choice = new Promise<Manner>((resolve) => (found = resolve));
    const done = runs.open(id, () => choice);
    return { done, found };
  };

  it('counts as running at once, and is routed with the strategy that is found out', async () => {
    const { done, found } = waiting();
    expect(main()).toMatchObject({ isOpening: true, running: { what: 'route', done: 0, total: 0 } });
    expect(engine.asked).toHaveLength(0);
    found({ strategy, output: undefined });
    await answer(0);
    await done;
    expect(engine.asked[0]!.request).toMatchObject({ text: 'ab', strategy });
    expect(main()).toMatchObject({ strategy, isOpening: undefined, running: undefined });
    expect(main().trace).toBeDefined();
  });

  it('is stopped without waiting for the model', async () => {
    const { done } = waiting();
    runs.stop(id);
    await expect(done).rejects.toMatchObject({ code: 'cancelled' });
    expect(main().running).toBeUndefined();
    expect(engine.asked).toHaveLength(0);
    expect(log).toEqual([expect.stringMatching(/^route stopped: arrow, no tokens, /)]);
  });

  it('goes to the model that was chosen meanwhile, and ends when stopped', async () => {
    const asked: Strategy[] = [strategy, { name: 'arrow' }];
    const choose = () => Promise.resolve({ strategy: asked.shift()!, output: undefined });
    const done = runs.open(id, choose);
    await settle();
    const former = engine;
    engine = new FakeEngine();
    service.forget();
    former.asked[0]!.fail(new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.'));
    await answer(0);
    await done;
    expect(engine.asked[0]!.request).toMatchObject({ strategy: { name: 'arrow' } });
    expect(main()).toMatchObject({ strategy: { name: 'arrow' }, running: undefined, error: undefined });

    asked.push(strategy);
    const another = runs.open(id, choose);
    await settle();
    runs.stop(id);
    service.forget();
    await expect(another).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('says why there is no model', async () => {
    store.setSide(id, 'main', { ...main(), isOpening: true });
    const missing = new GanderError('pool-missing', 'There is no folder.', 'Choose one.');
    await expect(runs.open(id, () => Promise.reject(missing))).rejects.toBe(missing);
    expect(main()).toMatchObject({ error: { code: 'pool-missing' }, running: undefined, isOpening: true });
  });
});

it('distinguishes progress from results', async () => {
  const kinds: string[] = [];
  const done = runs.route(id, 'main', strategy, []);
  await settle();
  store.onChange(({ kind }) => kinds.push(kind));
  const { options, request } = engine.asked[0]!;
  options.onProgress?.(1, 2);
  options.onPartial?.(fakeTrace(request, 1));
  await answer(0);
  await done;
  expect(kinds).toEqual(['running', 'result', 'result', 'running']);
});

it('runs a text with a what-if also without it', async () => {
  const done = runs.route(id, 'main', strategy, [knockOut]);
  await answer(0);
  await answer(1);
  await done;
  expect(main().before!.interventions).toEqual([]);
  expect(main().trace!.interventions).toEqual([knockOut]);
});

it('keeps the old trace when it is stopped, which is not a failure', async () => {
  const done = runs.route(id, 'main', strategy, []);
  await answer(0);
  await done;
  const kept = main().trace;
  const stopped = runs.route(id, 'main', { name: 'base' }, []);
  await settle();
  runs.stop(id);
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  expect(main()).toMatchObject({ running: undefined, error: undefined, trace: kept });
});

it('keeps the newer of two runs on one side', async () => {
  const older = runs.route(id, 'main', strategy, []);
  await settle();
  const newer = runs.route(id, 'main', { name: 'base' }, []);
  await expect(older).rejects.toMatchObject({ code: 'cancelled' });
  expect(main().running).toBeDefined();
  await answer(1);
  await newer;
  expect(main().trace!.router.name).toBe('base');
});

it('shows a failure and throws it', async () => {
  const failing = runs.route(id, 'main', strategy, []);
  failing.catch(() => {});
  await settle();
  engine.asked[0]!.fail(new Error('boom'));
  await expect(failing).rejects.toMatchObject({ code: 'internal' });
  expect(main()).toMatchObject({ running: undefined, error: { code: 'internal', message: 'boom' } });
});

it('keeps the last tokens that were written when generating is stopped', async () => {
  const stopped = runs.generate(id, { maxTokens: 9 });
  await settle();
  const { options, request } = engine.asked[0]!;
  options.onPartial?.(fakeTrace({ ...request, text: 'ab!' }));
  options.onPartial?.(fakeTrace({ ...request, text: 'ab!!' }));
  runs.stop(id);
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  expect(main().trace!.sequences[0]!.text).toBe('ab!!');
  // Why there is no more is not the model's doing.
  expect(main().generated!.asked).toBeUndefined();
});

it('says of a text that ends where the model can read no more that it is full', async () => {
  for (const [maxTokens, isFull] of [
    [61, undefined],
    [62, true],
  ] as const) {
    const generated = runs.generate(id, { maxTokens });
    await answer(engine.asked.length);
    await generated;
    expect(main().generated).toMatchObject({ asked: maxTokens });
    expect(main().generated!.isFull).toBe(isFull);
  }
});

describe('what the model wrote under a what-if', () => {
  let generating: Promise<void>;
  beforeEach(async () => {
    store.patchSide(id, 'main', { interventions: [knockOut] });
    generating = runs.generate(id, { maxTokens: 3 });
    await answer(0);
  });
  const texts = () => [main().trace, main().before].map((trace) => trace?.sequences[0]!.text);
  const asked = () => engine.asked.map(({ request }) => [request.text, request.interventions]);

  it('is routed without it, too, so that its effect can be told', async () => {
    const finished = vi.fn<(routed: Routed) => void>();
    runs.onDidFinish(finished);
    expect(texts()).toEqual(['ab!!!', undefined]);
    engine.asked[1]!.options.onProgress?.(1, 5);
    expect(main().running).toEqual({ what: 'route', done: 1, total: 5 });
    const { trace } = main();
    await answer(1);
    await generating;
    expect(asked()).toEqual([
      ['ab', [knockOut]],
      ['ab!!!', undefined],
    ]);
    expect(texts()).toEqual(['ab!!!', 'ab!!!']);
    expect(main()).toMatchObject({ running: undefined, error: undefined, generated: { asked: 3 } });
    expect(main().trace).toBe(trace);
    // Shown again, the run has its effect.
    expect(finished.mock.lastCall![0].main.before).toBe(main().before);
  });

  it('stays if it cannot be routed, which has not failed; asked for again, only that is run', async () => {
    engine.asked[1]!.fail(new GanderError('request-invalid', 'Too long.', 'Cut it.'));
    await generating;
    expect(main()).toMatchObject({ running: undefined, error: undefined, before: undefined });
    expect(log).toContain('generate: not routed without interventions (request-invalid)');
    const { trace } = main();
    const again = runs.route(id, 'main', strategy, [knockOut]);
    await answer(2);
    await again;
    expect(asked().slice(2)).toEqual([['ab!!!', undefined]]);
    expect(main().trace).toBe(trace);
    expect(texts()).toEqual(['ab!!!', 'ab!!!']);
  });

  it('stays if that is stopped', async () => {
    runs.stop(id);
    await expect(generating).rejects.toMatchObject({ code: 'cancelled' });
    expect(texts()).toEqual(['ab!!!', undefined]);
    expect(main()).toMatchObject({ running: undefined, error: undefined, generated: { asked: 3 } });
  });
});

describe('what the model wrote', () => {
  const shown = () => main().trace!.sequences[0]!.text;
  beforeEach(async () => {
    const generated = runs.generate(id, { maxTokens: 3 });
    await answer(0);
    await generated;
  });

  it('is routed with the text under a what-if and under another strategy, with and without the what-if', async () => {
    expect(writtenIn(main())).toBe('!!!');
    expect(main().generated!.asked).toBe(3);
    const what = runs.route(id, 'main', strategy, [knockOut]);
    await answer(1);
    await answer(2);
    await what;
    expect(engine.asked.slice(1).map(({ request }) => [request.text, request.interventions])).toEqual([
      ['ab!!!', undefined],
      ['ab!!!', [knockOut]],
    ]);
    expect([shown(), main().before!.sequences[0]!.text, writtenIn(main())]).toEqual(['ab!!!', 'ab!!!', '!!!']);
    // What the document has is still only what was given.
    expect([main().text, store.get(id)!.stale]).toEqual(['ab', false]);
    const base = runs.route(id, 'main', { name: 'base' }, []);
    await answer(3);
    await base;
    expect(engine.asked[3]!.request).toMatchObject({ text: 'ab!!!', strategy: { name: 'base' } });
  });

  it('is there again, as it was and at once, when the what-if is undone, also after several', async () => {
    const generated = main().trace;
    const twice = [knockOut, { action: 'force', expert: 'b', scope: {} }] as const;
    for (const interventions of [[knockOut], twice]) {
      const what = runs.route(id, 'main', strategy, interventions);
      await settle();
      for (let n = 1; n < engine.asked.length; n++) await answer(n);
      await what;
      expect(main().trace).not.toBe(generated);
    }
    const asked = engine.asked.length;
    await runs.route(id, 'main', strategy, []);
    expect(main().trace).toBe(generated);
    expect(main()).toMatchObject({ interventions: [], before: undefined, running: undefined });
    expect(engine.asked).toHaveLength(asked);
  });

  it('is routed again instead if another model is in use by now', async () => {
    const what = runs.route(id, 'main', strategy, [knockOut]);
    await answer(1);
    await answer(2);
    await what;
    vi.spyOn(service, 'describe').mockResolvedValue({ ...(await service.describe()), name: 'Another' });
    const before = main().before;
    // What was asked before is known.
    await runs.route(id, 'main', strategy, []);
    expect(main().trace).toBe(before);
    expect([shown(), writtenIn(main())]).toEqual(['ab!!!', '!!!']);
  });

  it('goes on from what was given when it is generated anew', async () => {
    const again = runs.generate(id, { maxTokens: 1 });
    await answer(1);
    await again;
    expect([engine.asked[1]!.request.text, shown()]).toEqual(['ab', 'ab!']);
  });

  it('is compared and attributed with the text', async () => {
    const attributed = runs.attribute(id);
    await answer(1);
    expect((await attributed)!.change).toHaveLength(2 * 'ab!!!'.length);
    const compared = runs.compare(id, { ...main(), title: 'base', strategy: { name: 'base' } });
    await answer(2);
    await compared;
    expect(engine.asked.slice(1).map(({ request }) => request.text)).toEqual(['ab!!!', 'ab!!!']);
    const other = store.get(id)!.other!;
    expect([other.trace!.sequences[0]!.text, writtenIn(other)]).toEqual(['ab!!!', '!!!']);
    // Another text has nothing to do with it.
    const another = runs.compare(id, { ...main(), text: 'cd', title: 'cd' });
    await answer(3);
    await another;
    expect([engine.asked[3]!.request.text, store.get(id)!.other!.trace!.sequences[0]!.text]).toEqual(['cd', 'cd']);
  });

  it('is compared with another model, which reads it, too', async () => {
    const route = vi.fn((request: RouteRequest) => Promise.resolve(fakeTrace(request)));
    await runs.compareElsewhere(id, { title: 'Elsewhere', strategy: { name: 'base' } }, { route });
    expect(route.mock.calls[0]![0].text).toBe('ab!!!');
  });

  it('is not attributed if the model wrote other tokens than the tokenizer makes of it, which the first part tells', async () => {
    const { trace } = main();
    const [sequence] = trace!.sequences;
    const logProb = Float32Array.of(NaN, -1, -1, -9, -1);
    store.patchSide(id, 'main', { trace: { ...trace!, sequences: [{ ...sequence!, logProb }] } });
    const asked = runs.attribute(id);
    await settle();
    engine.asked[1]!.options.onPartial?.({
      experts: [pool.experts[0]!],
      logProb: Float32Array.of(NaN, -1, -1, -1, -1),
      change: new Float32Array(5),
      of: 2,
    } as never);
    await expect(asked).rejects.toMatchObject({
      code: 'request-invalid',
      remedy: 'Insert the generated text into the document and route it there.',
    });
    expect([main().attribution, main().error?.code]).toEqual([undefined, 'request-invalid']);
  });

  it('of an output that was given a beginning is routed as its target; one left open is written again', async () => {
    const trace = fakeTrace({ text: 'xy!', strategy });
    const generated = { trace, strategy, interventions: [], model: pool.name };
    store.patchSide(id, 'main', { output: { target: 'xy' }, trace, generated });
    runs.route(id, 'main', strategy, [knockOut]).catch(() => {});
    await settle();
    expect(engine.asked[1]!.request).toMatchObject({ text: 'ab', target: 'xy!' });
    store.patchSide(id, 'main', { output: { maxTokens: 5 }, trace, generated });
    runs.route(id, 'main', strategy, [knockOut]).catch(() => {});
    await settle();
    expect(engine.asked[2]!.request).toMatchObject({ text: 'ab', maxTokens: 5 });
    expect(engine.asked[2]!.request.target).toBeUndefined();
  });
});

it('attributes, compares and closes the comparison', async () => {
  const attributed = runs.attribute(id);
  await answer(0);
  expect((await attributed)!.experts).toHaveLength(2);
  expect(main().attribution).toBeDefined();
  const compared = runs.compare(id, { text: 'cd', title: 'other', strategy, interventions: [] });
  await answer(1);
  await compared;
  expect(store.get(id)!.other!.trace!.sequences[0]!.text).toBe('cd');
  runs.closeCompare(id);
  expect(store.get(id)!.other).toBeUndefined();
});

describe('a lens', () => {
  beforeEach(() => {
    store.patchSide(id, 'main', { trace: fakeTrace({ text: 'abcd', strategy }) });
  });
  const tokens = () => main().lenses?.map(({ token }) => token);

  it('reads the shown text, including what was written, and the last few are kept', async () => {
    for (const [n, token] of [0, 1, 0].entries()) {
      const asked = runs.lens(id, token);
      // What is known is not asked again.
      if (n < 2) await answer(n);
      await asked;
    }
    expect(engine.asked.map(({ request }) => request)).toEqual([
      { text: 'abcd', strategy, interventions: [], token: 0 },
      { text: 'abcd', strategy, interventions: [], token: 1 },
    ]);
    expect(tokens()).toEqual([0, 1]);
  });

  it('is dropped with the run that it belongs to', async () => {
    const asked = runs.lens(id, 0);
    await answer(0);
    await asked;
    const routed = runs.route(id, 'main', strategy, []);
    expect(tokens()).toBeUndefined();
    await answer(1);
    await routed;
  });

  it('can be stopped, and then leaves nothing', async () => {
    const stopped = runs.lens(id, 0);
    await settle();
    expect(main().running).toEqual({ what: 'lens', done: 0, total: 0 });
    runs.stop(id);
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    expect([main().running, main().error, tokens()]).toEqual([undefined, undefined, undefined]);
  });

  it('is refused if the model wrote other tokens than the tokenizer makes of the text', async () => {
    const { trace } = main();
    const [sequence] = trace!.sequences;
    const written = { ...sequence!.tokens, ids: Int32Array.of(97, 7, 99, 100) };
    store.patchSide(id, 'main', { trace: { ...trace!, sequences: [{ ...sequence!, tokens: written }] } });
    const asked = runs.lens(id, 2);
    await settle();
    engine.asked[0]!.answer();
    await expect(asked).rejects.toMatchObject({ code: 'request-invalid' });
    expect(main().error?.message).toContain('other tokens');
  });
});

it('keeps the experts that are done when an attribution is stopped, and how many there are', async () => {
  const part = (e: number): Attribution => ({
    experts: [pool.experts[e]!],
    logProb: Float32Array.of(-1, -2),
    change: Float32Array.of(NaN, e - 1),
    of: 2,
  });
  const stopped = runs.attribute(id);
  await settle();
  engine.asked[0]!.options.onPartial?.(part(1) as never);
  runs.stop(id);
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  expect(main().attribution).toEqual({ ...part(1), change: Float32Array.of(NaN, 0) });

  // Once another run has replaced it, it does not come back.
  const replaced = runs.attribute(id);
  await settle();
  engine.asked[1]!.options.onPartial?.(part(0) as never);
  const routed = runs.route(id, 'main', strategy, [knockOut]);
  await expect(replaced).rejects.toMatchObject({ code: 'cancelled' });
  expect(main().attribution).toBeUndefined();
  await answer(2);
  await answer(3);
  await routed;
});

describe('a comparison with and without a what-if', () => {
  const compareWithout = async () => {
    const done = runs.route(id, 'main', strategy, [knockOut]);
    await answer(0);
    await answer(1);
    await done;
    const compared = runs.compare(id, { text: 'ab', title: 'without', strategy, interventions: [] });
    await settle();
    if (engine.asked[2]) await answer(2);
    await compared;
    expect(store.get(id)!.other!.trace).toBeDefined();
  };
  const again = async (...interventions: Intervention[]) => {
    const from = engine.asked.length;
    const done = runs.route(id, 'main', strategy, interventions);
    for (let n = from; n < from + 2; n++) {
      await settle();
      engine.asked[n]?.answer();
    }
    await done;
  };

  it('ends where the what-if is undone, and not for another', async () => {
    await compareWithout();
    await again({ ...knockOut, expert: 'b' });
    expect(store.get(id)!.other).toBeDefined();
    await again();
    expect(main()).toMatchObject({ interventions: [], running: undefined });
    expect(store.get(id)!.other).toBeUndefined();
  });

  it('with another model’s run of the same text stays', async () => {
    await compareWithout();
    store.patchSide(id, 'other', { model: 'another' });
    await again();
    expect(store.get(id)!.other).toBeDefined();
  });
});

it('refuses to compare a run with itself', async () => {
  await expect(runs.compare(id, { ...main(), title: 'again' })).rejects.toMatchObject({ code: 'request-invalid' });
  expect(store.get(id)!.other).toBeUndefined();
  expect(engine.asked).toHaveLength(0);
});

it('refuses to compare the run of another model than the one in use, and says what helps', async () => {
  store.patchSide(id, 'main', { model: 'Goose 7B' });
  const compared = runs.compare(id, { ...main(), title: 'base', strategy: { name: 'base' } });
  await expect(compared).rejects.toMatchObject({
    code: 'request-invalid',
    message: `This is a run of Goose 7B; ${pool.name} has been chosen since.`,
    remedy: `Route again with ${pool.name}, then compare.`,
  });
  expect(store.get(id)!.other).toBeUndefined();
  expect(engine.asked).toHaveLength(0);
});

it("does not show another run's trace under the title of the other side", async () => {
  const routed = runs.route(id, 'main', strategy, []);
  await answer(0);
  await routed;
  const compared = runs.compare(id, { ...main(), title: 'base', strategy: { name: 'base' } });
  await settle();
  expect(store.get(id)!.other).toMatchObject({ title: 'base', strategy: { name: 'base' } });
  expect(store.get(id)!.other!.trace).toBeUndefined();
  await answer(1);
  await compared;
  expect(store.get(id)!.other!.trace).toBeDefined();
});

it('does nothing for a range that is gone', async () => {
  store.remove(id);
  await runs.route(id, 'main', strategy, []);
  await runs.generate(id, { maxTokens: 1 });
  expect(await runs.attribute(id)).toBeUndefined();
  expect(engine.asked).toHaveLength(0);
});

it('ends everything when it is disposed', async () => {
  const running = runs.route(id, 'main', strategy, []);
  await settle();
  runs.dispose();
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
});

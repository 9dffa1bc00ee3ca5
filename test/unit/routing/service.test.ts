import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RoutingService } from '../../../src/routing/service.js';
import { GanderError } from '../../../src/errors/errors.js';
import { ChildSource } from '../../../src/source/child.js';
import { FileSource } from '../../../src/source/file.js';
import { FakeEngine, settle } from './fakes.js';

const strategy = { name: 'phatgoose', k: 1 } as const;
let engine: FakeEngine;
let source: ChildSource;
let service: RoutingService;

beforeEach(() => {
  engine = new FakeEngine();
  source = new ChildSource(engine);
  service = new RoutingService(() => source);
});

describe('idle', () => {
  it('is a service once every run has ended, one way or the other', async () => {
    const heard = vi.fn();
    const runs = [service.route({ text: 'ab', strategy }), service.route({ text: 'abc', strategy })];
    void service.idle().then(heard);
    await settle();
    engine.asked[0]!.answer();
    await runs[0];
    await settle();
    expect(heard).not.toHaveBeenCalled();
    engine.asked[1]!.fail(new GanderError('internal', 'It broke.', 'Report it.'));
    await expect(runs[1]).rejects.toThrow('It broke.');
    await vi.waitFor(() => expect(heard).toHaveBeenCalled());
  });

  it('is not a service that was only asked what it is by someone who then routes', async () => {
    const heard = vi.fn();
    const routed = service.describe().then(() => service.route({ text: 'ab', strategy }));
    await service.describe();
    void service.idle().then(heard);
    await settle();
    expect(heard).not.toHaveBeenCalled();
    engine.asked[0]!.answer();
    await routed;
    await vi.waitFor(() => expect(heard).toHaveBeenCalled());
  });
});

describe('sharing', () => {
  it('runs once for callers that ask the same at the same time', async () => {
    const both = [service.route({ text: 'ab', strategy }), service.route({ text: 'ab', strategy, interventions: [] })];
    await settle();
    expect(engine.asked).toHaveLength(1);
    engine.asked[0]!.answer();
    const [one, other] = await Promise.all(both);
    expect(one).toBe(other);
  });

  it('does not ask again for what is known', async () => {
    const first = service.route({ text: 'ab', strategy });
    await settle();
    engine.asked[0]!.answer();
    expect(await service.route({ text: 'ab', strategy })).toBe(await first);
    expect(engine.asked).toHaveLength(1);
  });

  it('runs separately what differs in text, strategy or interventions', async () => {
    void service.route({ text: 'ab', strategy });
    void service.route({ text: 'abc', strategy });
    void service.route({ text: 'ab', strategy: { name: 'base' } });
    void service.route({ text: 'ab', strategy, interventions: [{ action: 'knock-out', expert: 'a', scope: {} }] });
    void service.attribute({ text: 'ab', strategy });
    await settle();
    expect(engine.asked).toHaveLength(5);
  });

  it('passes progress and partial results on to every caller', async () => {
    const onProgress = [vi.fn(), vi.fn()];
    const onPartial = vi.fn();
    void service.route({ text: 'ab', strategy }, { onProgress: onProgress[0]! });
    void service.route({ text: 'ab', strategy }, { onProgress: onProgress[1]!, onPartial });
    await settle();
    engine.asked[0]!.options.onProgress?.(1, 2);
    engine.asked[0]!.options.onPartial?.({} as never);
    expect(onProgress[0]).toHaveBeenCalledWith(1, 2);
    expect(onProgress[1]).toHaveBeenCalledWith(1, 2);
    expect(onPartial).toHaveBeenCalledOnce();
  });
});

describe('a listener that fails', () => {
  const fails = [
    () => {
      throw new Error('mine');
    },
    () => Promise.reject(new Error('mine')),
  ];

  it.each(fails)('ends its own wait, and the run goes on for the others', async (onPartial) => {
    const failing = service.route({ text: 'ab', strategy }, { onPartial });
    const heard = vi.fn();
    const other = service.route({ text: 'ab', strategy }, { onPartial: heard });
    await settle();
    engine.asked[0]!.options.onPartial?.({} as never);
    await expect(failing).rejects.toMatchObject({ code: 'request-invalid', message: /mine/ });
    expect(heard).toHaveBeenCalledOnce();
    expect(engine.asked[0]!.options.signal?.aborted).toBe(false);
    engine.asked[0]!.answer();
    expect((await other).sequences[0]!.text).toBe('ab');
  });

  it.each(fails)('ends the run when nobody else waits', async (onPartial) => {
    const failing = service.route({ text: 'ab', strategy }, { onPartial });
    await settle();
    engine.asked[0]!.options.onPartial?.({} as never);
    await expect(failing).rejects.toMatchObject({ code: 'request-invalid' });
    expect(engine.asked[0]!.options.signal?.aborted).toBe(true);
  });
});

describe('cancelling', () => {
  it('goes on for the others when one gives up', async () => {
    const abort = new AbortController();
    const given = service.route({ text: 'ab', strategy }, { signal: abort.signal });
    const kept = service.route({ text: 'ab', strategy });
    await settle();
    abort.abort();
    await expect(given).rejects.toMatchObject({ code: 'cancelled' });
    engine.asked[0]!.answer();
    expect((await kept).sequences[0]!.text).toBe('ab');
  });

  it('ends the run when all have given up, and a new caller starts a new one', async () => {
    const abort = new AbortController();
    const given = service.route({ text: 'ab', strategy }, { signal: abort.signal });
    await settle();
    abort.abort();
    const next = service.route({ text: 'ab', strategy });
    await expect(given).rejects.toMatchObject({ code: 'cancelled' });
    await settle();
    expect(engine.asked).toHaveLength(2);
    expect(engine.asked[0]!.options.signal?.aborted).toBe(true);
    engine.asked[1]!.answer();
    await next;
  });

  it('does not start for a signal that has fired', async () => {
    await expect(service.route({ text: 'ab', strategy }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(engine.asked).toHaveLength(0);
  });
});

describe('failing', () => {
  it('rejects with a GanderError and asks again next time', async () => {
    const failing = service.route({ text: 'ab', strategy });
    await settle();
    engine.asked[0]!.fail(new Error('boom'));
    await expect(failing).rejects.toMatchObject({ code: 'internal', message: 'boom' });
    void service.route({ text: 'ab', strategy });
    await settle();
    expect(engine.asked).toHaveLength(2);
  });

  it('rejects, not throws, when the engine throws at once', async () => {
    const broken = new RoutingService(() => {
      throw new GanderError('engine-unavailable', 'gone', 'restart');
    });
    await expect(broken.route({ text: 'ab', strategy })).rejects.toMatchObject({ code: 'engine-unavailable' });
    await expect(broken.pool()).rejects.toMatchObject({ code: 'engine-unavailable' });
  });

  it('does not remember that the pool could not be read', async () => {
    engine.poolError = new GanderError('pool-missing', 'no pool', 'choose one');
    await expect(service.pool()).rejects.toMatchObject({ code: 'pool-missing' });
    engine.poolError = undefined;
    expect((await service.pool()).id).toBe('fake');
    await service.pool();
    expect(engine.poolCalls).toBe(2);
  });
});

it('tells listeners what the source is, and when it cannot be asked', async () => {
  const told: (string | undefined)[] = [];
  const unlisten = service.onDescribed((description) => told.push(description?.name));
  await service.pool();
  service.forget();
  source = new ChildSource(engine);
  engine.poolError = new GanderError('pool-missing', 'no pool', 'choose one');
  await expect(service.pool()).rejects.toMatchObject({ code: 'pool-missing' });
  unlisten();
  engine.poolError = undefined;
  await service.pool();
  expect(told).toEqual(['Fake', undefined]);
});

it('says why the source cannot do what is asked', async () => {
  service = new RoutingService(() => new FileSource('a trace'));
  const refused = { code: 'request-invalid', message: 'This is a trace file: nothing can be run in it.' };
  await expect(service.route({ text: 'ab', strategy })).rejects.toMatchObject(refused);
  await expect(service.attribute({ text: 'ab', strategy })).rejects.toMatchObject(refused);
  await expect(service.generate({ text: 'ab', strategy, maxTokens: 1 })).rejects.toMatchObject(refused);
  await expect(service.pool()).rejects.toMatchObject({ message: 'a trace is not a pool on this machine.' });
});

it('forgets everything when the pool is replaced', async () => {
  const old = service.route({ text: 'ab', strategy });
  await settle();
  service.forget();
  await expect(old).rejects.toMatchObject({ code: 'cancelled' });
  void service.route({ text: 'ab', strategy });
  await settle();
  expect(engine.asked).toHaveLength(2);
});

it('keeps no more than the limit', async () => {
  service = new RoutingService(() => source, 1);
  const first = service.route({ text: 'ab', strategy });
  await settle();
  engine.asked[0]!.answer();
  await first;
  void service.route({ text: 'ab', strategy });
  await settle();
  expect(engine.asked).toHaveLength(2);
});

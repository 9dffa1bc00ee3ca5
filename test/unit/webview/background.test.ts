import { effect } from '@preact/signals-core';
import { describe, expect, test, vi } from 'vitest';
import type { Asking } from '../../../src/channel/messages.js';
import { partners } from '../../../src/trace/alignment/align.js';
import { differences, perform, type Task } from '../../../webview/background/tasks.js';
import { Background, type Helper } from '../../../webview/background/background.js';
import { fabricate, fabricateIds, spelled } from '../trace/fabricate.js';

/** A worker that answers when a test tells it to. */
class Held implements Helper {
  readonly asked: Extract<Asking, { type: 'call' }>[] = [];
  #listener: ((event: { readonly data: unknown }) => void) | undefined;

  postMessage(message: unknown): void {
    this.asked.push(structuredClone(message) as (typeof this.asked)[number]);
  }

  addEventListener(_: 'message', listener: (event: { readonly data: unknown }) => void): void {
    this.#listener = listener;
  }

  answer(): void {
    const { id, request } = this.asked.shift()!;
    this.#listener!({ data: { type: 'result', id, result: perform(request as Task) } });
  }

  fail(): void {
    const error = { code: 'internal', message: 'out of memory', remedy: '' };
    this.#listener!({ data: { type: 'error', id: this.asked.shift()!.id, error } });
  }
}

describe('partners', () => {
  test('are found in both directions, for each text', () => {
    const [a, b] = [spelled(['a', ' b', ' c']), spelled(['a', ' c', ' d'])];
    const [found] = partners(a, b);
    expect([...found!.of]).toEqual([0, -1, 1]);
    expect([...found!.back]).toEqual([0, 2, -1]);
    expect(partners(fabricateIds(), fabricateIds({ seed: 5 }))).toHaveLength(2);
  });
});

describe('short texts', () => {
  const background = () =>
    new Background(
      () => {
        throw new Error('hired for nothing');
      },
      () => {},
    );

  test('are compared at once, and only once', () => {
    const [a, b] = [fabricate(), fabricate({ seed: 4 })];
    const own = background();
    const found = own.differences(a, b);
    expect(found).toEqual(differences(a, b));
    expect(own.differences(a, b)).toBe(found);
  });

  test('keep an alignment as long as the number of tokens is the same', () => {
    const [a, b] = [fabricate(), fabricate({ seed: 4 })];
    const own = background();
    const first = own.partners(a, b);
    expect(own.partners({ ...a, created: 'later' }, b)).toBe(first);
    const fewer = { ...a, sequences: [{ ...a.sequences[0]!, done: 3 }] };
    expect(own.partners(fewer, b)).not.toBe(first);
  });
});

describe('long texts', () => {
  // With limits of 0, everything counts as long, so that the test need not wait.
  const limit = { partners: 0, differences: 0 };
  const [a, b] = [fabricate(), fabricate({ seed: 4 })];

  test('go to the worker, one after the other, and each caller gets its answer', async () => {
    const helper = new Held();
    const hire = vi.fn(() => helper);
    const background = new Background(hire, () => {}, limit);
    expect(background.differences(a, b)).toBeUndefined();
    const seen: (number | undefined)[] = [];
    const end = effect(() => {
      seen.push(background.differences(a, b)?.[0]!.all.cells);
    });
    expect(helper.asked.map(({ name }) => name)).toEqual(['partners']);
    helper.answer();
    await vi.waitFor(() => {
      expect(helper.asked.map(({ name }) => name)).toEqual(['differences']);
    });
    helper.answer();
    await vi.waitFor(() => {
      expect(seen.at(-1)).toBe(differences(a, b)[0]!.all.cells);
    });
    end();
    expect(background.differences(a, b)).toEqual(differences(a, b));
    expect(helper.asked).toEqual([]);
    expect(hire).toHaveBeenCalledTimes(1);
  });

  test('report a worker that fails', async () => {
    const helper = new Held();
    const failed = vi.fn();
    const background = new Background(() => helper, failed, limit);
    expect(background.partners(a, b)).toBeUndefined();
    helper.fail();
    await vi.waitFor(() => {
      expect(failed).toHaveBeenCalledWith('out of memory');
    });
  });
});

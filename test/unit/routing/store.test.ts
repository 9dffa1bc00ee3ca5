import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Change } from '../../../src/routing/positions.js';
import { RoutingStore } from '../../../src/routing/store.js';
import { fakeTrace } from './fakes.js';

const strategy = { name: 'phatgoose', k: 1 } as const;
let store: RoutingStore;
let document: string;

const edit = (...changes: Change[]) => {
  for (const { offset, length, text } of changes)
    document = document.slice(0, offset) + text + document.slice(offset + length);
  store.edit('d', changes, ({ start, end }) => document.slice(start, end));
};
const route = (start: number, end: number) => {
  const text = document.slice(start, end);
  return store.add({
    uri: 'd',
    version: 1,
    span: { start, end },
    main: { text, title: 't', strategy, interventions: [], trace: fakeTrace({ text, strategy }) },
  }).id;
};
const shown = (id: number) => {
  const { start, end } = store.tokenSpans(id)!;
  return [...start].map((s, t) => (s < 0 ? '·' : document.slice(s, end[t]))).join('');
};

beforeEach(() => {
  store = new RoutingStore();
  document = 'one two three';
});

describe('under edits', () => {
  it('moves with what is typed before', () => {
    const id = route(4, 7);
    edit({ offset: 0, length: 0, text: 'zero ' });
    expect(store.get(id)).toMatchObject({ span: { start: 9, end: 12 }, stale: false });
    expect(shown(id)).toBe('two');
  });

  it('goes stale, and is fresh again when the edit is undone', () => {
    const id = route(4, 7);
    edit({ offset: 5, length: 1, text: 'X' });
    expect(store.get(id)!.stale).toBe(true);
    expect(shown(id)).toBe('t·o');
    edit({ offset: 5, length: 1, text: 'w' });
    expect(store.get(id)!.stale).toBe(false);
    expect(shown(id)).toBe('two');
  });

  it('keeps what is before the change fresh, up to the word that was changed', () => {
    const id = route(0, 13);
    edit({ offset: 9, length: 1, text: 'X' });
    expect(document).toBe('one two tXree');
    expect(store.get(id)).toMatchObject({ stale: true, fresh: 'one two'.length });
    edit({ offset: 0, length: 1, text: 'O' });
    expect(store.get(id)!.fresh).toBe(0);
    edit({ offset: 0, length: 1, text: 'o' }, { offset: 9, length: 1, text: 'h' });
    expect(store.get(id)).toMatchObject({ stale: false, fresh: 13 });
  });

  it('keeps nothing fresh of a text that an encoder has read, because it looks ahead', () => {
    const id = route(0, 13);
    const { trace } = store.get(id)!.main;
    store.patchSide(id, 'main', { trace: { ...trace!, sequences: [trace!.sequences[0]!, trace!.sequences[0]!] } });
    edit({ offset: 9, length: 1, text: 'X' });
    expect(store.get(id)).toMatchObject({ stale: true, fresh: 0 });
  });

  it('places tokens by all edits, even if they are first asked for later', () => {
    const id = route(4, 13);
    edit({ offset: 5, length: 1, text: '' });
    edit({ offset: 0, length: 4, text: '' });
    expect(document).toBe('to three');
    expect(shown(id)).toBe('t·o three');
    edit({ offset: 0, length: 0, text: '>' });
    expect(shown(id)).toBe('t·o three');
  });

  it('follows several carets at once', () => {
    const id = route(4, 7);
    // As the editor reports them: from the end of the document to its start.
    edit({ offset: 10, length: 0, text: '_' }, { offset: 1, length: 0, text: '_' });
    expect(store.get(id)).toMatchObject({ span: { start: 5, end: 8 }, stale: false });
  });

  it('survives if everything is deleted', () => {
    const id = route(0, 13);
    edit({ offset: 0, length: 13, text: '' });
    expect(store.get(id)).toMatchObject({ span: { start: 0, end: 0 }, stale: true });
    expect(shown(id)).toBe('·'.repeat(13));
    expect(store.tokenAt(id, 0)).toBeUndefined();
  });

  it('says nothing about edits in another document or after the range', () => {
    route(4, 7);
    const heard = vi.fn();
    store.onChange(heard);
    edit({ offset: 8, length: 1, text: 'T' });
    store.edit('other', [{ offset: 0, length: 1, text: '' }], () => '');
    expect(heard).not.toHaveBeenCalled();
  });
});

describe('ranges of one document', () => {
  it('stand beside each other when they do not overlap', () => {
    const ids = [route(0, 3), route(4, 7)];
    expect(store.of('d').map((r) => r.id)).toEqual(ids.reverse());
    expect(store.at('d', 5)!.span).toEqual({ start: 4, end: 7 });
    expect(store.at('d', 9)).toBeUndefined();
    expect(store.latest!.span).toEqual({ start: 4, end: 7 });
  });

  it('give way to one that covers them', () => {
    const old = route(0, 3);
    route(0, 13);
    expect(store.get(old)).toBeUndefined();
  });

  it('are kept, but not shown, for those that retain them', () => {
    const old = route(0, 3);
    const release = store.retain(old);
    const now = route(0, 13);
    expect(store.get(old)).toMatchObject({ replaced: true });
    expect(store.of('d').map((r) => r.id)).toEqual([now]);
    release();
    release();
    expect(store.get(old)).toBeUndefined();
  });
});

it('is not shown on another document that was opened under the same address', () => {
  const [kept, gone] = [route(0, 3), route(4, 7)];
  document = 'one fish';
  store.reopened('d', ({ start, end }) => document.slice(start, end));
  expect(store.of('d').map((r) => r.id)).toEqual([kept]);
  expect(store.get(gone)).toBeUndefined();
});

describe('tokens', () => {
  it('are found at an offset', () => {
    const id = route(4, 7);
    expect([3, 4, 6, 7].map((offset) => store.tokenAt(id, offset))).toEqual([undefined, 0, 2, undefined]);
  });

  it('that the model wrote are not in the document', () => {
    const id = route(4, 7);
    store.patchSide(id, 'main', { trace: fakeTrace({ text: 'two more', strategy }) });
    expect(shown(id)).toBe('two·····');
  });
});

it('ignores late results for a range that is gone', () => {
  const id = route(0, 3);
  store.remove(id);
  store.patchSide(id, 'main', { running: undefined });
  expect(store.tokenSpans(id)).toBeUndefined();
  expect(store.latest).toBeUndefined();
  expect(store.of('d')).toEqual([]);
});

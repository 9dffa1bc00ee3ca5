import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initial, restore, type View } from '../../../webview/store/state.js';

describe('what is remembered', () => {
  const view: View = {
    ...initial,
    tab: 'summary',
    selection: { sequence: 1, token: 3, layer: 'decoder 4', module: 7 },
    filter: { experts: ['sql'], layers: [2, 5], kinds: ['q'], weight: 0.2, margin: 0.1 },
    expanded: ['3'],
    zoom: { width: 3, height: 4, token: 1.5, row: 2 },
    colouring: 'entropy',
    pinned: ['87'],
    tables: ['usage'],
  };

  test('comes back as it was', () => {
    expect(restore(JSON.parse(JSON.stringify(view)))).toEqual(view);
    expect(restore({ ...view, expanded: 'all', zoom: null })).toEqual({ ...view, expanded: 'all', zoom: null });
  });

  test('of another version is dropped', () => {
    expect(restore({ ...view, version: 1 })).toBe(initial);
    for (const nothing of [undefined, null, 'text', 7]) expect(restore(nothing)).toBe(initial);
  });

  test('fields of the wrong type fall back one by one', () => {
    const broken = { ...view, tab: 'nowhere', selection: { token: 'x' }, filter: 7, zoom: { width: 'w' }, pinned: [1] };
    expect(restore(broken)).toEqual({
      ...view,
      tab: initial.tab,
      selection: initial.selection,
      filter: initial.filter,
      zoom: null,
      pinned: [],
    });
    expect(restore({ ...view, textShare: NaN }).textShare).toBe(initial.textShare);
    expect(restore({ ...view, colouring: 'fancy' }).colouring).toBe('experts');
  });

  test('whatever was kept, what comes back can be drawn', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(initial)), fc.jsonValue()), (kept) => {
        const restored = restore({ ...kept, version: 2 });
        for (const key of Object.keys(initial) as (keyof View)[])
          expect(typeof restored[key]).toBe(
            key === 'zoom' || key === 'expanded' ? typeof restored[key] : typeof initial[key],
          );
        expect(Number.isInteger(restored.selection.token) || Number.isFinite(restored.selection.token)).toBe(true);
        expect(Array.isArray(restored.filter.experts)).toBe(true);
      }),
    );
  });
});

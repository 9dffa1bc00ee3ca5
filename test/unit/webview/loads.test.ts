import { describe, expect, test } from 'vitest';
import { usage } from '../../../src/trace/figures/usage.js';
import { load } from '../../../src/statistics/load.js';
import { initial } from '../../../webview/store/state.js';
import { loadsOf } from '../../../webview/map/loads.js';
import { rowsOf } from '../../../webview/map/model.js';
import { fabricate, fabricateIds, sharedOf, withText } from '../trace/fabricate.js';

describe('the load beside a row', () => {
  test('is of the row’s own experts', () => {
    const trace = fabricateIds();
    const loads = loadsOf(trace, rowsOf(trace, initial.filter, []));
    expect(loads).toHaveLength(8);
    const used = usage(trace, sharedOf(trace, { stack: 'decoder', layer: 3 }));
    expect(loads[5]).toMatchObject({ load: load(used.share, used.chance) });
  });

  test('is not given for a pool, or before anything is routed', () => {
    const pool = fabricate();
    expect(loadsOf(pool, rowsOf(pool, initial.filter, []))).toEqual([undefined, undefined]);
    const none = withText(fabricateIds(), { done: 0 });
    expect(loadsOf(none, rowsOf(none, initial.filter, [])).slice(0, 4)).toEqual(Array(4).fill(undefined));
  });
});

/** Which experts a graph can reach. */
import { describe, expect, it } from 'vitest';
import { type NodeProto, int64s, node } from '../../../../src/graph/model.js';
import { unreached } from '../../../../src/graph/moe/reached.js';
import { walkOf } from '../../../../src/graph/walk.js';
import { graphOf } from './graphs.js';

const constants = [0, 1, 2, 3].map((e) => int64s(`${e}`, [e], true));
const missing = (...nodes: NodeProto[]) => unreached(walkOf(graphOf(nodes, { constants })), 'places', 4);
const hot = [node('OneHot', ['places', 'depth', 'values'], ['hot']), node('Transpose', ['hot'], ['by expert'])];
const taken = (e: number) => node('Gather', ['by expert', `${e}`], [`mask ${e}`], { axis: 0 });

describe('experts that a graph cannot reach', () => {
  it('are found in an unrolled loop', () => {
    expect(missing(...hot, taken(0), taken(1), taken(3))).toEqual([2]);
    expect(missing(...hot, ...[0, 1, 2, 3].map(taken))).toEqual([]);
  });

  it('are found if each has a mask', () => {
    const masks = [0, 2].map((e) => node('Equal', ['places', `${e}`], [`is ${e}`]));
    expect(missing(...masks)).toEqual([1, 3]);
  });

  it('do not exist if a graph does not go expert by expert', () => {
    expect(missing(...hot)).toEqual([]);
    expect(missing(node('Gather', ['places', '0'], ['first'], { axis: 1 }))).toEqual([]);
  });
});

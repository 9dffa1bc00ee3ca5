/** Whether a graph can use another k, and what is changed for it. */
import { describe, expect, it } from 'vitest';
import { Builder } from '../../../../src/graph/builder.js';
import { type NodeProto, floats, int64s, node } from '../../../../src/graph/model.js';
import { choose, separate } from '../../../../src/graph/moe/chosenCount.js';
import { findRouters } from '../../../../src/graph/moe/routers.js';
import { integerOf, integersOf, walkOf } from '../../../../src/graph/walk.js';
import { graphOf } from './graphs.js';

const [H, E, k] = [4, 8, 2];
const constants = () => [
  floats('w', [H, E], new Float32Array(H * E)),
  int64s('k', [k]),
  int64s('two', [k], true),
  int64s('zero', [0], true),
  int64s('one', [1], true),
  int64s('three', [3], true),
  int64s('flat', [-1]),
  int64s('axis', [1]),
  int64s('summed', [-1, k, H]),
  int64s('paired', [-1, k, 1]),
];
const head = [node('MatMul', ['hidden', 'w'], ['scores']), node('TopK', ['scores', 'k'], ['best', 'places'])];
const graphWith = (...nodes: NodeProto[]) => graphOf([...head, ...nodes], { constants: constants() });
const uses = (...nodes: NodeProto[]) => findRouters(graphWith(...nodes))[0]!.uses;

/** The code of transformers from the choice to the experts' sum. */
const sorted = (divisor = 'two', sum = 'summed') => [
  node('Reshape', ['places', 'flat'], ['pairs']),
  node('TopK', ['pairs', 'many'], ['experts', 'order'], { largest: 0 }),
  node('Div', ['order', divisor], ['token']),
  node('Mod', ['order', 'two'], ['rest']),
  node('Unsqueeze', ['order', 'flat'], ['index']),
  node('Range', ['zero', 'count', 'one'], ['pair']),
  node('ScatterND', ['empty', 'index', 'pair'], ['inverse']),
  node('Unsqueeze', ['inverse', 'flat'], ['back']),
  node('GatherND', ['outputs', 'back'], ['unsorted']),
  node('Reshape', ['unsorted', sum], ['by token']),
  node('ReduceSum', ['by token', 'axis'], ['y'], { keepdims: 0 }),
];

describe('another k', () => {
  it.each<[string, NodeProto[]]>([
    ['a mask over all experts', [node('Equal', ['places', 'three'], ['third'])]],
    ['one-hot places', [node('OneHot', ['places', 'three', 'values'], ['hot'])]],
    ['weights scattered to all experts', [node('ScatterElements', ['none', 'places', 'best'], ['all'])]],
    ['sorted pairs', sorted()],
  ])('is possible with %s', (_, nodes) => {
    expect(uses(...nodes)).toBeDefined();
  });

  it.each<[string, NodeProto[]]>([
    ['only the first of the places is used', [node('Gather', ['places', 'zero'], ['first'], { axis: 1 })]],
    ['weights are cut', [node('Split', ['best'], ['first', 'second'], { axis: 1 })]],
    ['weights are reshaped for k', [node('Reshape', ['best', 'paired'], ['shaped'])]],
    ['a pair’s token is its place divided by another number', sorted('three')],
    ['pairs are summed in another way', sorted('two', 'paired.unknown')],
    ['a cycle follows', [node('Cast', ['places', 'turned'], ['turned'])]],
    ['pairs are sorted twice', [...sorted(), node('TopK', ['pairs', 'many'], ['e', 'o'], { largest: 0 })]],
  ])('would be a guess if %s', (_, nodes) => {
    expect(uses(...nodes)).toBeUndefined();
  });

  it('is possible if k is 1, which leaves a division out', () => {
    const one = (opType: string, inputs: string[], outputs: string[], attributes = {}) =>
      node(
        opType,
        inputs.map((name) => ({ two: 'one', k: 'single', summed: 'alone' })[name] ?? name),
        outputs,
        attributes,
      );
    const graph = graphOf(
      [
        node('MatMul', ['hidden', 'w'], ['scores']),
        node('TopK', ['scores', 'single'], ['best', 'places']),
        ...sorted().map(({ opType, input, output, attribute }) => {
          if (opType === 'Div') return node('Sub', ['order', 'correction'], ['token']);
          return Object.assign(one(opType, input, output), { attribute });
        }),
      ],
      { constants: [...constants(), int64s('single', [1]), int64s('alone', [-1, 1, H])] },
    );
    const builder = new Builder(graph, 20);
    const written = separate(builder, findRouters(graph)[0]!.uses!, 'own');
    builder.finish();
    choose(graph, { constants: written }, 3);
    const walk = walkOf(graph);
    const division = walk.producers.get(walk.producers.get('token')!.input[0]!)!;
    expect(division).toMatchObject({ opType: 'Div', input: ['order', expect.any(String) as string] });
    expect(integerOf(walk, division.input[1])).toBe(3);
    expect(integersOf(walk, walk.producers.get('by token')!.input[1])?.values).toEqual([-1, 3, H]);
  });

  it('changes no number that other nodes use, and numbers as many pairs as there are', () => {
    const graph = graphWith(...sorted(), node('Mul', ['else', 'two'], ['twice']));
    const builder = new Builder(graph, 20);
    const constants = separate(builder, findRouters(graph)[0]!.uses!, 'own');
    builder.finish();
    choose(graph, { constants }, 3);
    const walk = walkOf(graph);
    const taken = (output: string, input = 1) => walk.producers.get(output)!.input[input];
    expect(integerOf(walk, taken('places'))).toBe(3);
    expect(integerOf(walk, taken('token'))).toBe(3);
    expect(integerOf(walk, taken('rest'))).toBe(3);
    expect(integersOf(walk, taken('by token'))?.values).toEqual([-1, 3, H]);
    expect(integerOf(walk, taken('twice'))).toBe(2);
    expect(walk.producers.get(taken(taken('inverse', 2)!)!)).toMatchObject({ opType: 'Size', input: ['order'] });
  });
});

/** What the tree says of an expert and of a token that it took. */
import { expect, test } from 'vitest';
import { ExpertTree } from '../../../src/explorer/experts.js';
import type { Node } from '../../../src/explorer/nodes.js';
import type { Intervention, Trace } from '../../../src/trace/model/trace.js';
import { fabricateMoe } from '../../webview/fabricateMoe.js';
import { fabricate, without } from '../trace/fabricate.js';

function treeOf(trace: Trace): ExpertTree {
  const nothing = () => undefined;
  const services = {
    service: {},
    store: { onChange: nothing, tokenSpans: nothing },
    engines: { onDidChangePool: nothing },
    colours: { onDidChange: nothing },
    atlases: { onDidChange: nothing, unit: nothing },
    making: { onDidChange: nothing, unfinished: [] },
    documentRouter: { current: () => ({ id: 1, uri: 'x', main: { trace, title: 'A text' } }) },
  };
  return new ExpertTree(services as never, {} as never);
}

const expertNode = (trace: Trace, index: number): Node => {
  const expert = trace.expertSets[0]!.experts[index]!;
  return { kind: 'expert', expert: { ...expert, rank: 4, bytes: 1e6 } as never, index, label: expert.name };
};

const out = (expert: string, scope: Intervention['scope'] = {}): Intervention => ({
  action: 'knock-out',
  expert,
  scope,
});

test.each([
  ['everywhere', {}, /· knocked out$/],
  ['in one layer', { layer: 1 }, /· knocked out in part$/],
  ['at one token', { token: 3 }, /· knocked out in part$/],
] as const)('an expert of a pool that is knocked out %s', (_, scope, said) => {
  const trace = fabricate({ interventions: [out('expert-1', scope)] });
  const tree = treeOf(trace);
  expect(tree.getTreeItem(expertNode(trace, 1)).description).toMatch(said);
  expect(tree.getTreeItem(expertNode(trace, 2)).description).toMatch(/^load [\d.]+%$/);
});

test('an expert of a layer that is knocked out at one token', () => {
  const trace: Trace = { ...fabricateMoe({ tokens: 60 }), interventions: [out('1.3', { token: 3 })] };
  const node: Node = { kind: 'layer-expert', layer: { layer: 1 }, expert: 3 };
  expect(treeOf(trace).getTreeItem(node).description).toMatch(/· knocked out in part$/);
});

test('a token has the number that the panel gives it', async () => {
  const tree = treeOf(fabricate());
  const nodes = await tree.getChildren({ kind: 'tokens', expert: 0, count: 1, of: 1 });
  const [first] = nodes;
  expect(first).toMatchObject({ kind: 'token' });
  const { token } = first as Extract<Node, { kind: 'token' }>;
  expect((tree.getTreeItem(first!).tooltip as string).split('\n')[0]).toBe(`Token ${token + 1}`);
});

/** The trace with all weights times this, as of a router that scales them. */
const scaled = (trace: Trace, by: number): Trace => ({
  ...trace,
  blocks: trace.blocks.map((block) => ({ ...block, weight: block.weight!.map((x) => x * by) })),
});

test('an expert of a layer has its share of what its layer gives a token, however the router scales that', async () => {
  const trace = fabricateMoe({ tokens: 60 });
  const node: Node = { kind: 'layer-expert', layer: { layer: 1 }, expert: 0 };
  const said = async (one: Trace) => {
    const tree = treeOf(one);
    return (await tree.getChildren(node)).map((token) => tree.getTreeItem(token).tooltip as string);
  };
  const own = await said(trace);
  expect(own.length).toBeGreaterThan(1);
  expect(await said(scaled(trace, 2.5))).toEqual(own);
  expect(own[0]).toMatch(/^Token \d+\n\d+% of its routing weight$/);
  // Without weights, each expert has as much of a router's choices.
  expect((await said(without(trace, 'weight')))[0]).toMatch(/^Token \d+$/);
});

test('a share of the choices is not called one of the weight', async () => {
  const tree = treeOf(without(fabricate(), 'weight'));
  const [first] = await tree.getChildren({ kind: 'tokens', expert: 0, count: 1, of: 1 });
  expect(tree.getTreeItem(first!).tooltip).toMatch(/\d% of its choices$/);
});

/** The base's ONNX graph: nodes, tensors and external data that are inconsistent, cyclic, endless or huge. */
import path from 'node:path';
import {
  DataType,
  type GraphProto,
  type NodeProto,
  graphAttribute,
  int64s,
  node,
  parseModel,
  setExternal,
  valueInfo,
  writeModel,
} from '../../src/graph/model.js';
import type { Random } from '../random.js';
import { spoiltBytes } from '../spoil/bytes.js';
import { rewrite } from '../spoil/files.js';
import type { Target } from './target.js';

const operators = [
  'Add',
  'MatMul',
  'Gemm',
  'Reshape',
  'Transpose',
  'Gather',
  'Loop',
  'If',
  'Scan',
  'Softmax',
  'LayerNormalization',
  'Concat',
  'Split',
  'Cast',
  'MatMulNBits',
  'NoSuchThing',
  'Identity',
  '',
];

const float: number = DataType.FLOAT;

function spoilTensor(graph: GraphProto, random: Random): string {
  const tensor = random.pick(graph.initializer);
  return random.do({
    'dimensions of a tensor': () =>
      (tensor.dims = random.pick([
        [2n ** 40n, 2n ** 20n],
        [-5n],
        [],
        [0n],
        [2n ** 62n, 4n],
        [...tensor.dims].reverse(),
        [...tensor.dims, 1n],
      ])),
    'type of a tensor': () => (tensor.dataType = random.below(30)),
    'bytes of a tensor': () => (tensor.rawData = tensor.rawData.subarray(random.below(9))),
    'numbers of a tensor': () => (tensor.rawData = Uint8Array.from(tensor.rawData, () => random.below(256))),
    'not a number': () => {
      if (tensor.dataType === float && tensor.rawData.length >= 4)
        tensor.rawData = new Uint8Array(
          new Float32Array(Math.floor(tensor.rawData.length / 4)).fill(random.pick([NaN, Infinity, 3e38, -3e38]))
            .buffer,
        );
    },
    'name of a tensor': () =>
      (tensor.name = random.pick(['', '\u001b[31m', 'x'.repeat(5000), random.pick(graph.initializer).name])),
    'data elsewhere': () => {
      const location = random.pick([
        '../pool.json',
        '/etc/passwd',
        'nothing.bin',
        '..',
        '',
        'config.json',
        'a/../../x',
        '/dev/zero',
        'model.onnx',
        '*/_ORT_MEM_ADDR_/*',
        'file:///etc/passwd',
      ]);
      setExternal(tensor, location, random.pick([0, -1, 2 ** 60, 4]), random.pick([64, 0, -1, 2 ** 60]));
      return location;
    },
  });
}

function spoilNode(graph: GraphProto, random: Random): string {
  const [one, other] = [random.pick(graph.node), random.pick(graph.node)];
  const attribute = one.attribute[0];
  return random.do({
    'input of a node': () => (one.input[0] = other.output[0] ?? ''),
    'a node of its own output': () => (one.input[0] = one.output[0] ?? ''),
    'output of a node': () => (one.output[0] = other.output[0] ?? ''),
    operator: () => (one.opType = random.pick(operators)),
    'operator of another domain': () =>
      (one.domain = random.pick(['com.microsoft', 'ai.onnx.ml', 'nowhere', 'x'.repeat(3000)])),
    'inputs gone': () => (one.input = []),
    'inputs many': () => (one.input = Array.from({ length: 300 }, () => other.output[0] ?? '')),
    'attributes gone': () => (one.attribute = []),
    'number of an attribute': () => {
      if (attribute) attribute.i = random.pick([-1n, 0n, 2n ** 62n, -(2n ** 62n), 7n]);
    },
    'numbers of an attribute': () => {
      if (attribute) attribute.ints = random.pick([[], [-1n], [2n ** 62n], [0n, 0n, 0n], [5n, 4n, 3n, 2n, 1n, 0n]]);
    },
    'type of an attribute': () => {
      if (attribute) Object.assign(attribute, { type: random.below(15) });
    },
    'a node gone': () => graph.node.splice(graph.node.indexOf(one), 1).length,
    'nodes in another order': () => graph.node.sort(() => random.next() - 0.5).length,
    'names of nodes': () =>
      graph.node.forEach(
        (each) =>
          (each.name = random.pick(['', each.name, '/model/layers.0/self_attn/q_proj/MatMul', '\u001b]0;x\u0007'])),
      ),
  });
}

function spoilInterface(graph: GraphProto, random: Random): string {
  const ends = random.pick([graph.input, graph.output]);
  return random.do({
    'an end gone': () => ends.splice(random.below(ends.length), 1).length,
    'name of an end': () =>
      (random.pick(ends).name = random.pick(['logits', 'input_ids', 'past_key_values.0.key', 'present.0.key', ''])),
    'shape of an end': () =>
      ends.splice(
        random.below(ends.length),
        1,
        valueInfo(
          random.pick(ends).name,
          random.pick([DataType.FLOAT, DataType.INT64, DataType.FLOAT16, DataType.STRING]),
          random.pick([[], [2 ** 40], [0, 0], ['x', -1, 3]]),
        ),
      ).length,
  });
}

/** Puts nodes before all others; their result `extra` is added to the tokens' ids. */
function before(graph: GraphProto, nodes: readonly NodeProto[], ...constants: GraphProto['initializer']): void {
  for (const { input } of graph.node)
    for (const [i, name] of input.entries()) if (name === 'input_ids') input[i] = 'ids';
  graph.node.unshift(...nodes, node('Add', ['input_ids', 'extra'], ['ids']));
  graph.initializer.push(...constants);
}

/** Reduces many numbers to one id. */
const reduced = (from: string) => [
  node('ReduceMax', [from], ['most'], { keepdims: 0 }),
  node('Cast', ['most'], ['extra'], { to: DataType.INT64 }),
];

function swell(graph: GraphProto, random: Random): string {
  const size = random.pick([2 ** 10, 2 ** 28, 2 ** 31, 2 ** 33, 2 ** 40, -1]);
  return random.do({
    ConstantOfShape: () =>
      before(graph, [node('ConstantOfShape', ['size'], ['much']), ...reduced('much')], int64s('size', [size])),
    Range: () =>
      before(
        graph,
        [node('Range', ['from', 'size', 'step'], ['much']), ...reduced('much')],
        int64s('from', [0], true),
        int64s('size', [size], true),
        int64s('step', [random.pick([1, 0])], true),
      ),
    Expand: () =>
      before(
        graph,
        [node('Expand', ['input_ids', 'size'], ['much']), ...reduced('much')],
        int64s('size', [size, 1, 1]),
      ),
    Tile: () =>
      before(graph, [node('Tile', ['input_ids', 'size'], ['much']), ...reduced('much')], int64s('size', [1, size])),
    Loop: () => {
      const loop = node('Loop', ['turns', '', 'zero'], ['extra']);
      loop.attribute.push(
        graphAttribute('body', {
          name: 'body',
          input: [
            valueInfo('turn', DataType.INT64, []),
            valueInfo('on', DataType.BOOL, []),
            valueInfo('carried', DataType.INT64, []),
          ],
          node: [node('Identity', ['on'], ['goOn']), node('Identity', ['carried'], ['carriedOn'])],
          output: [valueInfo('goOn', DataType.BOOL, []), valueInfo('carriedOn', DataType.INT64, [])],
        }),
      );
      before(graph, [loop], int64s('turns', [random.pick([1, 1000, 2 ** 50])], true), int64s('zero', [0], true));
    },
    'graphs in graphs': () => {
      // 400 is deeper than Gander reads; deeper ones might exceed the stack when written.
      const deep = random.pick([10, 100, 400]);
      let inner: Parameters<typeof graphAttribute>[1] = { name: 'g0', output: [valueInfo('x', DataType.FLOAT, [])] };
      for (let d = 1; d < deep; d++) {
        const branch = node('If', ['c'], ['x']);
        branch.attribute.push(graphAttribute('then_branch', inner), graphAttribute('else_branch', { name: 'e' }));
        inner = { name: `g${d}`, node: [branch], output: [valueInfo('x', DataType.FLOAT, [])] };
      }
      const top = node('If', ['c'], ['deep']);
      top.attribute.push(graphAttribute('then_branch', inner));
      graph.node.unshift(top);
      return String(deep);
    },
    'a chain of nodes': () => {
      const names = Array.from({ length: random.pick([100, 20_000]) }, (_, i) => `c${i}`);
      graph.node.unshift(...names.slice(1).map((name, i) => node('Identity', [names[i]!], [name])));
    },
  });
}

/** Corrupts one of a base's graphs. @param file its absolute path */
export function spoilGraph(file: string, random: Random): string {
  if (random.chance(0.2)) return rewrite(file, (bytes) => spoiltBytes(bytes, random));
  return rewrite(file, (bytes) => {
    const model = parseModel(bytes);
    const how = random.do({
      tensor: () => spoilTensor(model.graph, random),
      node: () => spoilNode(model.graph, random),
      'several nodes': () => Array.from({ length: 5 }, () => spoilNode(model.graph, random)).join(', '),
      interface: () => spoilInterface(model.graph, random),
      swell: () => swell(model.graph, random),
      version: () => {
        model.irVersion = random.pick([0n, 3n, 100n, 2n ** 62n]);
        for (const used of model.opsetImport) used.version = random.pick([0n, 7n, 13n, 15n, 21n, 99n, -1n]);
      },
    });
    return { bytes: writeModel(model), how };
  });
}

export const graphs: Target = {
  name: 'graphs',
  runner: 'engine',
  begins: 'pool',
  spoil: (folder, random) => spoilGraph(path.join(folder, 'base/model.onnx'), random),
};

/** What a head reads is found behind whatever comes after its product, and made an output. */
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { insertHidden } from '../../../src/graph/hidden.js';
import { DataType, type ModelProto, floats, node, valueInfo } from '../../../src/graph/model.js';
import { type GraphProto, ModelProtoSchema } from '../../../src/graph/onnx_pb.js';

/** A graph that norms [1, T, 4], multiplies by a head, and does more with the product. */
function modelOf(...after: ReturnType<typeof node>[]): ModelProto & { graph: GraphProto } {
  return create(ModelProtoSchema, {
    opsetImport: [{ domain: '', version: 17n }],
    graph: {
      name: 'tiny',
      node: [
        node('Mul', ['stream', 'scale'], ['normed']),
        node('MatMul', ['normed', 'head'], [after.length > 0 ? 'product' : 'logits']),
        ...after,
      ],
      initializer: [
        floats('scale', [4], new Float32Array(4)),
        floats('head', [4, 6], new Float32Array(24)),
        floats('bias', [6], new Float32Array(6)),
        floats('cap', [1], new Float32Array(1)),
      ],
      input: [valueInfo('stream', DataType.FLOAT, [1, 'T', 4])],
      output: [valueInfo('logits', DataType.FLOAT, [1, 'T', 6])],
    },
  }) as ModelProto & { graph: GraphProto };
}

describe('the last hidden state', () => {
  it.each([
    ['nothing', []],
    ['a bias', [node('Add', ['bias', 'product'], ['logits'])]],
    [
      'a cap',
      [
        node('Div', ['product', 'cap'], ['divided']),
        node('Tanh', ['divided'], ['capped']),
        node('Mul', ['capped', 'cap'], ['logits']),
      ],
    ],
  ])('is what the head reads, with %s after it', (_, after) => {
    const model = modelOf(...after);
    insertHidden(model, 4);
    const { graph } = model;
    expect(graph.output.map(({ name }) => name)).toEqual(['gander.hidden', 'logits']);
    const [made, reshape] = graph.node;
    expect(made!.output).toEqual(['normed']);
    expect(reshape).toMatchObject({ opType: 'Reshape', output: ['gander.hidden'] });
    expect(reshape!.input[0]).toBe('normed');
  });

  it('is refused if it has another width', () => {
    expect(() => insertHidden(modelOf(), 8)).toThrow('The X-LoRA classifier reads 8 numbers of a token');
  });

  it('is refused if logits are no product', () => {
    expect(() => insertHidden(modelOf(node('Softmax', ['product'], ['logits'])), 4)).toThrow(
      'does not show what its head reads',
    );
  });
});

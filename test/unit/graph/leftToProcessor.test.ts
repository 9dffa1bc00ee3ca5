import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { leftToProcessor } from '../../../src/graph/leftToProcessor.js';
import { node } from '../../../src/graph/model.js';
import { GraphProtoSchema } from '../../../src/graph/onnx_pb.js';

const many = (count: number) => Array.from({ length: count }, (_, i) => `y${i}`);

it('names what WebGPU does not compute as it should', () => {
  const nodes = {
    sine: node('Sin', ['x'], ['y']),
    cosine: node('Cos', ['x'], ['y']),
    plain: node('SimplifiedLayerNormalization', ['x', 's'], ['y']),
    inverse: node('SimplifiedLayerNormalization', ['x', 's'], ['y', 'inverse']),
    narrow: node('Split', ['x', 'n'], many(6)),
    wide: node('Split', ['x', 'n'], many(7)),
    product: node('MatMul', ['a', 'b'], ['y']),
    '/gander/attention': node('GroupQueryAttention', ['q', 'k', 'v'], ['y']),
    attention: node('GroupQueryAttention', ['q', 'k', 'v'], ['y']),
    '': node('Sin', ['x'], ['y']),
  };
  const named = Object.entries(nodes).map(([name, one]) => ({ ...one, name }));
  expect(leftToProcessor(create(GraphProtoSchema, { node: named }))).toEqual([
    'sine',
    'cosine',
    'inverse',
    'wide',
    '/gander/attention',
  ]);
});

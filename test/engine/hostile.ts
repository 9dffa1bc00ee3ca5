/** Pools that keep native code busy forever, or make it take any amount of memory. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DataType, graphAttribute, int64s, node, parseModel, valueInfo, writeModel } from '../../src/graph/model.js';
import type { NodeProto, TensorProto } from '../../src/graph/model.js';
import { copyOfTinyPool } from './support.js';

/** The output `extra` (int64) of the nodes is added to the token ids. */
function poolWith(nodes: readonly NodeProto[], constants: readonly TensorProto[]): string {
  const folder = copyOfTinyPool();
  const file = path.join(folder, 'base/model.onnx');
  const model = parseModel(readFileSync(file));
  for (const { input } of model.graph.node)
    for (const [i, name] of input.entries()) if (name === 'input_ids') input[i] = 'ids';
  model.graph.node = [...nodes, node('Add', ['input_ids', 'extra'], ['ids']), ...model.graph.node];
  model.graph.initializer.push(...constants);
  writeFileSync(file, writeModel(model));
  return folder;
}

/** A loop with 2^50 iterations. */
export function poolThatHangs(): string {
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
  return poolWith([loop], [int64s('turns', [2 ** 50], true), int64s('zero', [0], true)]);
}

/** Expands one number to a tensor of so many bytes. */
export function poolThatSwells(bytes: number): string {
  return poolWith(
    [
      node('ConstantOfShape', ['size'], ['much']),
      node('ReduceMax', ['much'], ['most'], { keepdims: 0 }),
      node('Cast', ['most'], ['extra'], { to: DataType.INT64 }),
    ],
    [int64s('size', [bytes / 4])],
  );
}

/** The tiny pool with a changed tokenizer. */
export function poolWithTokenizer(change: (json: Record<string, unknown>) => void): string {
  const folder = copyOfTinyPool();
  const file = path.join(folder, 'base/tokenizer.json');
  const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  change(json);
  writeFileSync(file, JSON.stringify(json));
  return folder;
}

/** The normalizer turns one letter into 100 to the power of `times` letters. */
export function poolWhoseTextGrows(times: number): string {
  const letter = { type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(100) };
  return poolWithTokenizer((json) => {
    json['normalizer'] = { type: 'Sequence', normalizers: new Array(times).fill(letter) };
  });
}

/** Makes Rust panic, which aborts the process. */
export function poolThatAborts(): string {
  return poolWithTokenizer((json) => {
    json['pre_tokenizer'] = { type: 'FixedLength', length: 0 };
  });
}

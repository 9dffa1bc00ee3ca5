/** Without the batch's axis a model computes the same bits, and needs no Reshape around what the routing adds to. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { copyBase, readBase } from '../../src/graph/base.js';
import { dropBatch } from '../../src/graph/dropBatch.js';
import { foldShapes } from '../../src/graph/foldShapes.js';
import { type GraphProto, int64s, node, writeModel } from '../../src/graph/model.js';
import { chunkedRuns, fixtures } from './causal.js';
import { temporaryFolder } from './support.js';

/** Puts a Reshape before and after each product, as the routing does. */
function reshapeAround(graph: GraphProto): void {
  const shapes = new Map(graph.initializer.map(({ name, dims }) => [name, dims.map(Number)]));
  const before = new Set<string>();
  graph.node = graph.node.flatMap((n) => {
    const [input, output, weight] = [n.input[0]!, n.output[0]!, shapes.get(n.input[1] ?? '')];
    if (n.opType !== 'MatMul' || weight?.length !== 2) return [n];
    const [rows, sum] = [`${input}.u`, `${output}.sum`];
    const isNew = !before.has(rows);
    before.add(rows);
    if (isNew) graph.initializer.push(int64s(`${rows}.shape`, [-1, weight[0]!]));
    graph.initializer.push(int64s(`${sum}.shape`, [1, -1, weight[1]!]));
    n.input[0] = rows;
    n.output[0] = sum;
    return [
      ...(isNew ? [node('Reshape', [input, `${rows}.shape`], [rows])] : []),
      n,
      node('Reshape', [sum, `${sum}.shape`], [output]),
    ];
  });
}

test.each(['tiny-pool/base', 'peft/llama/base', 'peft/phi/base', 'peft/qwen3/base'])(
  'the same bits: %s',
  async (name) => {
    const folder = temporaryFolder();
    const file = path.join(fixtures, name, 'model.onnx');
    const base = readBase(file);
    const { graph } = base.model;
    copyBase(folder, file, base);
    foldShapes(graph);
    const reshapes = () => graph.node.filter(({ opType }) => opType === 'Reshape').length;
    const few = reshapes();
    reshapeAround(graph);
    const many = reshapes();
    const [before, after] = ['before.onnx', 'after.onnx'].map((to) => path.join(folder, to)) as [string, string];
    writeFileSync(before, writeModel(base.model));
    dropBatch(graph);
    expect(many - few).toBeGreaterThan(16);
    // Those that are left are at the embedding and at the logits.
    expect(reshapes() - few).toBeLessThanOrEqual(3);
    writeFileSync(after, writeModel(base.model));
    const [old, now] = [await chunkedRuns(before), await chunkedRuns(after)];
    for (const [i, outputs] of old.entries()) {
      for (const [output, { data, dims }] of Object.entries(outputs)) {
        expect(now[i]![output]!.dims, output).toEqual(dims);
        expect(now[i]![output]!.data, output).toEqual(data);
      }
    }
  },
);

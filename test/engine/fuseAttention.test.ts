/** Attention as one operator computes what the exporter's thirty do, and attention that is written otherwise is left alone. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { copyBase, readBase } from '../../src/graph/base.js';
import { findAttention } from '../../src/graph/attention.js';
import { foldShapes } from '../../src/graph/foldShapes.js';
import { fuseAttention } from '../../src/graph/fuseAttention.js';
import { removeGuards } from '../../src/graph/guards.js';
import { writeModel } from '../../src/graph/model.js';
import { causalFixtures, chunkedRuns, fixtures } from './causal.js';
import { temporaryFolder } from './support.js';

/** Exporters' files whose attention is found in every layer; the others write it otherwise, or fuse it themselves. */
const found = [
  'bases/dynamo',
  'bases/gemm',
  'bases/initializer',
  'bases/matmulnbits',
  'bases/packed',
  'moe/flex-olmo-transformers',
  'moe/granite-moe-transformers',
  'moe/mixtral-top1-transformers',
  'moe/mixtral-transformers-int4',
  'moe/mixtral-transformers',
  'moe/olmoe-transformers',
  'moe/phimoe-transformers',
  'moe/qwen2-moe-transformers',
  'moe/qwen3-moe-128-transformers',
  'moe/qwen3-moe-optimum',
  'moe/qwen3-moe-transformers',
  'peft/llama/base',
  'peft/qwen3/base',
  'tiny-pool/base',
];

const prepared = (file: string) => {
  const base = readBase(file);
  removeGuards(base.model.graph);
  return { base, dims: foldShapes(base.model.graph) };
};

describe('attention', () => {
  test('is found in both layers as most exporters write it', () => {
    const counts = causalFixtures.map((name) => {
      const { base, dims } = prepared(path.join(fixtures, name));
      return [path.posix.dirname(name), findAttention(base.model.graph, dims).length] as const;
    });
    expect(counts.filter(([, count]) => count > 0)).toEqual(found.map((name) => [name, 2]));
  });

  test.each(found)('computes the same as one operator: %s', async (name) => {
    const folder = temporaryFolder();
    const file = path.join(fixtures, name, 'model.onnx');
    const { base, dims } = prepared(file);
    copyBase(folder, file, base);
    const [asRead, fused] = ['as-read.onnx', 'fused.onnx'].map((to) => path.join(folder, to)) as [string, string];
    writeFileSync(asRead, writeModel(base.model));
    fuseAttention(base.model.graph, dims);
    expect(base.model.graph.node.filter(({ opType }) => opType === 'GroupQueryAttention')).toHaveLength(2);
    writeFileSync(fused, writeModel(base.model));
    const [old, now] = [await chunkedRuns(asRead), await chunkedRuns(fused)];
    for (const [i, outputs] of old.entries()) {
      for (const [output, { data, dims: shape }] of Object.entries(outputs)) {
        expect(now[i]![output]!.dims, output).toEqual(shape);
        const [wanted, given] = [data as Float32Array, now[i]![output]!.data as Float32Array];
        const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
        const off = wanted.reduce((most, x, at) => Math.max(most, Math.abs(x - given[at]!)), 0);
        expect(off, output).toBeLessThan(2e-6 * largest);
      }
    }
  });
});

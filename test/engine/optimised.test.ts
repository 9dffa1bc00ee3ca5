/** A graph that is kept as onnxruntime has optimised it is computed in the order of the original, in which values are soon used up. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { Optimised } from '../../src/engine/runtime/optimised.js';
import { DataType, node, parseModel, valueInfo, writeModel } from '../../src/graph/model.js';
import { fixtures } from './causal.js';
import { temporaryFolder } from './support.js';

const layers = 6;

/**
 * A stream through layers, of each of which something is measured, as `gander.moved` is.
 *
 * @param more nodes that onnxruntime removes
 */
function measuredStream(file: string, more: readonly string[]): void {
  const model = parseModel(readFileSync(path.join(fixtures, 'tiny-pool/base/model.onnx')));
  const numbers = Array.from({ length: layers }, (_, i) => i + 1);
  const measures = numbers.map((i) => `measure.${i}`);
  Object.assign(model.graph, {
    initializer: [],
    valueInfo: [],
    input: [valueInfo('stream.0', DataType.FLOAT, ['T', 4])],
    output: [
      valueInfo(`stream.${layers}`, DataType.FLOAT, ['T', 4]),
      valueInfo('measures', DataType.FLOAT, ['T', 4 * layers]),
    ],
    node: [
      ...numbers.flatMap((i) => [
        node('Tanh', [`stream.${i - 1}`], [`${more.length ? 'same' : 'stream'}.${i}`]),
        ...more.map((operator) => node(operator, [`same.${i}`], [`stream.${i}`])),
      ]),
      ...numbers.map((i) => node('Exp', [`stream.${i}`], [`measure.${i}`])).reverse(),
      node('Concat', measures, ['measures'], { axis: 1 }),
    ],
  });
  writeFileSync(file, writeModel(model));
}

/** Names of a file's nodes as they are computed. */
async function order(file: string): Promise<string[]> {
  const folder = temporaryFolder();
  const session = await InferenceSession.create(file, {
    graphOptimizationLevel: 'disabled',
    enableProfiling: true,
    profileFilePrefix: path.join(folder, 'profile'),
  });
  await session.run({ 'stream.0': new Tensor('float32', new Float32Array(8), [2, 4]) });
  await session.release();
  const [profile] = readdirSync(folder);
  const events = JSON.parse(readFileSync(path.join(folder, profile!), 'utf8')) as { name: string; ts: number }[];
  const kernels = events.filter(({ name }) => name.endsWith('_kernel_time')).sort((a, b) => a.ts - b.ts);
  return kernels.map(({ name }) => path.basename(name).replace(/_kernel_time$/, ''));
}

test.each([[['Identity']], [[]]])('the order of the original, which onnxruntime makes shorter by %j', async (more) => {
  const file = path.join(temporaryFolder(), 'model.onnx');
  measuredStream(file, more);
  const kept = new Optimised(file, ['test']);
  const session = await kept.make((into) =>
    InferenceSession.create(file, { ...(into !== undefined && { optimizedModelFilePath: into }) }),
  );
  await session.release();
  expect(kept.isSound).toBe(true);
  const [wanted, found] = [await order(file), await order(kept.file)];
  expect(wanted.indexOf('measure.1')).toBeLessThan(wanted.indexOf('measure.2') - 1);
  expect(found).toEqual(wanted.filter((name) => found.includes(name)));
  expect(found.length < wanted.length).toBe(more.length > 0);
});

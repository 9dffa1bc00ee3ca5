/** Folding shapes changes no bit of what a model computes, whoever exported it. */
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Past, PastLayout } from '../../src/engine/runtime/past.js';
import { Session, type Tensors } from '../../src/engine/runtime/session.js';
import { copyBase, readBase } from '../../src/graph/base.js';
import { foldShapes } from '../../src/graph/foldShapes.js';
import { type GraphProto, writeModel } from '../../src/graph/model.js';
import { root, temporaryFolder } from './support.js';

const fixtures = path.join(root, 'test/fixtures');
const causal = (folder: string) =>
  readdirSync(path.join(fixtures, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => path.basename(name) === 'model.onnx' && !name.includes('retriever'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')));
const files = ['bases', 'moe', 'peft', 'tiny-pool/base'].flatMap(causal).sort();

/** Of the text in the first chunk, of a token after it, and of two more. */
const chunks = [[5, 6, 7, 8, 9], [10], [11, 12]];

async function runs(file: string): Promise<Tensors[]> {
  const session = await Session.open(file, 2);
  const layout = new PastLayout(session);
  const all: Tensors[] = [];
  let past: Past | undefined;
  let done = 0;
  for (const chunk of chunks) {
    const outputs = await session.run(layout.feeds(Int32Array.from(chunk), done, past), session.outputNames);
    all.push(outputs);
    past = layout.of(outputs);
    done += chunk.length;
  }
  await session.release();
  return all;
}

const operators = ({ node }: GraphProto) => node.filter(({ opType }) => opType !== 'Constant').length;

describe('a graph with folded shapes', () => {
  test('the models that are tried are of all exporters', () => {
    expect(files.length).toBeGreaterThan(25);
  });

  test.each(files)('gives the same bits: %s', async (name) => {
    const folder = temporaryFolder();
    const file = path.join(fixtures, name);
    const base = readBase(file);
    const { model } = base;
    copyBase(folder, file, base);
    const [asRead, folded] = ['as-read.onnx', 'folded.onnx'].map((to) => path.join(folder, to)) as [string, string];
    writeFileSync(asRead, writeModel(model));
    const before = operators(model.graph);
    foldShapes(model.graph);
    const after = operators(model.graph);
    expect(after).toBeLessThanOrEqual(before);
    writeFileSync(folded, writeModel(model));
    const [old, now] = [await runs(asRead), await runs(folded)];
    for (const [i, outputs] of old.entries()) {
      for (const [output, { data, dims }] of Object.entries(outputs)) {
        expect(now[i]![output]!.dims, output).toEqual(dims);
        expect(now[i]![output]!.data, output).toEqual(data);
      }
    }
  });
});

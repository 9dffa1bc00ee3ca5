/** Folding shapes changes no bit of what a model computes, whoever exported it. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { copyBase, readBase } from '../../src/graph/base.js';
import { foldShapes } from '../../src/graph/foldShapes.js';
import { type GraphProto, writeModel } from '../../src/graph/model.js';
import { causalFixtures, chunkedRuns, fixtures } from './causal.js';
import { temporaryFolder } from './support.js';

const operators = ({ node }: GraphProto) => node.filter(({ opType }) => opType !== 'Constant').length;

describe('a graph with folded shapes', () => {
  test('the models that are tried are of all exporters', () => {
    expect(causalFixtures.length).toBeGreaterThan(25);
  });

  test.each(causalFixtures)('gives the same bits: %s', async (name) => {
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
    const [old, now] = [await chunkedRuns(asRead), await chunkedRuns(folded)];
    for (const [i, outputs] of old.entries()) {
      for (const [output, { data, dims }] of Object.entries(outputs)) {
        expect(now[i]![output]!.dims, output).toEqual(dims);
        expect(now[i]![output]!.data, output).toEqual(data);
      }
    }
  });
});

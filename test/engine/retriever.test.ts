/** The shipped retriever chooses the same expert on every processor. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Retriever } from '../../src/engine/families/lora-pool/retrieval.js';
import { readPool } from '../../src/pool/pool.js';
import { root } from './support.js';

const shipped = path.join(root, 'models/smollm2-135m');
const recorded = path.join(root, 'test/fixtures/golden/retrieval/smollm2-135m.json');
const wanted = JSON.parse(readFileSync(recorded, 'utf8')) as Record<string, Record<string, number>>;

/** The difference that float32 sums in another order can make. */
const bound = 1e-4;

describe.skipIf(!existsSync(path.join(shipped, 'retriever/model.onnx')))('the retriever that ships', () => {
  let retriever: Retriever;
  beforeAll(async () => {
    retriever = await Retriever.open(readPool(shipped), 1);
  });
  afterAll(() => retriever.release());

  it.each(Object.entries(wanted))('computes the same similarities as onnxruntime in Python: %j', async (text, near) => {
    const found = await retriever.similarities(text);
    expect(found.map(({ id }) => id)).toEqual(Object.keys(near));
    for (const { id, similarity } of found) expect(Math.abs(similarity - near[id]!)).toBeLessThan(bound);
  });

  it.each(Object.entries(wanted))('would need more than rounding to choose another expert: %j', async (text, near) => {
    const [first, second] = Object.entries(near).sort(([, a], [, b]) => b - a);
    expect(first![1] - second![1]).toBeGreaterThan(10 * bound);
    expect(await retriever.expertFor(text)).toBe(first![0]);
  });
});

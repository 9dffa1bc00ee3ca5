/** The emulated processors are what they should be; otherwise the other tests here prove nothing about them. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Retriever } from '../../src/engine/families/lora-pool/retrieval.js';
import { processor } from '../../src/engine/runtime/session.js';
import { readPool } from '../../src/pool/pool.js';
import type { Processor } from '../../src/graph/processor.js';
import { goldens, pooled, root } from '../engine/support.js';

const wanted: Readonly<Record<string, Processor>> = {
  // AVX2 and nothing newer: sums of two products are kept in 16 bits.
  Haswell: { sums: 'exact when asked', roundsInputs: true },
  // SSE4.2.
  Nehalem: { sums: 'exact', roundsInputs: false },
};
const name = process.env['GANDER_TEST_PROCESSOR']!;

it(`has what ${name} has`, async () => {
  expect(await processor()).toEqual(wanted[name]);
});

const shipped = path.join(root, 'models/smollm2-135m');

it.skipIf(!existsSync(path.join(shipped, 'pool.json')))(
  'retrieval with the pool that ships finds the expert that it finds elsewhere',
  async () => {
    const retriever = await Retriever.open(readPool(shipped), 2);
    const { trace } = goldens('smollm2-135m').find((golden) => golden.name === 'retrieval')!;
    const { text, strategy } = pooled(trace);
    expect(await retriever.expertFor(text!)).toBe(strategy.expert);
    await retriever.release();
  },
);

/** How far two ways of routing agree: known shares of the choices are changed. */
import { describe, expect, it } from 'vitest';
import { Agreement } from '../../../src/atlas/agreement.js';
import { random } from '../../../src/statistics/random.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { drawn, traceOf } from './planted.js';

const experts = 8;
const next = random(8);

const documents = Array.from({ length: 40 }, (_, d) => {
  const ids = Array.from({ length: 50 }, () => Math.floor(next() * 30));
  const chosen = [0, 1].map(() => ids.map(() => drawn([1, 2, 3, 4, 1, 1, 1, 1], next)));
  return { label: d % 2 ? 'odd' : 'even', ids, chosen };
});

/** Changes choices of layer 1 only, and the log-probability of the token after one. */
function changed({ ids, chosen }: (typeof documents)[number], share: number) {
  let flips = 0;
  const flipped = new Uint8Array(ids.length);
  const other = chosen.map((row, layer) =>
    row.map((e, t) => {
      if (layer === 0 || next() >= share) return e;
      flips++;
      flipped[t] = 1;
      return (e + 1) % experts;
    }),
  );
  const trace = traceOf(experts, other, ids);
  const [sequence] = trace.sequences;
  const logProb = sequence!.logProb!.map((x, t) => x - (flipped[t - 1] ? 0.25 : 0));
  return { flips, trace: { ...trace, sequences: [{ ...sequence!, logProb }] } satisfies Trace };
}

describe('agreement', () => {
  it('of a run with itself is whole', () => {
    const agreement = new Agreement();
    for (const { ids, chosen, label } of documents) {
      agreement.add(traceOf(experts, chosen, ids), traceOf(experts, chosen, ids), label);
      agreement.close();
    }
    const { all, tokensFlipped, logProb, tokens } = agreement.value;
    expect(tokens).toBe(40 * 50);
    expect(all).toMatchObject({
      overlap: { value: 1 },
      first: { value: 1 },
      flipped: { value: 0 },
      chance: 1 / experts,
    });
    expect(tokensFlipped.value).toBe(0);
    expect(logProb.flipped.tokens).toBe(0);
    expect(logProb.others.size.value).toBe(0);
  });

  it('counts what differs, by layer and label, and its effect on predictions', () => {
    const agreement = new Agreement();
    const flips = { odd: 0, even: 0 };
    for (const document of documents) {
      const { label } = document;
      const b = changed(document, label === 'odd' ? 0.3 : 0.1);
      flips[label as 'odd' | 'even'] += b.flips;
      agreement.add(traceOf(experts, document.chosen, document.ids), b.trace, label);
      agreement.close();
    }
    // A document that fails half way leaves nothing behind.
    agreement.add(traceOf(experts, [[0], [0]], [1]), traceOf(experts, [[1], [1]], [1]), 'odd');
    agreement.drop();
    const { all, layers, labels, tokensFlipped, logProb, documents: count } = agreement.value;
    expect(count).toBe(40);
    const both = flips.odd + flips.even;
    expect(layers.map(({ name, value }) => [name, value.flipped.value])).toEqual([
      ['0', 0],
      ['1', both / 2000],
    ]);
    expect(labels.map(({ name, value }) => [name, value.flipped.value])).toEqual([
      ['even', flips.even / 2000],
      ['odd', flips.odd / 2000],
    ]);
    expect(all.overlap.value).toBeCloseTo(1 - both / 4000, 12);
    expect(all.overlap.low).toBeLessThan(1 - both / 4000);
    expect(tokensFlipped.value).toBe(both / 2000);
    expect(logProb.flipped.mean.value).toBeCloseTo(-0.25, 6);
    expect(logProb.flipped.size.value).toBeCloseTo(0.25, 6);
    expect(logProb.others.size.value).toBe(0);
  });

  it('has intervals that contain the true share in about 95 of 100 corpora', () => {
    // Documents differ in how much of them flips; on average a fifth does.
    let covered = 0;
    const corpora = 200;
    for (let c = 0; c < corpora; c++) {
      const agreement = new Agreement();
      for (let d = 0; d < 30; d++) {
        const share = next() < 0.5 ? 0.1 : 0.3;
        const ids = Array.from({ length: 10 }, () => 1);
        const chosen = [ids.map(() => 0)];
        const other = [ids.map(() => Number(next() < share))];
        agreement.add(traceOf(2, chosen, ids), traceOf(2, other, ids), null);
        agreement.close();
      }
      const { low, high } = agreement.value.all.flipped;
      if (low <= 0.2 && 0.2 <= high) covered++;
    }
    expect(covered / corpora).toBeGreaterThan(0.9);
    expect(covered / corpora).toBeLessThan(0.99);
  });
});

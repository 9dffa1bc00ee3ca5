/** What the atlas finds in documents drawn from a known process: what was planted, and nothing else. */
import { describe, expect, it } from 'vitest';
import { chanceOf } from '../../../src/atlas/chance.js';
import { Choices } from '../../../src/atlas/figures/choices.js';
import { placedIn } from '../../../src/atlas/layout.js';
import { liftOf, loadOf } from '../../../src/atlas/lift.js';
import { labels } from '../../../src/atlas/tables/labels.js';
import { tablesOf } from '../../../src/atlas/tables/index.js';
import { random } from '../../../src/statistics/random.js';
import { corpusOf, documentOf, type Drawn, drawn, traceOf } from './planted.js';

const experts = 8;
const names = ['code', 'law', 'verse', 'mail'];

/** Documents differ: each has a favourite expert, so its tokens are similar. */
function plain(next: () => number): number[] {
  const favourite = Math.floor(next() * experts);
  return Array.from({ length: experts }, (_, e) => (e === favourite ? 4 : 1));
}

function corpus(seed: number, weightsOf: (label: string, layer: number, next: () => number) => number[]): Drawn[] {
  const next = random(seed);
  return Array.from({ length: 80 }, (_, d) => {
    const label = names[d % names.length]!;
    const T = 20 + Math.floor(next() * 40);
    const ids = Array.from({ length: T }, () => Math.floor(next() * 30));
    const chosen = [0, 1].map((layer) => {
      const weights = weightsOf(label, layer, next);
      // Token 7 always goes to expert 2 of layer 1.
      return ids.map((id) => (id === 7 && layer === 1 ? 2 : drawn(weights, next)));
    });
    return { document: documentOf(`${label}-${d}`, label), trace: traceOf(experts, chosen, ids) };
  });
}

const planted = corpus(11, (label, layer, next) => {
  const weights = plain(next);
  // In layer 0, expert 5 is the one for law.
  return layer === 0 && label === 'law' ? weights.map((w, e) => (e === 5 ? 12 : w)) : weights;
});

const choicesOf = (documents: readonly Drawn[]) => {
  const { layout } = placedIn(documents[0]!.trace);
  const all = new Choices(layout);
  for (const { document, trace } of documents) {
    const one = new Choices(layout);
    one.add({ ...placedIn(trace), document, trace, before: [{ tokens: 0, text: 0 }] });
    one.close(document);
    all.merge(one);
  }
  return { choices: all, layout };
};

/** For hundreds of corpora: seconds, or minutes on a busy machine. */
const simulated = { timeout: 300_000, tags: ['slow'] };

describe('an atlas of planted choices', () => {
  const { tables } = tablesOf(corpusOf(planted));

  it('finds the label that a unit is for, and no other with a higher lift', () => {
    const found = tables.labels.filter(({ specialised, lift }) => specialised === true && (lift as number) > 0);
    expect(found.map(({ layer, expert, label }) => ({ layer, expert, label }))).toEqual([
      { layer: 0, expert: 5, label: 'law' },
    ]);
    expect(tables.experts.map(({ label }) => label).filter((label) => label !== null)).toEqual(['law']);
    expect(tables.layers[0]!['labelInformation']).toBeGreaterThan(
      3 * Number(tables.layers[0]!['labelInformationChance']),
    );
  });

  it('finds the token that a unit is chosen at', () => {
    const [first] = tables.tokens.filter(({ layer, expert, kind }) => layer === 1 && expert === 2 && kind === 'read');
    expect(first).toMatchObject({ id: 7, token: 'w7 ' });
    expect(Number(first!['count'])).toBeGreaterThan(3 * Number(first!['expected']));
  });
});

describe('chance', () => {
  it('comes from shuffled labels: over 200 corpora, no more false discoveries than q allows', simulated, () => {
    const noise = corpus(12, (_label, _layer, next) => plain(next));
    const next = random(3);
    let falsely = 0;
    for (let c = 0; c < 200; c++) {
      const order = noise.map(() => next());
      const shuffled = [...noise.keys()].sort((a, b) => order[a]! - order[b]!);
      const relabelled = noise.map(({ trace, document }, d) => ({
        trace,
        document: { ...document, label: noise[shuffled[d]!]!.document.label },
      }));
      const { choices, layout } = choicesOf(relabelled);
      const from = { layout, total: choices.total, labels: choices.labels, chance: chanceOf(choices, layout) };
      const rows = labels.rows(from as unknown as Parameters<typeof labels.rows>[0]);
      if (rows.some(({ q }) => q <= 0.05)) falsely++;
    }
    // Nothing is planted, so every discovery is false, and q is the share of corpora that have one.
    expect(falsely).toBeLessThanOrEqual(0.05 * 200 + 2 * Math.sqrt(200 * 0.05 * 0.95));
  });

  it('is not computed if there is only one label', () => {
    const alike = planted.map(({ trace, document }) => ({ trace, document: { ...document, label: 'all' } }));
    const { choices, layout } = choicesOf(alike);
    expect(chanceOf(choices, layout).p.every(Number.isNaN)).toBe(true);
  });
});

describe('intervals', () => {
  it('contain the true value in 93 to 97 of 100 corpora', simulated, () => {
    // Each label has two equally likely kinds of documents, so its true share over all documents is known.
    const kinds = [
      [
        [6, 1, 1],
        [2, 3, 3],
      ],
      [
        [1, 4, 3],
        [3, 1, 4],
      ],
    ];
    const share = (label: number, e: number) => (kinds[label]![0]![e]! + kinds[label]![1]![e]!) / 16;
    const next = random(21);
    const covered = { load: 0, lift: 0 };
    const corpora = 500;
    for (let c = 0; c < corpora; c++) {
      const documents = Array.from({ length: 120 }, (_, d): Drawn => {
        const label = next() < 0.5 ? 0 : 1;
        const weights = kinds[label]![next() < 0.5 ? 0 : 1]!;
        const ids = Array.from({ length: 10 + Math.floor(next() * 30) }, () => 0);
        const chosen = [ids.map(() => drawn(weights, next))];
        return { document: documentOf(String(d), String(label)), trace: traceOf(3, chosen, ids) };
      });
      const { choices, layout } = choicesOf(documents);
      const [, group] = choices.labels[0]!;
      const truth = (share(0, 0) + share(1, 0)) / 2;
      const load = loadOf(choices.total, layout, 0);
      const lift = liftOf(group, choices.total, layout, 0);
      if (load.low <= truth && truth <= load.high) covered.load++;
      const true2 = Math.log2(share(0, 0) / truth);
      if (lift.low <= true2 && true2 <= lift.high) covered.lift++;
    }
    for (const count of [covered.load, covered.lift]) {
      expect(count / corpora).toBeGreaterThanOrEqual(0.93);
      expect(count / corpora).toBeLessThanOrEqual(0.97);
    }
  });
});

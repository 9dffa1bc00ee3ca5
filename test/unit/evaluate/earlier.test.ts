import { describe, expect, it } from 'vitest';
import { explanationsIn } from '../../../evaluate/earlier.js';
import { plan } from '../../../evaluate/run.js';
import { doc } from './fakes.js';

const documents = [doc('x', 'x1'), doc('y', 'y1'), doc('a', 'own1', 'own')];
const heldout = { experts: ['a'], effective: 2, interval: [{ low: NaN, high: NaN }], cells: [[null]] };
const json = JSON.stringify({
  pool: { hash: 'pool' },
  seed: 1,
  sections: [{ part: 'heldout', explanation: heldout }, { part: 'own' }],
  results: documents.map(({ part, hash }) => ({ part, hash })).reverse(),
});

describe('what an earlier evaluation explains', () => {
  it('is taken over for the same documents of the same pool, and not traced again', () => {
    const told = explanationsIn(json, ['other', 'pool'], documents, 1);
    expect([...told]).toEqual([['heldout', heldout]]);
    const chosen = { main: ['base', 'phatgoose:2'], singles: [], missing: [] };
    const traced = plan(documents, chosen, told).filter(({ what }) => what === 'explain');
    expect(traced.map(({ document }) => document.text)).toEqual(['own1']);
  });

  it.each([
    ['another pool', ['other'], documents, 1],
    ['more documents', ['pool'], [...documents, doc('x', 'x2')], 1],
    ['other documents', ['pool'], [doc('x', 'x2'), ...documents.slice(1)], 1],
    ['intervals from another seed', ['pool'], documents, 2],
  ])('is made anew for %s', (_, hashes, now, seed) => {
    expect(explanationsIn(json, hashes, now, seed).size).toBe(0);
  });
});

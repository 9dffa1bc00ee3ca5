/** What `gander atlas compare` prints. */
import { expect, test } from 'vitest';
import { compareAtlases } from '../../../src/atlas/compare.js';
import type { Row } from '../../../src/atlas/tables/table.js';
import { comparisonText } from '../../../src/cli/atlas/compare.js';
import { unpainted } from '../../../src/terminal/paint.js';

/** Rows of a pool's table `experts`: each expert over all layers, and in each of two. */
const poolOf = (names: readonly string[]): Row[] =>
  [null, 0, 1].flatMap((layer) =>
    names.map((name, expert) => ({ stack: null, layer, router: null, expert, name, load: 0.5, low: 0.4, high: 0.6 })),
  );

test('a pool’s expert that only one atlas has is counted once for each layer, and not called as many experts', () => {
  const [a, b] = [
    ['C', 'CSS', 'Go'],
    ['C', 'CSS'],
  ].map((names) => ({ experts: poolOf(names), labels: [] }));
  expect(comparisonText(compareAtlases(a!, b!), 20, unpainted)).toContain(
    'In one of the atlases only: 3 units (a unit is one expert in one layer or over all).',
  );
});

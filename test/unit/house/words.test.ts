// Tests scripts/lint/words.mjs with planted old words.
import { expect, test } from 'vitest';
import { oldWordsIn } from '../../../scripts/lint/words.mjs';

test.each([
  ['src/graph/find.ts', 'export interface SharedSites {}', 'SharedSites'],
  ['webview/map/view.tsx', 'const siteName = 1;', 'siteName'],
  ['webview/map/view.tsx', "t('Tilt the scores');", 'Tilt'],
  ['webview/tabs/detail/cell.tsx', "const title = 'Mass of the chosen';", 'Mass of'],
  ['src/look/palette.ts', 'class A { #signs = 1; }', '#signs'],
  ['evaluate/report.ts', 'const saturation = 1;', 'saturation'],
  ['docs/cli.md', 'gander route --tilt python=1', 'tilt'],
  ['README.md', 'The learned router reaches 0.823.', 'learned router'],
  ['package.nls.json', '"setting.x": "What each token owes to"', 'owes to'],
  ['l10n/bundle.l10n.json', '"Unevenness (CV)": ""', 'Unevenness'],
])('%s may not say %s', (file, text, said) => {
  const found = oldWordsIn(file, text);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(new RegExp(`^${file}:1: "${said}" is now: `));
});

test.each([
  ['src/trace/file/file.ts', "const header = { sites: [], action: 'tilt' };"],
  ['docs/trace-format.md', 'A *site* is a routed module; a *tilt* is a logit bias.'],
  ['src/engine/client.ts', "const why = 'gave no sign of life';"],
  ['src/host/notify.ts', 'const assigned = signed;'],
  ['src/graph/route.ts', '// A site of the graph\nconst module = 1;'],
])('%s may say %s', (file, text) => {
  expect(oldWordsIn(file, text)).toEqual([]);
});

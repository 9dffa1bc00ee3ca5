import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { figureWords } from '../../../src/words/figureWords.js';
import { lessonWords } from '../../../src/words/lessonWords.js';
import { words } from '../../../src/words/words.js';
import { colourings, overlays } from '../../../src/trace/figures/colouring.js';
import { colourings as atlasColourings } from '../../../webview/atlas/colouring.js';
import { figures, lettersOf, numbers, type Explanation } from '../../../webview/lessons/explanations.js';
import { steps, type Panel } from '../../../webview/tour/steps.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import type { Store } from '../../../webview/store/store.js';
import { fabricateMoe } from '../../webview/fabricateMoe.js';
import { fabricate } from '../trace/fabricate.js';
import { apart, beside, type Rect } from '../../../webview/lessons/place.js';

const root = join(import.meta.dirname, '../../../webview');
const sources = (readdirSync(root, { recursive: true }) as string[])
  .filter((name) => name.endsWith('.tsx'))
  .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));

test('every figure of the page can be explained', () => {
  const drawn = sources.flatMap(({ text }) =>
    Array.from(text.matchAll(/<(?:Figure|Part|AtlasPart)\s+name="(\w+)"/g), ([, name]) => name!),
  );
  const maps = [...colourings, ...overlays.filter((by) => by !== ''), 'changeLogProb'].map((by) => `map_${by}`);
  expect(drawn.length).toBeGreaterThan(15);
  const atlasMaps = atlasColourings.map((by) => `atlas_${by}`);
  expect([...new Set([...drawn, ...maps, ...atlasMaps])].sort()).toEqual(Object.keys(figures).sort());
  // Only the component that has the "?" draws a figure.
  const elsewhere = sources.filter(({ text }) => text.includes('class="figure"')).map(({ name }) => name);
  expect(elsewhere).toEqual(['components/figure.tsx']);
});

test('every number belongs to a figure, and says what it is and what its range is', () => {
  const used = new Set<string>(Object.values(figures).flat());
  expect(Object.keys(numbers).filter((name) => !used.has(name))).toEqual([]);
  for (const { what, range } of Object.values(numbers)) {
    expect(lessonWords[what].length).toBeGreaterThan(20);
    expect(lessonWords[range]).not.toBe('');
  }
});

test('formulas consist of symbols and names, which are not translated', () => {
  const names = ['PHATGOOSE', 'Arrow', 'MoE', 'LN', 'KL', 'exp', 'ln', 'log', 'max', 'softmax', 'norm'];
  const lines = Object.values<Explanation>(numbers).flatMap(({ formula = [] }) => formula);
  const found = lines.flatMap((line) => line.match(/[A-Za-z]{2,}/g) ?? []);
  expect(found.filter((word) => !names.includes(word))).toEqual([]);
});

test('the letters that are explained are those that occur', () => {
  expect(lettersOf(numbers.topKProbability)).toEqual(['letterE', 'letterK', 'letterS']);
  expect(lettersOf(numbers.margin)).toEqual(['letterK']);
  expect(lettersOf(numbers.surprise)).toEqual(['letterV']);
  expect(lettersOf(numbers.kl)).toEqual([]);
});

/** The glossary's own terms, with what they mean; a row may have several. */
const glossary = new Map(
  readFileSync(join(root, '../docs/glossary.md'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, terms, meaning] = /^\| (.+?) \| (.+) \|$/.exec(line) ?? [];
      return terms && meaning ? terms.split(', ').map((term) => [term, meaning] as const) : [];
    }),
);

test.each(['tourRunPool', 'tourRunMixture'] as const)('what the tour says first (%s) is as in the glossary', (word) => {
  const said = lessonWords[word];
  for (const term of ['token', 'module', 'router', 'expert']) {
    expect(glossary.get(term), term).toMatch(/.{20}/);
    expect(said, term).toMatch(new RegExp(`\\b${term}s?\\b`));
  }
  // A token is a word or a part of one, and an expert what a pool or a layer of a mixture has.
  expect([said, glossary.get('token')]).toEqual([
    expect.stringMatching(/tokens, words or parts of words/),
    expect.stringMatching(/a word, a part of one/),
  ]);
  const [tour, entry] = word === 'tourRunPool' ? [/addition/, /adapter/] : [/part of its layer/, /one of a layer's/];
  expect([said, glossary.get('expert')]).toEqual([expect.stringMatching(tour), expect.stringMatching(entry)]);
});

test('the tour begins with these words, for the text and the model on show', () => {
  for (const [trace, word] of [
    [fabricate(), 'tourRunPool'],
    [fabricateMoe({ tokens: 60 }), 'tourRunMixture'],
  ] as const) {
    const panel = { store: { main: { trace: { value: trace } } } } as unknown as Panel;
    const [first] = steps;
    const { k, experts } = trace.blocks[0]!;
    const [before] = lessonWords[word].split('{0}');
    expect(first!.text(panel)).toContain(`${before}${trace.sequences[0]!.tokens.count}, such as “`);
    expect(first!.text(panel)).toContain(`a router sends each token to ${k} of ${experts} experts`);
  }
});

test.each<[string, Trace, RegExp, RegExp]>([
  ['choice', fabricate(), /a router sends each token to 2 of 5 experts/, /The best have a tick/],
  [
    'fixed weights',
    fabricate({ router: { name: 'base' } }),
    /a router could choose among 5 experts; this/,
    /decides nothing here/,
  ],
  [
    'X-LoRA',
    fabricate({ router: { name: 'x-lora', params: { affinities: 'x-lora' } } }),
    /a router sends each token/,
    /^A classifier .* all weights are made of these/,
  ],
])('the tour says how the experts of this run were found: %s', (_, trace, first, scores) => {
  const panel = { store: { main: { trace: { value: trace } } } } as unknown as Panel;
  const text = (title: string) => steps.find((step) => step.title === title)!.text(panel);
  expect(text('tourRun')).toMatch(first);
  expect(text('tourExperts')).toMatch(scores);
});

test('the tour counts a layer once, though it has two routers', () => {
  const one = fabricateMoe({ tokens: 60 });
  const modules = one.modules.map((module, s) => ({ ...module, layer: s >> 1, kind: s % 2 ? 'mlp' : 'attention' }));
  const panel = { store: { main: { trace: { value: { ...one, modules } } } } } as unknown as Panel;
  expect(steps[0]!.text(panel)).toContain('In each of 4 layers');
});

test.each([
  [false, 'choices', /^Compare this run with another/],
  [true, 'choices', /top-k overlap/],
  [true, 'logProb', /how likely each finds the text/],
])('the tour ends with what is compared', (isThere, by, said) => {
  const store = { other: { isThere: { value: isThere } }, differBy: { value: by } };
  expect(steps.at(-1)!.text({ store } as unknown as Panel)).toMatch(said);
});

test('what the tour offers to find is among all experts of a pool, and few of a mixture', () => {
  const said = (trace: Trace) => {
    const store = {
      main: { trace: { value: trace }, interventions: { value: [] } },
      description: { value: { can: { whatIf: true } } },
    } as unknown as Store;
    const { text, offer } = steps.find(({ title }) => title === 'tourWhatIf')!;
    return [text({ store } as unknown as Panel), offer!.label(store)];
  };
  expect(said(fabricate())).toEqual([
    expect.stringContaining('the button tries one after the other'),
    'Find the Costliest Knock-Out',
  ]);
  expect(said(fabricateMoe({ tokens: 60 }))).toEqual([
    expect.stringContaining('the button tries the 4 that are chosen most often'),
    'Find the Costliest of 4 Knock-Outs',
  ]);
});

test('no key is in two tables of words', () => {
  const keys = [words, lessonWords, figureWords].flatMap((table) => Object.keys(table));
  expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
});

test.each([
  [lessonWords, ['lessons', 'tour']],
  [figureWords, ['figures', 'saving', 'similarity']],
] as const)('all words that load late are used', (table, folders) => {
  const late = folders.flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => readFileSync(join(root, folder, name), 'utf8')),
  );
  expect(Object.keys(table).filter((key) => !late.some((text) => text.includes(`'${key}'`)))).toEqual([]);
});

const window = { width: 720, height: 680 };
const box = { width: 320, height: 180 };
const overlap = (a: Rect, b: Rect) =>
  Math.min(a.left + a.width, b.left + b.width) > Math.max(a.left, b.left) &&
  Math.min(a.top + a.height, b.top + b.height) > Math.max(a.top, b.top);

test.each<[string, Rect]>([
  ['above', { left: 10, top: 5, width: 500, height: 30 }],
  ['below', { left: 600, top: 640, width: 100, height: 30 }],
  ['across', { left: 0, top: 100, width: 720, height: 300 }],
  ['at the left', { left: 0, top: 0, width: 300, height: 680 }],
  ['at the right', { left: 400, top: 0, width: 320, height: 680 }],
])('beside something %s', (_, to) => {
  const at = beside(to, box, window)!;
  expect(overlap(at, to)).toBe(false);
  expect(overlap(at, { left: -1e4, top: -1e4, width: 1e4, height: 2e4 })).toBe(false);
  expect(at.left + at.width).toBeLessThanOrEqual(window.width);
  expect(at.top + at.height).toBeLessThanOrEqual(window.height);
});

test('in a corner, if there is no room beside it', () => {
  const all = { left: 0, top: 0, ...window };
  expect(beside(all, box, window)).toBeUndefined();
  expect(apart({ left: 400, top: 400, width: 320, height: 280 }, box, window)).toMatchObject({ left: 8, top: 8 });
});

/** What is said about a token, a line or a cell is true in the cases that are easily forgotten. */
import { describe, expect, test } from 'vitest';
import type { Block, Intervention, Sequence, Trace } from '../../src/trace/model/trace.js';
import { cut, fabricate, fabricateIds, names, partsOf } from './fabricate.js';
import { fabricateMoe } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages } from './pages.js';

const openPage = pages();
let panel: Panel;

async function open(trace: Trace, { before, setup = {} }: { before?: Trace; setup?: Setup } = {}): Promise<void> {
  panel = await openPage(setup);
  await panel.show(trace, before ? { before } : {});
}

const sentence = () => panel.page.locator('.tabBody .sentence').first().innerText();
const body = () => panel.page.locator('.tabBody').innerText();

/** Another run, with other columns. */
const withBlock = (trace: Trace, change: (block: Block) => Partial<Block>): Trace => ({
  ...trace,
  // What the page has of a run is known by this object.
  source: { ...trace.source },
  blocks: trace.blocks.map((block) => ({ ...block, ...change(block) })),
});

describe('a what-if that leaves the choices as they are', () => {
  const everywhere: Intervention[] = [{ action: 'logit-bias', expert: 'prose', amount: 0.1, scope: {} }];
  const before = fabricate({ tokens: 40 });
  // Only the weights move.
  const after = withBlock({ ...before, interventions: everywhere }, ({ weight }) => ({
    weight: weight!.map((w, i) => (i % 2 === 0 ? w - 0.1 : w + 0.1)),
  }));
  const { chosen, weight } = partsOf(before);

  test('is not said to change nothing in a cell whose weights moved', async () => {
    await open(after, { before });
    await panel.post({ type: 'select', token: 20, module: 100 });
    const [first] = chosen(100, 20);
    await expect.poll(sentence).toContain(`Before the what-if: ${names[first!]!} (${weight(100, 20).toFixed(2)}), `);
    await open({ ...withBlock(before, () => ({})), interventions: everywhere }, { before });
    await panel.post({ type: 'select', token: 20, module: 100 });
    await expect.poll(sentence).toContain('The same experts as before the what-if.');
  });

  test('has what it did to the predictions', async () => {
    const text = after.sequences[0]!;
    const moved = {
      ...withBlock(after, () => ({})),
      sequences: [{ ...text, logProb: text.logProb!.map((x) => x - 0.1) }],
    };
    await open(moved, { before });
    await panel.press('tab-whatIf');
    await expect.poll(body).toContain('The what-if changes no choice.');
    await expect.poll(body).toMatch(/The text is\s+9\.5% less likely per token/);
    await expect.poll(body).toMatch(/Predictions moved by/);
    expect(await panel.page.locator('[data-figure=effectByLayer]').count()).toBe(0);
  });
});

describe('predictions', () => {
  const stopped = cut(fabricate({ tokens: 40 }), 25);
  const predictions = async (trace: Trace) => {
    await open(trace);
    await panel.press('tab-predictions');
  };

  test('of a token that is not routed yet are still to come', async () => {
    await predictions(stopped);
    await panel.post({ type: 'select', token: 30 });
    await expect.poll(sentence).toBe('This token has not been routed yet.');
    await panel.post({ type: 'select', token: 0 });
    await expect.poll(sentence).toBe('The first token is given, not predicted.');
  });

  test('after the last token of a stopped run are not those after the end', async () => {
    await predictions(stopped);
    await expect.poll(body).toContain('No token is selected: this is the last routed one.');
    await expect.poll(body).toContain('Next after the last routed token');
    expect(await body()).not.toContain('Next after the end');
  });

  test('of the output are shown beside a selected token of the input, which has none', async () => {
    const output = fabricate({ tokens: 40 }).sequences[0]!;
    const ids = fabricateIds({ output: 40 });
    const { logProb, topIds, topLogProb, topTokens, predictions: count } = output;
    const known = { ...ids.sequences[1]!, predictions: count, logProb, topIds, topLogProb, topTokens } as Sequence;
    await predictions({ ...ids, sequences: [ids.sequences[0]!, known] });
    await panel.post({ type: 'select', sequence: 0, token: 3 });
    await expect.poll(body).toContain('An input has no predictions: this is the last routed token of the output.');
    expect(await body()).not.toContain('No token is selected');
  });
});

/** Merged: all experts everywhere, with the same weight. */
const even = (trace: Trace): Trace => ({
  ...withBlock(trace, ({ from, to }) => {
    const cells = (to - from) * trace.sequences[0]!.tokens.count;
    const k = names.length;
    return {
      k,
      chosen: Int16Array.from({ length: cells * k }, (_, i) => i % k),
      weight: new Float32Array(cells * k).fill(1 / k),
      contribution: undefined!,
    };
  }),
  router: { name: 'merged' },
});

const rungs = () => panel.page.locator('.rung').evaluateAll((all) => all.map((one) => (one as HTMLElement).title));

const mapSays = () => panel.page.locator('.plot .empty').allInnerTexts();

test('before anything is selected, what is said of the text is of what colours it', async () => {
  const how = () => panel.page.locator('.how').innerText();
  await open(fabricate({ tokens: 60, layers: 3 }));
  await panel.press('tab-cell');
  await expect.poll(how).toContain('underlined by the expert that leads over all');
  await panel.page.locator('[data-focus=colour-by]').selectOption('entropy');
  await expect.poll(how).toContain('Each token has the colour of its number');
  expect(await how()).not.toContain('underlined');
  await panel.page.locator('[data-focus=colour-by]').selectOption('nothing');
  await expect.poll(how).toContain('Nothing colours the text:');
});

describe('who leads', () => {
  const plain = fabricate({ tokens: 60, layers: 3 });

  test('is nobody where all experts have the same share', async () => {
    await open(even(plain));
    await panel.post({ type: 'select', token: 20 });
    await expect.poll(sentence).toBe('All experts have the same share (8.3%): none leads.');
    await expect.poll(rungs).toEqual([0, 1, 2].map((layer) => `layer ${layer}: no expert leads `));
    // Nor on the map, which lists them all.
    await panel.goTo(20, 1);
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toMatch(/no expert leads$/);
    await expect.poll(mapSays).toEqual(['No cell has a colour: all experts have the same weight, so none leads.']);
    await panel.show(plain);
    await expect.poll(mapSays).toEqual([]);
    await panel.show(fabricate({ tokens: 60, layers: 3, strategy: { name: 'base' } }));
    await expect.poll(mapSays).toEqual(['No cell has a colour: the base model runs without experts.']);
  });

  test('is each of those that have the largest share', async () => {
    const half = ({ chosen, weight }: Block) => ({
      chosen: chosen.map((_, i) => i % 2),
      weight: weight!.map(() => 0.5),
    });
    await open(withBlock(plain, half));
    await panel.post({ type: 'select', token: 20 });
    await expect.poll(sentence).toBe('Over all 21 modules, c and css lead equally, with 50% of the weight each.');
    await expect.poll(rungs).toEqual([0, 1, 2].map((layer) => `layer ${layer}: c and css 50%`));
  });

  test('by layer has a share of the weight, whatever a mixture’s weights add up to', async () => {
    const scaled = withBlock(fabricateMoe({ tokens: 40 }), ({ weight }) => ({ weight: weight!.map((w) => 2.5 * w) }));
    const { weight, k } = scaled.blocks[0]!;
    await open(scaled);
    await panel.post({ type: 'select', token: 20 });
    const shares = [...Array(8).keys()].map((layer) => weight![(layer * 40 + 20) * k]! / 2.5);
    await expect
      .poll(async () => (await rungs()).map((title) => / (\d+)%$/.exec(title)?.[1]))
      .toEqual(shares.map((share) => String(Math.round(100 * share))));
  });

  const [first, last] = ((): [number, number] => {
    const { text, tokens } = plain.sequences[0]!;
    const from = text!.indexOf('A flock');
    const to = text!.indexOf('\n', from);
    const own = [...tokens.start!.keys()].filter((t) => tokens.start![t]! >= from && tokens.start![t]! <= to);
    return [own[0]!, own.at(-1)!];
  })();
  const count = last + 1 - first;

  /** Its third line, in the map's first layer. */
  async function selectLine(trace: Trace): Promise<void> {
    await open(trace, { setup: { width: 700, height: 780 } });
    await panel.press('segment-Lines');
    await panel.goTo(0, 2);
    await panel.page.keyboard.press('Enter');
  }

  test('of a line whose weights are not known has a share of the choices', async () => {
    await selectLine(withBlock(plain, () => ({ weight: undefined! })));
    await expect
      .poll(sentence)
      .toMatch(new RegExp(`^Of the choices of these ${count} tokens, \\w+ has the largest share`));
  });

  test('of a line that is routed in part is said of the tokens that are', async () => {
    await selectLine(cut(plain, first + 4));
    await expect
      .poll(sentence)
      .toMatch(
        new RegExp(
          `^Of the weight of these 4 tokens, \\w+ has the largest share: \\d+%. Of the other ${count - 4} tokens, nothing is known. ` +
            'Token by token, .* of the 4 with a leader\\.$',
        ),
      );
    await expect
      .poll(() => panel.page.locator('.cell').getAttribute('aria-label'))
      .toMatch(/leads? .*of the 4 tokens with a leader$/);
    const box = (await panel.page.locator('.cell').boundingBox())!;
    await panel.page.mouse.move(box.x + 3, box.y + 3);
    await expect
      .poll(() => panel.page.locator('.tip').innerText())
      .toContain('Share that each leads of the line’s tokens with a leader');
  });
});

test('a token that went through no router is not said to have no expert', async () => {
  await open(fabricateIds());
  await panel.post({ type: 'select', sequence: 1, token: 39 });
  await panel.page.locator('[data-focus=colour-layer]').selectOption('decoder 4');
  const span = panel.page.locator('.text').last().locator('.t').last();
  await span.hover();
  await expect.poll(() => span.getAttribute('title')).toMatch(/nothing is known here$/);
  await expect.poll(rungs).toEqual([2, 3, 4, 5, 6, 7].map((l) => `decoder layer ${l}: nothing is known here `));
  await panel.press('grid-asTable');
  const cells = panel.page.locator('.gridTable tbody tr td:nth-child(2)');
  await expect.poll(() => cells.allInnerTexts()).toEqual(Array<string>(6).fill('nothing is known here'));
});

test('a selection score is not called a router logit, and its margin neither close nor clear', async () => {
  const biased = withBlock(fabricateMoe({ tokens: 40 }), ({ score }) => ({
    selection: score!.map((x) => 1 / (1 + Math.exp(-x)) + 0.01),
  }));
  await open(biased);
  await panel.post({ type: 'select', token: 20, module: 3 });
  await expect.poll(sentence).toMatch(/By selection score, the best one left out is [<\d.]+ behind\. Over/);
  const figure = panel.page.locator('[data-figure=routerLogits]');
  await expect.poll(() => figure.innerText()).toContain('Selection score of every expert');
  await panel.press('table-routerLogits');
  await expect.poll(() => figure.locator('thead').innerText()).toMatch(/Selection score\s+Router logit\s+Share/);
});

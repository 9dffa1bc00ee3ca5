/** What is said about a token, a line or a cell is true in the cases that are easily forgotten. */
import { describe, expect, test } from 'vitest';
import type { Block, Intervention, Sequence, Trace } from '../../src/trace/model/trace.js';
import { cut, fabricate, fabricateIds, names, partsOf } from './fabricate.js';
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

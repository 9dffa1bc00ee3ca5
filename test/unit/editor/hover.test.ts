/** What the hover says of a token, in words that a newcomer can read. */
import { expect, test } from 'vitest';
import type * as vscode from 'vscode';
import { RoutingHover } from '../../../src/editor/hover.js';
import type { ColourChoice } from '../../../src/trace/figures/colouring.js';
import type { Intervention, Trace } from '../../../src/trace/model/trace.js';
import { fabricateMoe } from '../../webview/fabricateMoe.js';
import { fabricate } from '../trace/fabricate.js';

interface Beside {
  readonly before?: Trace;
  readonly other?: { readonly title: string; readonly trace: Trace };
  /** The panel colours the text by something else. */
  readonly isHidden?: boolean;
  readonly colour?: ColourChoice;
}

const hovered = (layers: number, interventions?: readonly Intervention[]) =>
  contentOf(layers, interventions).replaceAll('\u00a0', ' ');

/** @param layers of the pool that routed the text @param beside what the run is compared with, where the panel draws a change */
function contentOf(layers: number, interventions: readonly Intervention[] = [], beside?: Beside): string {
  return contentIn(fabricate({ layers }), interventions, beside);
}

function contentIn(trace: Trace, interventions: readonly Intervention[] = [], beside?: Beside): string {
  const { other, before } = beside ?? {};
  const main = { trace, interventions, ...(before && { before }) };
  const store = {
    at: () => ({ id: 1, main, ...(other && { other }), span: { start: 0 }, fresh: 100 }),
    tokenAt: () => 3,
    tokenSpans: () => trace.sequences[0]!.tokens,
  };
  const hover = new RoutingHover(
    store as never,
    {
      of: () => beside?.colour ?? { by: 'experts', layer: '' },
      overlayOf: () => (beside && !beside.isHidden ? 'change' : ''),
    } as never,
    { unit: () => undefined } as never,
  );
  const document = { uri: 'x', offsetAt: () => 0, positionAt: () => 0 };
  return (hover.provideHover(document as never, 0 as never)!.contents as unknown as vscode.MarkdownString).value;
}

test('says how many layers a block stands for, if it is several', () => {
  expect(hovered(30)).toContain('layers 0 to 29, each block is 2 layers\n');
  expect(hovered(10)).toMatch(/layers 0 to 9\n/);
});

test('gives the scale of the contributions, whose bars begin where those of the weights do', () => {
  const lines = hovered(10).split('\n');
  const contributions = lines.filter((line) => line.includes('contribution'));
  expect(contributions).toHaveLength(3);
  const begin = contributions.map((line) => /^ *contribution up to [\d.]+% {2}/.exec(line)![0].length);
  expect(new Set(begin).size).toBe(1);
  // The highest of all is a whole block.
  expect(contributions.filter((line) => line.includes('█'))).not.toEqual([]);
  const weights = lines.filter((line) => /[\d.]+% {2}/.test(line) && !contributions.includes(line));
  expect(weights.map((line) => line.slice(0, begin[0]).trimEnd().at(-1))).toEqual(['%', '%', '%']);
  expect(weights.map((line) => line.slice(begin[0]).trimEnd().length <= 10)).toEqual([true, true, true]);
});

test('says in words what the margin is, and where words are explained', () => {
  expect(hovered(2)).toMatch(
    /the best expert left out is \d\.\d{3} behind on average \(mean margin\) · \[[^\]]+\]\(command:gander.openGlossary\)$/,
  );
});

test('says the margin once where that colours the text', () => {
  const said = (layer: string) => contentOf(2, [], { isHidden: true, colour: { by: 'margin', layer } });
  const mean = /left out is (\d\.\d{3}) behind/.exec(contentOf(2))![1]!;
  expect(said('')).toContain(`margin, all layers: ${mean}`);
  expect(said('')).not.toContain('behind on average');
  // That of one layer is another number.
  expect(said('1')).toMatch(/margin, layer 1: \d\.\d{3} · /);
  expect(said('1')).toContain(`left out is ${mean} behind on average`);
});

test('breaks its sentences into lines where there is no room for one, and no row of the table', () => {
  const [first, , ...rest] = contentOf(2).split('\n');
  expect(first).not.toContain('&nbsp;');
  const isRow = (line: string) => /[▁-█]/.test(line);
  expect(rest.filter(isRow).length).toBeGreaterThan(3);
  expect(rest.filter((line) => isRow(line) && line.includes(' '))).toEqual([]);
  expect(rest.at(-1)).toContain('behind on average');
  expect(rest.at(-1)).not.toMatch(/&nbsp;|\u00a0/);
});

test('says in its first line that the run has what-ifs, and then which', () => {
  expect(hovered(2)).not.toContain('what-if');
  const asked: Intervention[] = [{ action: 'knock-out', expert: 'e1', scope: {} }];
  const [first, ...rest] = hovered(2, asked).split('\n');
  expect(first).toMatch(/ · with 1 what-if$/);
  expect(rest.find(Boolean)).toMatch(/ knocked out everywhere$/);
});

test('counts what-ifs without those that later ones overrule, as it lists them', () => {
  const asked: Intervention[] = [
    { action: 'knock-out', expert: 'expert-1', scope: {} },
    { action: 'force', expert: 'expert-1', scope: {} },
  ];
  expect(hovered(2, asked).split('\n')[0]).toMatch(/ · with 1 what-if$/);
});

test('says how the token differs while the panel colours the text by that', () => {
  // One of the two experts of each cell of token 3 is another.
  const before = fabricate({ layers: 2 });
  const [block] = before.blocks;
  const { count } = before.sequences[0]!.tokens;
  before.modules.forEach((_, s) => {
    const at = (s * count + 3) * 2;
    block!.chosen[at] = [0, 1, 2].find((e) => !block!.chosen.subarray(at, at + 2).includes(e))!;
  });
  const said = '50% of the chosen experts differ';
  expect(contentOf(2, [], { before })).toContain(`\n\nCompared with the run without what-ifs: ${said}\n\n`);
  expect(contentOf(2, [], { before, isHidden: true })).not.toContain('differ');
  // A title comes from outside.
  const other = { title: 'Top-k\n**2**', trace: before };
  expect(contentOf(2, [], { other })).toContain(`Compared with Top-k **2**: ${said}`);
  const fixed = fabricate({ layers: 2, experts: 2, k: 2 });
  const [sequence] = fabricate({ layers: 2 }).sequences;
  const trace = { ...fixed, sequences: [{ ...sequence!, logProb: sequence!.logProb!.map((x) => x - 0.25) }] };
  expect(contentOf(2, [], { other: { title: 'One', trace } })).toContain(
    'Compared with One: the other run finds the token less likely, −0.25 nats',
  );
  expect(contentOf(2)).not.toContain('Compared');
});

test('says that nothing is known of a token, not that no expert takes part', () => {
  const unknown = (trace: Trace, layers: readonly number[]) => {
    const { count } = trace.sequences[0]!.tokens;
    const blocks = trace.blocks.map(({ weight: _, ...block }) => {
      const chosen = block.chosen.slice();
      for (const s of layers) chosen.fill(-1, (s * count + 3) * block.k, (s * count + 4) * block.k);
      return { ...block, chosen };
    });
    return { ...trace, blocks };
  };
  const pool = fabricate({ layers: 2 });
  const said = contentIn(unknown(pool, [...pool.modules.keys()]));
  expect(said).toContain('The source says nothing about this token.');
  expect(said).not.toContain('No expert takes part.');
  const mixture = fabricateMoe({ tokens: 60, layers: 4 });
  expect(contentIn(unknown(mixture, [2]))).toMatch(/^layer 2: nothing is known here$/m);
  expect(contentIn(unknown(mixture, [0, 1, 2, 3]))).toContain('The source says nothing about this token.');
});

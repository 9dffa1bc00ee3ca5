/** An ordinary mixture of experts with everything that its router reports: 128 experts in each of 48 layers, 8 per token. */
import { describe, expect, test } from 'vitest';
import { load } from '../../src/statistics/load.js';
import { pairsOf } from '../../src/statistics/pairs.js';
import { rowsAt, sharedModules } from '../../src/trace/model/access.js';
import { slotsIn } from '../../src/trace/figures/colours.js';
import { measured } from '../../src/trace/figures/colouring.js';
import { coactivation, usage } from '../../src/trace/figures/usage.js';
import { fabricateMoe, moeDescription } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const openPage = pages();
let panel: Panel;

const trace = fabricateMoe({ layers: 48, experts: 128, k: 8, tokens: 300 });
const count = trace.sequences[0]!.tokens.count;

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
  await panel.post({ type: 'pool', description: moeDescription });
  const strategy = { name: 'mixtral', k: 8 };
  await panel.side('main', { title: 'geese.md', strategy, interventions: [], stale: false, trace });
}

async function text(selector: string): Promise<string> {
  await panel.settled();
  return panel.page.locator(selector).first().innerText();
}

async function showTab(name: string): Promise<string> {
  await panel.page.locator(`#tab-${name}`).click();
  const shown = await text('.tabBody');
  expect(shown, name).not.toMatch(/NaN|undefined|Infinity|\[object/);
  return shown;
}

async function choose(focus: string, value: string): Promise<void> {
  await panel.page.locator(`[data-focus=${focus}]`).selectOption(value);
  await panel.settled();
}

const valueOf = (focus: string) => panel.page.locator(`[data-focus=${focus}]`).inputValue();
const label = async () => {
  await panel.settled();
  return (await panel.page.locator('.cell').getAttribute('aria-label'))!;
};

/** For each token of the text, the class with its colour or its strength. */
async function dressed(pattern: string): Promise<(string | undefined)[]> {
  await panel.settled();
  return panel.page
    .locator('.tokens .t')
    .evaluateAll(
      (spans, wanted) => spans.map((span) => [...span.classList].find((name) => new RegExp(wanted).test(name))),
      pattern,
    );
}

/** The colours of a text by a layer's experts. */
function expertsOf(layer: number): string[] {
  const rows = rowsAt(trace, layer);
  const slots = slotsIn(trace, rows.set);
  return Array.from({ length: count }, (_, t) => slots[rows.chosen[t * rows.k]!]!).map((slot) =>
    slot < 0 ? 'xo' : `x${slot}`,
  );
}

describe('k of a mixture', () => {
  const described = (can: Partial<typeof moeDescription.can>) =>
    panel.post({ type: 'pool', description: { ...moeDescription, can: { ...moeDescription.can, ...can } } });
  const field = () => panel.page.locator('[data-focus=strategy-k]');

  test('goes to the host if the model accepts another', async () => {
    await open();
    await described({ k: true, strategies: [{ name: 'native', title: 'Its own router', hint: '', takes: ['k'] }] });
    await expect.poll(() => panel.page.locator('[data-focus=strategy]').innerText()).toBe('Its own router');
    await expect
      .poll(async () => [await field().inputValue(), await field().getAttribute('max')])
      .toEqual(['8', '128']);
    await field().fill('3');
    await field().blur();
    await expect
      .poll(async () => (await panel.sent('route')).map(({ strategy }) => strategy))
      .toEqual([{ name: 'native', k: 3 }]);
  });

  test('stands beside the model’s router, whose menu says why there is no other strategy', async () => {
    await open();
    const strategy = panel.page.locator('[data-focus=strategy]');
    await expect.poll(() => strategy.innerText()).toBe('The model’s router');
    expect(await strategy.getAttribute('aria-disabled')).toBe(null);
    await strategy.click();
    await expect
      .poll(() => panel.page.locator('.menu:popover-open').innerText())
      .toMatch(/trained together with the experts \(native router\): there is no other strategy/);
    expect(await panel.serious()).toEqual([]);
  });

  test('says why it cannot be changed', async () => {
    await open();
    await described({ k: { reason: 'It is written in.' } });
    await expect.poll(() => field().isDisabled()).toBe(true);
    await expect.poll(() => field().getAttribute('title')).toBe('It is written in.');
  });
});

test('the legend of a mixture has shares of the choices of one layer, and says so', async () => {
  await open();
  const first = panel.page.locator('.legend .chip').first();
  await expect.poll(() => first.getAttribute('title')).toMatch(/: [\d.]+% of the choices of layer 0$/m);
});

describe('128 experts, 8 chosen, 48 layers', { tags: ['slow'] }, () => {
  testMany(
    [
      { theme: 'dark', width: 1280, height: 720 },
      { theme: 'light', width: 1440, height: 900 },
      { theme: 'high-contrast', width: 600, height: 800 },
    ] as const,
    'every view ($theme, $width × $height)',
    async ({ theme, width, height }) => {
      await open({ theme, width, height });
      const shot = (name: string) => picture(panel.page, `${theme}-moe-${name}`);
      await shot('first');
      await panel.press('segment-Grid');
      await expect.poll(() => text('.gridView .caption')).toContain('Colours are each row’s own');
      // One router per layer, so there is nothing to open.
      await expect.poll(() => panel.page.locator('[data-focus=segment-Modules]').count()).toBe(0);
      await expect.poll(() => panel.page.locator('.cells').getAttribute('aria-rowcount')).toBe('48');
      const summary = await showTab('summary');
      const share = usage(trace, sharedModules(trace, { layer: 0 })!).share;
      expect(summary).toContain(`${load(share).effective.toFixed(1)} of 128`);
      expect(summary).toContain(load(share).cv.toFixed(2));
      expect(summary).toContain(`${load(share).dead.length} experts`);
      await shot('summary');
      for (const tab of ['summary', 'cell', 'predictions', 'whatIf', 'compare']) {
        await showTab(tab);
        expect(await panel.serious(), tab).toEqual([]);
      }
      await panel.post({ type: 'select', token: 60, module: 12 });
      await showTab('cell');
      await shot('cell');
      await choose('colour-by', 'entropy');
      await shot('entropy');
      await expect.poll(() => panel.page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    },
  );

  test('a text by the experts of a layer: the choice is in view, works by keyboard, and is sent to the editor', async () => {
    await open();
    await expect.poll(() => dressed('^x')).toEqual(expertsOf(0));
    await choose('colour-layer', '7');
    await expect.poll(() => dressed('^x')).toEqual(expertsOf(7));
    await panel.page.locator('[data-focus=colour-layer]').focus();
    await panel.page.keyboard.press('ArrowDown');
    await expect.poll(() => dressed('^x')).toEqual(expertsOf(8));
    await expect.poll(() => valueOf('colour-layer')).toBe('8');
    const told = await panel.sent('colour');
    expect(told.map(({ by, layer }) => [by, layer])).toEqual([
      ['experts', '7'],
      ['experts', '8'],
    ]);
    // Chosen in the tree, by a command, or in another panel.
    await panel.post({ type: 'colour', by: 'experts', layer: '40', over: '', passed: false });
    await expect.poll(() => dressed('^x')).toEqual(expertsOf(40));
    await expect.poll(() => panel.sent('colour')).toHaveLength(2);
  });

  test('a text by a measure, over all layers or at one', async () => {
    await open();
    for (const by of ['entropy', 'margin', 'weight', 'probability'] as const) {
      await choose('colour-by', by);
      const { strength, value } = measured(trace, 0, by);
      const levels = Array.from(strength, (x) => (Number.isNaN(x) ? undefined : `s${Math.min(4, Math.floor(x * 5))}`));
      await expect.poll(() => dressed('^s\\d'), { message: by }).toEqual(levels);
      expect(new Set(levels).size, by).toBeGreaterThan(3);
      const token = panel.page.locator('.tokens .t').nth(40);
      await panel.page.locator('.tokens .t').nth(10).hover();
      await token.hover();
      await expect.poll(() => token.getAttribute('title'), { message: by }).toContain(`${by} ${value[40]!.toFixed(2)}`);
      await expect
        .poll(() => panel.page.locator('.scale').first().getAttribute('aria-label'))
        .toMatch(/From [≤≥]?[\d.]+, weak, to [≤≥]?[\d.]+, strong/);
    }
    await expect.poll(() => panel.page.locator('[data-focus=colour-layer]').count()).toBe(0);
    await choose('colour-by', 'weight');
    await expect.poll(() => valueOf('colour-layer')).toBe('');
    await choose('colour-layer', '46');
    const at = measured(trace, 0, 'weight', { layer: 46 }).strength;
    await expect.poll(async () => (await dressed('^s\\d'))[40]).toBe(`s${Math.min(4, Math.floor(at[40]! * 5))}`);
    // Looking at another row does not measure another layer.
    await panel.post({ type: 'select', token: 40, module: 3 });
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('ArrowDown');
    await expect.poll(() => label()).toContain('layer 4, ');
    await expect.poll(() => valueOf('colour-layer')).toBe('46');
  });

  test('a row has its own experts and its own load, and pressing its header colours the text', async () => {
    await open();
    const box = (await panel.page.locator('.scroller').boundingBox())!;
    // Rows have equal heights, below the numbers of the tokens.
    const row = 20;
    const y = box.y + 18 + ((box.height - 24) / 48) * (row + 0.5);
    await panel.page.mouse.move(box.x + 40, y);
    const own = usage(trace, sharedModules(trace, { layer: row })!).share;
    await expect.poll(() => text('.tip')).toContain(`layer ${row}`);
    const tip = await text('.tip');
    expect(tip).toContain(`${load(own).effective.toFixed(1)} of 128`);
    expect(tip).toMatch(new RegExp(`Never chosen \\(dead experts\\)\\s+${load(own).dead.length}`));
    await panel.page.mouse.click(box.x + 40, y);
    await expect.poll(() => dressed('^x')).toEqual(expertsOf(row));
    // A cell is the router's own, with no module in between.
    await panel.post({ type: 'select', token: 60, module: row });
    const first = rowsAt(trace, row).chosen[60 * 8]!;
    await expect.poll(() => label()).toContain(`layer ${row}, expert ${first} `);
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('ArrowRight');
    const cell = await showTab('cell');
    expect(cell).toContain(`Layer ${row}’s router sends it to expert ${rowsAt(trace, row).chosen[61 * 8]!}`);
    expect(cell).toContain('Margin');
    await expect.poll(() => panel.page.locator('[data-focus=detail-layer]').count()).toBe(0);
  });

  test('load by layer and the pairs chosen together, in numbers', async () => {
    await open();
    await showTab('summary');
    await panel.page.locator('[data-focus=table-loadByLayer]').click();
    await panel.settled();
    const cells = panel.page.locator('[data-figure=loadByLayer] tbody tr').nth(46).locator('td');
    const { effective, dead, cv, entropyRatio } = load(usage(trace, sharedModules(trace, { layer: 46 })!).share);
    await expect
      .poll(() => cells.allInnerTexts())
      .toEqual([`${effective.toFixed(1)} of 128`, String(dead.length), cv.toFixed(2), entropyRatio.toFixed(2)]);
    await panel.page.locator('[data-focus="load-46"]').click();
    await expect.poll(() => valueOf('colour-layer')).toBe('46');
    const [best] = pairsOf(coactivation(trace, sharedModules(trace, { layer: 46 })!));
    const pair = panel.page.locator('.pairs > span').first();
    await expect
      .poll(async () => (await pair.innerText()).split(/\s+/))
      .toEqual(`${best!.a} ${best!.b} ${best!.count} times, ${best!.expected.toFixed(1)} expected`.split(' '));
    await expect.poll(() => panel.page.locator('[data-figure=usageByLayer]').count()).toBe(0);
  });

  test('the attribution to experts of all layers', async () => {
    await open();
    const experts = [3, 40].flatMap((layer) => trace.expertSets[layer]!.experts);
    const N = experts.length;
    const change = Float32Array.from({ length: count * N }, (_, i) => (i < N ? NaN : i % N === 128 + 7 ? -0.5 : 0.01));
    const strategy = { name: 'mixtral', k: 8 };
    const attribution = { experts, logProb: trace.sequences[0]!.logProb!, change };
    await panel.side('main', { title: 'a', strategy, interventions: [], stale: false, trace, attribution });
    const shown = await showTab('whatIf');
    expect(shown).toContain('The 24 of 256 experts with the largest attribution.');
    expect(shown).toContain('Of 256 experts; no others were tried.');
    const figure = panel.page.locator('[data-figure=attribution]');
    await expect
      .poll(async () => (await figure.locator('.bar').first().innerText()).split('\n').slice(0, 2))
      .toEqual(['7', 'layer 40, expert 7']);
    await expect.poll(() => figure.locator('.bar').count()).toBe(24);
    const row = figure.locator('tbody tr').nth(1).locator('td');
    await expect.poll(() => row.allInnerTexts()).toEqual([expect.stringContaining('layer 40, expert 7'), '−0.50']);
  });

  test('after a what-if was applied, a click in the map moves the form to the layer that was clicked', async () => {
    await open({ width: 1280, height: 900 });
    const can = { ...moeDescription.can, whatIf: true } as const;
    await panel.post({ type: 'pool', description: { ...moeDescription, can } });
    await showTab('whatIf');
    await panel.goTo(20, 2);
    await expect.poll(() => valueOf('whatif-where')).toBe('layer:2');
    const applied = await valueOf('whatif-expert');
    await panel.press('whatif-apply');
    await expect.poll(() => panel.sent('route')).toHaveLength(1);
    const [knockOut] = (await panel.sent('route'))[0]!.interventions;
    expect(knockOut).toEqual({ action: 'knock-out', expert: applied, scope: { layer: 2 } });
    const strategy = { name: 'mixtral', k: 8 };
    await panel.side('main', {
      title: 'geese.md',
      strategy,
      interventions: [knockOut!],
      stale: false,
      trace: { ...trace, interventions: [knockOut!] },
      before: trace,
    });
    // The form stays what was applied until something else is clicked.
    await expect.poll(() => valueOf('whatif-where')).toBe('layer:2');
    await expect.poll(() => valueOf('whatif-expert')).toBe(applied);
    const { x, y, width, height } = (await panel.page.locator('.cell').boundingBox())!;
    await panel.page.mouse.click(x + width / 2, y + 3.5 * height);
    await expect.poll(() => valueOf('whatif-where')).toBe('layer:5');
    await expect.poll(label).toContain('layer 5');
    const rows = rowsAt(trace, 5);
    const leads = rows.set.experts[rows.chosen[20 * rows.k]!]!.id;
    await expect.poll(() => valueOf('whatif-expert')).toBe(leads);
    await picture(panel.page, 'dark-moe-what-if-moved');
  });

  test('two runs are compared layer by layer', async () => {
    await open();
    await panel.side('other', {
      title: 'other',
      strategy: { name: 'mixtral', k: 8 },
      interventions: [],
      stale: false,
      trace: fabricateMoe({ layers: 48, experts: 128, k: 8, tokens: 300, seed: 6 }),
    });
    const compared = await text('.tabBody');
    expect(compared).toMatch(/Top-k overlap\s+[\d.]+% \(chance 6\.3%\)/);
    await expect.poll(() => panel.page.locator('[data-figure=compareByLayer] .line').count()).toBe(1);
    expect(compared).toContain('loads cannot be compared over layers');
  });
});

test('a run asked for while a pool was chosen is not offered its own router to compare with', async () => {
  panel = await openPage({ width: 1000, height: 800 });
  const native = { name: 'native', title: 'The model’s router', hint: '', takes: ['k'] as const };
  const can = { ...moeDescription.can, strategies: [native], k: true as const };
  await panel.post({ type: 'pool', description: { ...moeDescription, can } });
  await panel.side('main', {
    title: 'geese.md',
    strategy: { name: 'phatgoose', k: 3 },
    interventions: [],
    stale: false,
    trace: fabricateMoe(),
  });
  await panel.settled();
  await panel.page.locator('#tab-compare').click();
  await panel.page.locator('[data-focus=compare-editor]').waitFor();
  expect(await panel.page.locator('[data-focus=compare-now]').count()).toBe(0);
});

test('16 experts, 2 chosen: each has a colour, and a chip says which layer’s it is', async () => {
  panel = await openPage({ width: 460, height: 800 });
  await panel.post({ type: 'pool', description: moeDescription });
  const few = fabricateMoe();
  await panel.side('main', {
    title: 'geese.md',
    strategy: { name: 'mixtral', k: 2 },
    interventions: [],
    stale: false,
    trace: few,
  });
  await panel.settled();
  const chips = panel.page.locator('.chip');
  await expect.poll(() => chips.count()).toBe(16);
  await expect.poll(() => chips.first().innerText()).toMatch(/^expert (\d+)[\s\S]*%$|^(\d+)[\s\S]*expert \2/);
  await picture(panel.page, 'dark-460-moe-few');
  await expect.poll(() => panel.page.evaluate(() => document.documentElement.scrollWidth)).toBe(460);
});

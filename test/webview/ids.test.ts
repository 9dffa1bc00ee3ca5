/** A source that gives only ids can be shown in every view, with no wrong figure and no empty promise. */
import { describe, expect, test } from 'vitest';
import { colourCount, slotsOf } from '../../src/look/palette.js';
import { rowsAt } from '../../src/trace/model/access.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { fabricateIds, serverDescription } from './fabricate.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const openPage = pages();
let panel: Panel;

async function open(trace: Trace, setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
  await panel.post({ type: 'pool', description: serverDescription });
  await panel.side('main', {
    title: 'A server',
    strategy: { name: 'unknown' },
    interventions: [],
    stale: false,
    trace,
  });
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

async function select(sequence: number, token: number, s?: number): Promise<void> {
  await panel.post({ type: 'select', sequence, token, ...(s !== undefined && { module: s }) });
}

const label = async () => {
  await panel.settled();
  return panel.page.locator('.cell').getAttribute('aria-label');
};

/** Expert indexes of a routed module, the most used first. */
function byUse(trace: Trace, s: number): number[] {
  const counts = new Map<number, number>();
  for (const e of rowsAt(trace, s).chosen) if (e >= 0) counts.set(e, (counts.get(e) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([e]) => e);
}

describe('only ids, each layer’s own experts, two texts', { tags: ['slow'] }, () => {
  const trace = fabricateIds();
  const [encoder, decoder] = [trace.blocks[0]!, trace.blocks[1]!];

  testMany(['dark', 'light', 'high-contrast'] as const, 'every view (%s)', async (theme) => {
    await open(trace, { theme });
    const shot = (name: string) => picture(panel.page, `${theme}-ids-${name}`);
    await shot('first');

    // One map, one scale, a gap between the texts.
    const cells = panel.page.locator('.cells');
    await expect.poll(() => cells.getAttribute('aria-rowcount')).toBe('12');
    await expect.poll(() => cells.getAttribute('aria-colcount')).toBe('102');
    await expect.poll(() => panel.page.locator('.text').count()).toBe(2);
    await expect.poll(() => text('.gridView .caption')).toContain('gives no weights');

    // A cell: the experts chosen, by layer and number, and that no weight is known.
    await select(0, 20, 3);
    const first = encoder.chosen[(3 * 60 + 20) * 8]!;
    await expect.poll(() => label()).toContain(`input, token 21 of 60, encoder layer 5, expert ${first}, `);
    await expect.poll(() => label()).not.toMatch(/\d\.\d/);
    const cell = await showTab('cell');
    expect(cell).toContain(`In encoder layer 5, router, it is sent to expert ${first}`);
    expect(cell).toContain('gives no weights');
    expect(cell).toContain('holds no router logits');
    expect(cell).not.toContain('Margin');
    await shot('cell');

    // A token over all layers: no expert leads, because layers share none.
    await select(0, 20);
    await panel.page.locator('[data-focus=detail-token]').click();
    await expect.poll(() => text('.sentence')).toContain('Each layer has experts of its own');
    await shot('token');

    // A token that does not go through a layer is not said to have 0 there.
    await select(1, 5, 2);
    await expect.poll(() => label()).toContain('output, token 6 of 40');
    await expect.poll(() => label()).toContain('does not pass through here');
    await expect.poll(() => text('.sentence')).toContain('does not pass through encoder layer 4');
    await select(1, 39, 8);
    await expect.poll(() => label()).toContain('nothing is known here');
    await expect.poll(() => text('.sentence')).toContain('says nothing about this token');

    expect(await showTab('summary')).toMatch(/Of decoder layer \d · output|Of encoder layer \d · input/);
    // Its lower figures are asked for once the first is drawn.
    await expect.poll(() => text('#tab-body')).toContain('Entropy is not known');
    await expect.poll(() => panel.page.locator('[data-figure=usageByLayer]').count()).toBe(0);
    await expect.poll(() => panel.page.locator('[data-figure=usage] .bar').count()).toBeLessThanOrEqual(24);
    await shot('summary');
    await expect.poll(() => showTab('predictions')).toContain('holds no predictions');
    await expect.poll(() => showTab('whatIf')).toContain('This server only tells which experts were chosen.');
    await expect.poll(() => panel.page.locator('[data-focus=whatif-apply]').getAttribute('aria-disabled')).toBe('true');
    await shot('whatIf');
    await showTab('compare');
    for (const tab of ['cell', 'summary', 'whatIf']) {
      await showTab(tab);
      expect(await panel.serious(), tab).toEqual([]);
    }
    await expect.poll(() => panel.page.evaluate(() => document.documentElement.scrollWidth)).toBe(1200);
  });

  test('a text is coloured by one layer’s experts; whatever cannot colour it says why', async () => {
    await open(trace);
    await panel.page.locator('[data-focus=colour-layer]').selectOption('encoder 4');
    await panel.settled();
    const slots = slotsOf(256, countsOf(2));
    const shown = await panel.page
      .locator('.text:not(.next) .t')
      .evaluateAll((spans) => spans.map((span: Element) => [...span.classList].find((name) => name.startsWith('x'))));
    expect(shown).toEqual(
      Array.from({ length: 60 }, (_, t) => slots[encoder.chosen[(2 * 60 + t) * 8]!]!).map((slot) =>
        slot < 0 ? 'xo' : `x${slot}`,
      ),
    );
    // The other text does not go through the encoder.
    await expect.poll(() => panel.page.locator('.text.next .t.plain').count()).toBe(40);
    const token = panel.page.locator('.text.next .t').first();
    await token.hover();
    await expect.poll(() => token.getAttribute('title')).toContain('does not pass through this layer');
    for (const by of ['entropy', 'margin', 'weight', 'probability']) {
      const option = panel.page.locator(`[data-focus=colour-by] option[value=${by}]`);
      await expect.poll(() => option.isDisabled()).toBe(true);
      await expect.poll(() => option.getAttribute('title')).not.toBe('');
    }
    await panel.page.locator('[data-focus=colour-by]').selectOption('nothing');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.t.plain').count()).toBe(100);
    // The map is still coloured by experts, and the legend is its.
    await expect.poll(() => panel.page.locator('.chip').count()).toBe(15);
  });

  /** [256] how often each expert of a module was chosen. */
  function countsOf(s: number): Float64Array {
    const counts = new Float64Array(256);
    for (const e of rowsAt(trace, s).chosen) if (e >= 0) counts[e]!++;
    return counts;
  }

  test('of 256 experts, the 15 most used have colours; a search gives another one a colour', async () => {
    await open(trace);
    const used = byUse(trace, 0);
    await expect.poll(() => panel.page.locator('.chip').count()).toBe(colourCount - 1);
    await panel.page.locator('[data-focus=legend-more]').click();
    await expect.poll(() => text('.legend .rest')).toContain('241 other experts');
    await expect.poll(() => panel.page.locator(`[data-focus="legend-${used[0]!}"]`).count()).toBe(1);
    const rare = used.at(-1)!;
    await expect.poll(() => panel.page.locator(`[data-focus="legend-${rare}"]`).count()).toBe(0);
    await panel.page.locator('[data-focus=legend-find]').fill(`expert ${rare}`);
    await panel.settled();
    await panel.page.locator(`[data-focus="find-${rare}"]`).click();
    await panel.settled();
    await expect
      .poll(() => panel.page.locator(`[data-focus="legend-${rare}"] .badge`).getAttribute('class'))
      .toMatch(/x\d/);
    await expect.poll(() => panel.page.locator('.chip:not(.found)').count()).toBe(colourCount - 1);
    // Pressing it leaves only its choices.
    await panel.page.locator(`[data-focus="legend-${rare}"]`).click();
    await panel.settled();
    const at = encoder.chosen.subarray(0, 60 * 8).findIndex((e) => e === rare);
    await select(0, Math.floor(at / 8), 0);
    await expect.poll(() => label()).not.toContain('hidden');
    const without = Array.from({ length: 60 }, (_, t) => t).find(
      (t) => !encoder.chosen.subarray(t * 8, t * 8 + 8).includes(rare),
    )!;
    await select(0, without, 0);
    await expect.poll(() => label()).toContain('hidden by the filter');
  });

  test('a row of the map chooses the layer; its cells have its own experts', async () => {
    await open(trace);
    await select(1, 3, 9);
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('ArrowDown');
    await panel.settled();
    await expect.poll(() => panel.page.locator('[data-focus=colour-layer]').inputValue()).toBe('decoder 6');
    await expect.poll(() => label()).toContain(`decoder layer 6, expert ${decoder.chosen[(4 * 40 + 3) * 8]!}`);
    await panel.page.locator('.cell').blur();
    const box = (await panel.page.locator('.cell').boundingBox())!;
    await panel.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await expect.poll(() => text('.tip')).toContain('decoder layer 6, expert');
    const tip = await text('.tip');
    expect(tip).toContain('gives no weights');
    // Arrow keys go over the gap between the texts, never into it.
    await select(0, 59, 9);
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('ArrowRight');
    await expect.poll(() => label()).toContain('output, token 1 of 40');
  });

  test('two runs are compared module by module; what cannot be compared says so', async () => {
    await open(trace);
    const other = fabricateIds({ seed: 9 });
    await panel.side('other', {
      title: 'other',
      strategy: { name: 'unknown' },
      interventions: [],
      stale: false,
      trace: other,
    });
    const compared = await text('.tabBody');
    expect(compared).not.toMatch(/NaN|undefined/);
    expect(compared).toMatch(/Top-k overlap\s+[\d.]+% \(chance 3\.1%\)/);
    expect(compared).toMatch(/Jensen-Shannon divergence\s+–/);
    expect(compared).toMatch(/In the other run, the text is\s+–/);
    expect(compared).toContain('loads cannot be compared over layers');
    await select(0, 4, 1);
    await expect.poll(() => label()).toMatch(/\d% of the chosen experts differ/);
    await picture(panel.page, 'dark-ids-compare');
  });

  test('can be saved and copied', async () => {
    await open(trace);
    for (const item of ['Table of all choices', 'Report (HTML)', 'Copy as Markdown', 'Save Figure…']) {
      await panel.page.locator('[data-focus=head-save]').click();
      await panel.page.getByRole('menuitem', { name: item }).click();
    }
    await panel.page.locator('[data-focus=figure-svg]').click();
    await expect.poll(async () => (await panel.sent('save')).map(({ kind }) => kind)).toEqual(['csv', 'html', 'svg']);
    const saved = await panel.sent('save');
    for (const message of saved) expect('data' in message && message.data).not.toMatch(/NaN|undefined/);
    await expect.poll(async () => (await panel.sent('copy'))[0]!.text).not.toMatch(/NaN|undefined/);
  });

  test('narrow', async () => {
    await open(trace, { width: 560 });
    await panel.settled();
    await picture(panel.page, 'dark-560-ids');
    await expect.poll(() => panel.page.evaluate(() => document.documentElement.scrollWidth)).toBe(560);
  });
});

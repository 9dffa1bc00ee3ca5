/** What each layer would predict: computed on request, shown for the token it was computed for, and refused with the reason. */
import { describe, expect, test } from 'vitest';
import type { SideState } from '../../src/protocol/panel.js';
import type { LensColumn } from '../../src/requests/api.js';
import { fabricate, fabricateLens, fileDescription, requestOf } from './fabricate.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const openPage = pages();
let panel: Panel;

const trace = fabricate({ tokens: 60 });
const token = 12;
const lens = fabricateLens(trace, token);
const state = { title: 'geese.md', ...requestOf(trace), stale: false, trace } satisfies SideState;

async function open(more: Partial<SideState> = {}, setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
  await panel.show(trace, more);
  await select(token);
  const tabs = panel.page.locator('select[data-focus=tabs]');
  if (await tabs.isVisible()) await tabs.selectOption('lens');
  else await panel.page.locator('#tab-lens').click();
  await panel.page.locator('[data-figure=lens]').waitFor();
}

const select = (at: number) => panel.post({ type: 'select', token: at });
const body = () => panel.page.locator('.tabBody');
const button = () => panel.page.locator('[data-focus=lens]');
const cells = async (row: number) =>
  panel.page.locator('table.lens tbody tr').nth(row).locator('th, td').allInnerTexts();

describe('the lens', () => {
  test('is computed only on request', async () => {
    await open();
    await expect.poll(() => panel.sent('lens')).toEqual([]);
    await button().click();
    await expect.poll(() => panel.sent('lens')).toEqual([{ type: 'lens', token }]);
    expect(await panel.trouble()).toEqual([]);
  });

  test('shows its progress, and can be stopped', async () => {
    await open({ running: { what: 'lens', done: 30, total: 60 } });
    await expect.poll(() => panel.page.locator('.progress').innerText()).toContain('50');
    await expect.poll(() => button().getAttribute('aria-disabled')).toBe('true');
    await button().click({ force: true });
    await expect.poll(() => panel.sent('lens')).toEqual([]);
    await panel.page.locator('.progress button').click();
    await expect.poll(() => panel.sent('stop')).toHaveLength(1);
  });

  test('has one row per layer, the last first, with the rank of the token that came next', async () => {
    await open({ lenses: [lens] });
    await expect.poll(() => panel.page.locator('table.lens tbody tr').count()).toBe(30);
    const [first, last] = [await cells(0), await cells(29)];
    expect([first[0], last[0]]).toEqual(['29', '0']);
    const { topIds, predictions, tokens } = trace.sequences[0]!;
    const rank = topIds!.slice(token * predictions, (token + 1) * predictions).indexOf(tokens.ids![token + 1]!);
    const place = rank < 0 ? `>${predictions}` : String(rank + 1);
    expect([first[2], last[2]]).toEqual([`−1.75 (${place})`, `−9.00 (${place})`]);
    // From layer 20 on, the base alone expects another token.
    await expect
      .poll(async () => [(await cells(10)).at(-1), (await cells(9)).at(-1)])
      .toEqual(['', expect.stringContaining('≠')]);
  });

  test('says before the table from which layer on the model knew what came next, and how often the experts matter', async () => {
    const next = trace.sequences[0]!.tokens.ids![token + 1]!;
    /** With what came next as the likeliest token of these layers alone. */
    const known = (is: (layer: number) => boolean) => ({
      ...lens,
      routed: {
        ...lens.routed,
        topIds: lens.routed.topIds.map((id, i) => {
          const { predictions } = lens.routed;
          if (i % predictions > 0) return id;
          return is(i / predictions) ? next : next + 1000;
        }),
      },
    });
    const said = async () => panel.page.locator('[data-figure=lens] .sentence').innerText();
    for (const [is, words] of [
      [(layer: number) => layer >= 12 || layer === 3, 'the likeliest from layer 12 on'],
      [() => true, 'the likeliest in every layer'],
      [() => false, 'the likeliest in no layer'],
      [(layer: number) => layer === 29, 'in the last layer, not in the one before'],
      [(layer: number) => layer === 4 || layer === 7, 'the likeliest in 2 layers, but not in the last'],
    ] as const) {
      await open({ lenses: [known(is)] });
      await expect.poll(said).toContain(words);
    }
    await open({ lenses: [lens] });
    await expect.poll(said).toContain('another in 10 of 30 layers (≠)');
    const above = await panel.page
      .locator('[data-figure=lens] .caption')
      .first()
      .evaluate((one) => [
        one.textContent,
        one.getBoundingClientRect().bottom <= document.querySelector('table.lens')!.getBoundingClientRect().top,
      ]);
    expect(above).toEqual([expect.stringMatching(/\(>\d\): not among the \d likeliest/), true]);
  });

  test('shows its last layers without scrolling', async () => {
    for (const [width, height] of [
      [460, 600],
      [1280, 640],
    ] as const) {
      await open({ lenses: [lens] }, { width, height });
      await panel.post({ type: 'textVisible', is: true });
      const row = panel.page.locator('table.lens tbody tr').first();
      const box = (await row.boundingBox())!;
      expect(box.y + box.height).toBeLessThanOrEqual(height);
    }
  });

  test('disappears for another token, and is there again for this one', async () => {
    await open({ lenses: [lens] });
    await select(20);
    await expect.poll(() => button().isVisible()).toBe(true);
    await expect.poll(() => panel.page.locator('table.lens').count()).toBe(0);
    await select(token);
    await expect.poll(() => panel.page.locator('table.lens').count()).toBe(1);
  });

  test('says why there is nothing to compare with', async () => {
    await open({ lenses: [{ ...lens, without: { none: 'mixture' } }] });
    await expect.poll(() => body().innerText()).toContain('has no base without them');
    await expect.poll(() => cells(0)).toHaveLength(3);
  });

  test('has no next token at the end of the text', async () => {
    await open({ lenses: [fabricateLens(trace, 59)] });
    await select(59);
    await expect.poll(() => body().innerText()).toContain('No token came next.');
    await expect.poll(() => cells(0)).toHaveLength(4);
  });

  test('is refused for a trace file, with the reason', async () => {
    await open();
    await panel.post({ type: 'pool', description: fileDescription });
    await expect.poll(() => body().innerText()).toContain('saved trace');
    await button().click({ force: true });
    await expect.poll(() => panel.sent('lens')).toEqual([]);
  });

  test('waits for a token', async () => {
    await open();
    await panel.side('main', state);
    await select(-1);
    await expect.poll(() => body().innerText()).toContain('Select a token');
  });

  testMany(
    [
      [900, 600],
      [460, 600],
      [400, 700],
    ] as const,
    'says what its columns are down to the last row, at %i × %i',
    async ([width, height]) => {
      await open({ lenses: [lens] }, { width, height });
      const table = panel.page.locator('table.lens');
      await table.locator('tbody tr').last().scrollIntoViewIfNeeded();
      const [head, last] = [
        (await table.locator('thead').boundingBox())!,
        (await table.locator('tbody tr').last().boundingBox())!,
      ];
      const tabs = (await panel.page.locator('.tabs').boundingBox())!;
      expect(head.y).toBeGreaterThan(tabs.y + tabs.height - 2);
      expect(head.y + head.height).toBeLessThanOrEqual(last.y);
      expect(last.y + last.height).toBeLessThan(height + 1);
      expect(await body().evaluate((box) => box.scrollWidth - box.clientWidth)).toBeLessThanOrEqual(0);
    },
  );

  test('has all its columns in a narrow panel; longer ones scroll in its own box, beside the layers and below the heads', async () => {
    const wide = <C extends LensColumn>(column: C): C => ({
      ...column,
      logProb: column.logProb!.map((x) => 3 * x),
      topTokens: column.topTokens.map(() => ' documentation'),
    });
    const long = {
      ...lens,
      routed: wide(lens.routed),
      without: wide(fabricateLens(trace, token).without as LensColumn),
    };
    const box = () => panel.page.locator('.lensBox');
    for (const [theme, width, height, shown] of [
      ['dark', 400, 700, lens],
      ['light', 400, 700, long],
      ['dark', 460, 600, long],
      ['high-contrast', 306, 400, long],
    ] as const) {
      await open({ lenses: [shown] }, { theme, width, height });
      const overflow = await box().evaluate((one) => one.scrollWidth - one.clientWidth);
      if (shown === lens || width === 460) expect(overflow, `${theme} ${width}`).toBeLessThanOrEqual(0);
      const row = panel.page.locator('table.lens tbody tr').last();
      await row.scrollIntoViewIfNeeded();
      await box().evaluate((one) => (one.scrollLeft = one.scrollWidth));
      await panel.settled();
      await picture(panel.page, `lens-narrow-${theme}-${width}`);
      // Whatever is scrolled to, the row's layer is hit where it is, and so is the head above it.
      const hits = await row.locator('th').evaluate((name) => {
        const at = (one: Element) => {
          const { left, top, width, height } = one.getBoundingClientRect();
          return document.elementFromPoint(left + width / 2, top + height / 2);
        };
        const head = document.querySelector('.lens thead tr:last-child > th')!;
        return [at(name) === name, at(head) === head];
      });
      expect(hits, `${theme} ${width}`).toEqual([true, true]);
      expect(
        await body().evaluate((one) => one.scrollWidth - one.clientWidth),
        `${theme} ${width}`,
      ).toBeLessThanOrEqual(0);
    }
  });

  testMany(
    [
      ['dark', 640, 680],
      ['light', 720, 850],
      ['high-contrast', 400, 700],
    ] as const,
    'fits, and is accessible: %s, %i wide',
    async ([theme, width, height]) => {
      await open({ lenses: [lens] }, { theme, width, height });
      await panel.page.locator('table.lens').evaluate((table) => {
        table.scrollIntoView({ block: 'start' });
      });
      await picture(panel.page, `lens-${theme}`);
      const overflow = await body().evaluate((box) => box.scrollWidth - box.clientWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      expect(await panel.serious()).toEqual([]);
      expect(await panel.trouble()).toEqual([]);
    },
  );
});

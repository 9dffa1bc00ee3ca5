import { describe, expect, test } from 'vitest';
import type { SideState } from '../../src/protocol/panel.js';
import type { Intervention, Scope, Trace } from '../../src/trace/model/trace.js';
import { pairsOf } from '../../src/statistics/pairs.js';
import { sharedModules } from '../../src/trace/model/access.js';
import { coactivation } from '../../src/trace/figures/usage.js';
import { colourCount, expertStyle, weakest } from '../../src/look/palette.js';
import {
  cut,
  description,
  fabricate,
  fabricateAttribution,
  fileDescription,
  names,
  partsOf,
  widen,
} from './fabricate.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';
import { themeNames } from './themes.js';

const openPage = pages();
let panel: Panel;

async function open(setup: Setup = {}): Promise<Panel> {
  panel = await openPage(setup);
  return panel;
}

/** The expert whose colour, at some strength over the background, is nearest. */
function nearestExpert(pixel: readonly number[], background: readonly number[], light = false): number {
  let best = -1;
  let least = Infinity;
  for (let e = 0; e < Math.min(names.length, colourCount); e++) {
    const { fill } = expertStyle(e)[light ? 'light' : 'dark'];
    const full = [1, 3, 5].map((at) => parseInt(fill.slice(at, at + 2), 16));
    for (let share = weakest; share <= 1.001; share += 0.01) {
      const gap = full.reduce((sum, c, i) => sum + (background[i]! + (c - background[i]!) * share - pixel[i]!) ** 2, 0);
      if (gap < least) [best, least] = [e, gap];
    }
  }
  return best;
}

async function showTab(name: string): Promise<void> {
  await panel.page.locator(`#tab-${name}`).click();
  await panel.settled();
}

/** The text after the last change has been drawn. */
async function text(selector: string): Promise<string> {
  await panel.settled();
  return panel.page.locator(selector).first().innerText();
}

describe('before anything is routed', () => {
  test('says what to do, and asks the host for its state', async () => {
    await open();
    await expect.poll(() => panel.sent('ready')).toHaveLength(1);
    await panel.post({ type: 'pool', description });
    await expect.poll(() => text('.first')).toContain('Route Selection');
    await expect.poll(() => panel.page.locator('.work').isVisible()).toBe(false);
  });

  test('an error is shown once, with its remedy', async () => {
    await open();
    const error = {
      code: 'pool-missing' as const,
      message: 'There is no pool at /pools/x.',
      remedy: 'Choose one in the settings.',
    };
    await panel.post({ type: 'pool', description: undefined, error });
    await panel.post({
      type: 'side',
      side: 'main',
      state: { title: 'a.md', strategy: { name: 'phatgoose', k: 2 }, interventions: [], stale: false, error },
    });
    const alerts = panel.page.locator('[role=alert]');
    await expect.poll(() => alerts.count()).toBe(1);
    await expect.poll(() => alerts.innerText()).toContain('Choose one in the settings.');
  });

  test('what failed can be requested again', async () => {
    await open();
    await panel.show(undefined);
    await panel.page.locator('[data-focus=first-route]').click();
    await expect
      .poll(() => panel.sent('route'))
      .toEqual([{ type: 'route', side: 'main', strategy: { name: 'phatgoose', k: 2 }, interventions: [] }]);
    await panel.show(undefined, { running: { what: 'route', done: 0, total: 10 } });
    await expect.poll(() => panel.page.locator('[data-focus=first-route]').count()).toBe(0);
  });

  test('what was left out of a pool is shown, with the reasons on request', async () => {
    await open();
    const warnings = ['Expert "a" is left out.', '<b>b</b> is not found.'].map((words) => ({ code: 'x', text: words }));
    await panel.post({ type: 'pool', description: { ...description, warnings } });
    const banner = panel.page.locator('details.warning');
    await expect.poll(() => text('details.warning summary')).toContain('2 warnings');
    await banner.locator('summary').click();
    await expect
      .poll(() => banner.locator('li').allInnerTexts())
      .toEqual(['Expert "a" is left out.', '<b>b</b> is not found.']);
    await panel.post({ type: 'pool', description });
    await expect.poll(() => banner.count()).toBe(0);
  });

  test('words can be translated by the host', async () => {
    await open({ words: { empty: 'Sieh, wohin jedes Token geht', nonsense: 'x' } });
    await expect.poll(() => text('.first h2')).toBe('Sieh, wohin jedes Token geht');
    // A translation without a fallback form is ignored.
    await open({ words: { tokens: { one: '{0} Zeichen', other: '{0} Zeichenfolgen' }, legendRest: { few: 'x' } } });
    const trace = fabricate();
    await panel.show(trace);
    await expect.poll(() => text('header')).toContain(`${trace.sequences[0]!.tokens.count} Zeichenfolgen`);
  });
});

describe('the text', () => {
  test('has every character of the document, once and in order', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    const shown = await panel.page.evaluate(() =>
      [...document.querySelectorAll('.t:not(.special)')].map((t) => t.textContent).join(''),
    );
    // The second half of the emoji has no character of its own.
    expect(shown.replaceAll('▯', '')).toBe(partsOf(trace).text);
  });

  test('is coloured by the leading expert and says so', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    const span = panel.page.locator('.t').nth(partsOf(trace).words.findIndex((word) => word.startsWith(' functi')));
    await expect.poll(() => span.getAttribute('class')).toContain(`x${names.indexOf('typescript')}`);
    await span.hover();
    await expect.poll(() => span.getAttribute('title')).toMatch(/typescript leads with \d+%/);
  });

  test('treats nothing in a document as markup', async () => {
    await open();
    const words = [
      '<img src=x onerror="window.hacked=1">',
      '<script>window.hacked=1</script>',
      '&lt;b&gt;',
      "'; --",
      '</span></div>',
    ];
    const made = fabricate({ words });
    const experts = partsOf(made).experts.map((e) => ({ ...e, name: `<b>${e.name}</b>` }));
    const trace = { ...made, expertSets: [{ scope: 'pool' as const, experts }] };
    await panel.show(trace, { title: '<i>title</i>' });
    for (let i = 0; i < words.length; i++) {
      await panel.page.locator('.t').nth(i).click();
      for (const tab of ['cell', 'summary', 'predictions', 'whatIf']) await showTab(tab);
    }
    await panel.settled();
    await expect
      .poll(() => panel.page.evaluate(() => (window as unknown as { hacked?: number }).hacked))
      .toBeUndefined();
    await expect
      .poll(() => panel.page.locator('#app img, #app script, #app b, #app i:not(.w,.nl,.tb)').count())
      .toBe(0);
    await expect.poll(() => text('h1')).toBe('<i>title</i>');
  });

  test('arrow keys select, and the editor is told', async () => {
    await open();
    await panel.show(fabricate());
    await panel.page.locator('.tokens').first().focus();
    for (let i = 0; i < 3; i++) await panel.page.keyboard.press('ArrowRight');
    await panel.settled();
    await expect.poll(async () => (await panel.sent('select')).map((m) => m.token)).toEqual([0, 1, 2, 3]);
    await expect.poll(() => panel.page.locator('.t.selected').getAttribute('data-i')).toBe('3');
    await expect
      .poll(() => panel.page.locator('.tokens').first().getAttribute('aria-activedescendant'))
      .toBe('main-token-3');
    await panel.page.keyboard.press('ArrowDown');
    await panel.settled();
    await expect
      .poll(async () => Number(await panel.page.locator('.t.selected').getAttribute('data-i')))
      .toBeGreaterThan(4);
  });

  test('the editor’s cursor selects, and its message is not sent back', async () => {
    await open();
    await panel.show(fabricate());
    await panel.post({ type: 'select', token: 40 });
    await expect.poll(() => panel.page.locator('.t.selected').getAttribute('data-i')).toBe('40');
    await expect.poll(() => panel.sent('select')).toEqual([]);
  });
});

describe('the map', () => {
  test.each(['dark', 'light'] as const)('each cell has its expert’s colour (%s)', async (theme) => {
    await open({ theme });
    const trace = fabricate();
    await panel.show(trace);
    await panel.press('segment-Modules');
    for (const [token, m] of [
      [0, 0],
      [7, 3],
      [12, 20],
    ] as const) {
      await panel.goTo(token, m);
      const expected = partsOf(trace).chosen(m, token)[0]!;
      await expect
        .poll(async () =>
          nearestExpert(
            await panel.cellColour(),
            theme === 'light' ? [255, 255, 255] : [31, 31, 31],
            theme === 'light',
          ),
        )
        .toBe(expected);
    }
  });

  test('what changed says by which what-if, where the form above asks for another', async () => {
    await open();
    const interventions: Intervention[] = [{ action: 'knock-out', expert: 'css', scope: {} }];
    await panel.show(fabricate({ seed: 4, interventions }), { interventions, before: fabricate() });
    await panel.press('tab-whatIf');
    const form = panel.page.locator('[data-focus=whatif-expert]');
    const title = () => panel.page.locator('[data-figure=effect] h3').first().innerText();
    await form.selectOption('css');
    await expect.poll(title).toBe('What changed');
    await form.selectOption('sql');
    await expect.poll(title).toMatch(/^What changed: css .*knocked out/i);
  });

  test('leaves nothing of a former run to be read out, once the focus is elsewhere', async () => {
    await open();
    await panel.show(fabricate());
    await panel.goTo(5, 2);
    const said = () => panel.page.locator('.gridView [role=status]').textContent();
    await expect.poll(said).toContain('token 6 of 266');
    await panel.page.locator('[data-focus=head-more]').focus();
    await panel.show(fabricate({ seed: 9 }));
    await expect.poll(said).toBe('');
  });

  test('can be walked by keyboard, with words for the screen reader', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    await panel.goTo(5, 2);
    const label = await panel.page.locator('.cell').getAttribute('aria-label');
    expect(label).toMatch(/, token 6 of 266, layer 2, .* 0\.\d\d/);
    await expect.poll(() => panel.page.locator('[role=status][aria-live=polite]').first().textContent()).toBe(label);
    await panel.page.keyboard.press('Enter');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.cells').getAttribute('aria-rowcount')).toBe('36');
    // The whole layer is still selected: the first module comes next.
    for (const module of ['query', 'key']) {
      await panel.page.keyboard.press('ArrowDown');
      await panel.settled();
      await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain(`layer 2, ${module}`);
    }
    await panel.page.keyboard.press('Control+End');
    await panel.settled();
    await expect
      .poll(() => panel.page.locator('.cell').getAttribute('aria-label'))
      .toContain('token 266 of 266, layer 29');
  });

  test('a click selects the cell under the pointer; hovering describes it', async () => {
    await open();
    await panel.show(fabricate());
    await panel.goTo(50, 10);
    const box = (await panel.page.locator('.cell').boundingBox())!;
    await panel.goTo(30, 5);
    await panel.page.locator('.cell').blur();
    await panel.page.mouse.move(box.x + 1, box.y + box.height / 2);
    await expect.poll(() => text('.tip')).toMatch(/layer 10/);
    await panel.page.mouse.down();
    await panel.page.mouse.up();
    await panel.settled();
    await expect
      .poll(() => panel.page.locator('.cell').getAttribute('aria-label'))
      .toContain('token 51 of 266, layer 10');
  });

  test('zooms about the pointer and pans by dragging', async () => {
    await open();
    await panel.show(fabricate());
    const plot = (await panel.page.locator('.scroller').boundingBox())!;
    const [x, y] = [plot.x + 300, plot.y + 150];
    await panel.page.mouse.move(x, y);
    await panel.settled();
    const before = await text('.tipTitle');
    await panel.page.keyboard.down('Control');
    await panel.page.mouse.wheel(0, -400);
    await panel.page.keyboard.up('Control');
    await panel.settled();
    await panel.page.mouse.move(x + 1, y);
    await panel.page.mouse.move(x, y);
    await expect.poll(() => text('.tipTitle')).toBe(before);
    const scrolled = () => panel.page.locator('.scroller').evaluate((e) => e.scrollLeft);
    await expect.poll(scrolled).toBeGreaterThan(100);
    const left = await scrolled();
    await panel.page.mouse.down();
    await panel.page.mouse.move(x + 60, y, { steps: 4 });
    await panel.page.mouse.up();
    await expect.poll(() => panel.page.locator('.scroller').evaluate((e) => e.scrollLeft)).toBeCloseTo(left - 60, 0);
  });

  test('the filter hides everything else', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    await panel.goTo(50, 15);
    const shown = nearestExpert(await panel.cellColour(), [31, 31, 31]);
    await panel.page.locator(`[data-focus="legend-${names[(shown + 5) % 12]!}"]`).click();
    await panel.settled();
    await expect.poll(async () => nearestExpert(await panel.cellColour(), [31, 31, 31])).not.toBe(shown);
    await panel.page.locator('[data-focus="legend-all"]').click();
    await panel.settled();
    await expect.poll(async () => nearestExpert(await panel.cellColour(), [31, 31, 31])).toBe(shown);

    await panel.page.locator('[data-focus="grid-filter"]').click();
    await panel.page.locator('[data-focus="filter-from"]').fill('10');
    await panel.page.locator('[data-focus="filter-from"]').blur();
    await panel.page.locator('[data-focus="filter-q"]').click();
    await panel.press('segment-Modules');
    await panel.settled();
    await expect.poll(() => panel.page.locator('.cells').getAttribute('aria-rowcount')).toBe('20');
    await panel.page.locator('[data-focus="filter-margin"]').selectOption('0.02');
    await panel.page.locator('[data-focus="filter-weight"]').fill('0.9');
    await panel.page.locator('[data-focus="filter-weight"]').blur();
    await panel.goTo(3, 3);
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain('hidden by the filter');
  });

  test('the expert explorer can ask for one expert', async () => {
    await open();
    await panel.show(fabricate());
    await panel.post({ type: 'filter', expert: 'html' });
    await expect.poll(() => panel.page.locator('[data-focus="legend-html"]').getAttribute('aria-pressed')).toBe('true');
    await panel.page.locator('[data-focus="legend-card"]').click();
    await expect.poll(() => panel.sent('openCard')).toEqual([{ type: 'openCard', expert: 'html' }]);
    await panel.post({ type: 'filter', expert: undefined });
    await expect.poll(() => panel.page.locator('.chip[aria-pressed=true]').count()).toBe(0);
  });

  test('has a table that says the same', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    await panel.post({ type: 'select', token: 9 });
    await panel.page.locator('[data-focus="grid-asTable"]').click();
    await panel.settled();
    await expect.poll(() => panel.page.locator('.gridTable tbody tr').count()).toBe(210);
    const { experts, chosen } = partsOf(trace);
    const first = experts[chosen(0, 9)[0]!]!.name;
    await expect.poll(() => text('.gridTable tbody tr')).toContain(first);
  });
});

describe('the tabs', () => {
  test('the summary answers a click with its first figure alone; the others follow, one in each frame', async () => {
    await open();
    await panel.show(fabricate({ tokens: 60 }));
    await panel.settled();
    const shown = await panel.page.evaluate(async () => {
      const names = () =>
        [...document.querySelectorAll<HTMLElement>('#tab-body [data-figure]')].map(({ dataset }) => dataset['figure']!);
      const seen: string[][] = [];
      const changes = new MutationObserver(() => {
        if (names().length !== seen.at(-1)?.length) seen.push(names());
      });
      changes.observe(document.getElementById('tab-body')!, { childList: true, subtree: true });
      document.getElementById('tab-summary')!.click();
      while (!names().includes('attracted')) await new Promise(requestAnimationFrame);
      return seen;
    });
    const all = ['usage', 'load', 'usageByLayer', 'entropy', 'coactivation', 'attracted'];
    expect(shown).toEqual(all.map((_, i) => all.slice(0, i + 1)));
  });

  test('a cell: all affinities, the chosen ones marked, and words', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    await panel.post({ type: 'select', token: 20, module: 100 });
    await expect.poll(() => panel.page.locator('[data-figure=affinities] .bar').count()).toBe(12);
    await expect.poll(() => panel.page.locator('[data-figure=affinities] .mark:not(:empty)').count()).toBe(2);
    const { experts, chosen, weight } = partsOf(trace);
    await expect
      .poll(() => text('.sentence'))
      .toContain(`${experts[chosen(100, 20)[0]!]!.name} (${weight(100, 20).toFixed(2)})`);
    await expect.poll(() => text('.numbers')).toMatch(/Margin\s+\d\.\d\d/);
  });

  test('an expert that is knocked out is said to be that, and chance and evenness are among the others', async () => {
    await open();
    const interventions: Intervention[] = [{ action: 'knock-out', expert: 'prose', scope: {} }];
    await panel.show(fabricate({ interventions }), { before: fabricate() });
    await showTab('summary');
    const bar = panel.page.locator('[data-figure=usage] .bar', { hasText: 'knocked out' });
    await expect.poll(() => bar.locator('.name').allInnerTexts()).toEqual(['prose']);
    expect(await bar.locator('.whisker, .reference').count()).toBe(0);
    await expect.poll(() => text('[data-figure=load]')).toMatch(/of 11 +\(chance 11\.0\)/);
    await expect.poll(() => text('[data-figure=load]')).toMatch(/dead experts\)\s+none/);
    await picture(panel.page, 'summary-knocked-out');
    await panel.page.locator('[data-focus=table-usage]').click();
    const row = panel.page.locator('[data-figure=usage] tbody tr', { hasText: 'prose' });
    await expect.poll(() => row.locator('td').allInnerTexts()).toEqual(['0%', 'knocked out', '–', '0']);
  });

  test('where no router decided, the entropy says so, and no interval stands beside a load', async () => {
    await open();
    const entropy = () => text('[data-figure=entropy] .caption');
    const usage = panel.page.locator('[data-figure=usage]');
    const shown = async () =>
      (await usage.locator('.unseen tbody tr', { hasText: 'rust' }).locator('td').allInnerTexts()).slice(0, 3);
    const force = (scope: Scope) => [{ action: 'force', expert: 'rust', scope }] as const;
    await panel.show(fabricate());
    await showTab('summary');
    await expect.poll(entropy).toBe('1: all experts have the same probability. 0: one has all.');
    await expect.poll(() => text('[data-figure=usage] .caption')).toContain('Whiskers are 95% intervals');
    for (const [trace, chance] of [
      [fabricate({ strategy: { name: 'single', expert: 'rust' } }), '100%'],
      [fabricate({ strategy: { name: 'retrieval', expert: 'rust' } }), '8.3%'],
      [fabricate({ interventions: force({}) }), '100%'],
    ] as const) {
      await panel.show(trace);
      await expect.poll(shown).toEqual(['100%', '–', chance]);
      await expect.poll(entropy).toContain('They are what a router would give: here, none decided.');
      expect(await usage.locator('.whisker').count()).toBe(0);
      expect(await usage.innerText()).not.toContain('Whiskers');
    }
    await picture(panel.page, 'summary-forced');
    await panel.show(fabricate({ interventions: force({ layer: 3 }) }));
    await expect.poll(entropy).toContain('Where a what-if forced an expert, they are what the router would give');
    expect(await usage.locator('.whisker').count()).toBe(12);
  });

  test('the selection is described in one line under the map, whichever tab is open', async () => {
    await open();
    await panel.show(fabricate());
    await showTab('summary');
    await panel.post({ type: 'select', token: 20, module: 100 });
    await expect.poll(() => text('.strip')).toMatch(/token 21 of 266, layer 14, /);
    await panel.page.locator('[data-focus=grid-strip]').click();
    await expect.poll(() => text('.tabBody')).toContain('module sends it to');
    await expect.poll(() => panel.page.locator('.strip').count()).toBe(0);
    // Before anything is selected, it says what can be done.
    await panel.post({ type: 'select', token: -1 });
    await expect.poll(() => text('.strip')).toContain('Click a cell');
  });

  test('summary: load beside chance, load balance, entropy, co-activation, token specialisation; a warning for few tokens', async () => {
    await open();
    await panel.show(fabricate());
    await showTab('summary');
    for (const name of ['usage', 'usageByLayer', 'entropy', 'coactivation', 'attracted'])
      await expect.poll(() => panel.page.locator(`[data-figure=${name}]`).count()).toBe(1);
    await expect.poll(() => panel.page.locator('[data-figure=usage] .reference').count()).toBe(12);
    await expect.poll(() => panel.page.locator('.warning').count()).toBe(0);
    // Of two choices at a place, no expert can have more than half; of the places, it can have all.
    const said = async (name: string) => text(`[data-figure=${name}] .caption`);
    expect(await said('attracted')).toMatch(
      /by the share of those times, over all modules, that they chose the expert/,
    );
    expect(await said('coactivation')).toMatch(/Of the places where the row’s expert was chosen/);
    // The table is there for a screen reader before it is requested.
    await expect.poll(() => panel.page.locator('[data-figure=usage] tbody tr').count()).toBe(12);
    await panel.page.locator('[data-focus=table-usage]').click();
    await panel.settled();
    await expect.poll(() => panel.page.locator('[data-figure=usage] .chart').count()).toBe(0);
    await panel.show(fabricate({ tokens: 12 }));
    await expect.poll(() => text('.warning')).toContain('Only 11 text tokens');
  });

  test('predictions: the token’s probability, alternatives, the next token', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    await showTab('predictions');
    await panel.post({ type: 'select', token: 30 });
    const body = await text('.tabBody');
    expect(body).toMatch(/probability of [\d.<]+%/);
    expect(body).toContain('Next after the end');
    await expect.poll(() => panel.page.locator('.alternatives').count()).toBe(2);
    await expect.poll(() => panel.page.locator('.alternatives').first().locator('tbody tr').count()).toBe(5);
  });

  test('a what-if is sent, its effect shown, and undone', async () => {
    await open();
    const before = fabricate();
    await panel.show(before);
    await panel.post({ type: 'select', token: 30, module: 100 });
    await showTab('whatIf');
    // Before an expert is chosen, it is the leader in the selected cell.
    const leader = names[partsOf(before).chosen(100, 30)[0]!]!;
    await expect.poll(() => panel.page.locator('[data-focus=whatif-expert]').inputValue()).toBe(leader);
    await expect.poll(() => text('.tabBody')).toContain(`${leader} will not be chosen; the next best takes over.`);
    await panel.page.locator('[data-focus=whatif-expert]').selectOption('prose');
    await panel.page.locator('[data-focus=whatif-where]').selectOption('layer:5');
    await panel.page.locator('[data-focus=whatif-token]').check();
    await panel.page.locator('[data-focus=whatif-apply]').click();
    const knockOut: Intervention = { action: 'knock-out', expert: 'prose', scope: { layer: 5, token: 30 } };
    await expect
      .poll(() => panel.sent('route'))
      .toEqual([{ type: 'route', side: 'main', strategy: { name: 'phatgoose', k: 2 }, interventions: [knockOut] }]);

    await panel.page.locator('[data-focus=whatif-action]').selectOption('logit-bias');
    await panel.page.locator('[data-focus=whatif-amount]').fill('-2.5');
    await panel.page.locator('[data-focus=whatif-where]').selectOption(`module:${before.modules[100]!.path}`);
    await panel.page.locator('[data-focus=whatif-token]').uncheck();
    await panel.page.locator('[data-focus=whatif-apply]').click();
    await expect
      .poll(async () => (await panel.sent('route')).at(-1)!.interventions)
      .toEqual([{ action: 'logit-bias', expert: 'prose', amount: -2.5, scope: { module: before.modules[100]!.path } }]);

    const everywhere: Intervention = { action: 'knock-out', expert: 'prose', scope: {} };
    const after = fabricate({ interventions: [everywhere] });
    await panel.show(after, { before });
    await expect.poll(() => text('.whatIfChip')).toContain('prose knocked out everywhere');
    await expect
      .poll(() => text('.tabBody'))
      .toMatch(/Flipped choices\s+[\d.]+% of 55,650 places: 265 tokens after the first × 210 modules/);
    await expect
      .poll(() => text('.tabBody'))
      .toMatch(
        /The text is\s+[\d.]+\s?% (less likely|likelier) per token \(log-probability −\d\.\d+ → −\d\.\d+ nats\) over 265 aligned tokens \(not the special first one\)/,
      );
    await panel.page.locator('[data-focus=table-effectByLayer]').click();
    await expect.poll(() => text('[data-figure=effectByLayer] thead')).toMatch(/Direct effect\s+Downstream effect/);
    await picture(panel.page, 'dark-effect');
    await showTab('predictions');
    await expect.poll(() => text('.tabBody')).toContain('Before the what-if it was');
    await expect.poll(() => text('.tabBody')).toContain('KL divergence');
    await panel.page.locator('[data-focus=undo]').click();
    await expect.poll(async () => (await panel.sent('route')).at(-1)!.interventions).toEqual([]);
  });

  test('choices that a what-if flipped are marked, the others are faded', async () => {
    await open();
    const before = fabricate({ tokens: 60 });
    const interventions: Intervention[] = [
      { action: 'knock-out', expert: 'prose', scope: { module: before.modules[0]!.path } },
    ];
    const after = fabricate({ tokens: 60, interventions });
    await panel.show(after, { before });
    await panel.press('segment-Modules');
    const set = (trace: typeof before, t: number) => [...partsOf(trace).chosen(0, t)].sort().join();
    const tokens = [...Array(partsOf(before).count).keys()];
    const [flipped, stayed] = [
      tokens.find((t) => set(before, t) !== set(after, t))!,
      tokens.find((t) => set(before, t) === set(after, t))!,
    ];
    expect(flipped).toBeDefined();
    await panel.goTo(flipped, 0);
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain('changed by the what-if');
    await panel.goTo(stayed, 0);
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).not.toContain('changed');
    const same = 'same experts as before the what-if';
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain(same);
    await panel.page.locator('.cell').hover({ force: true });
    await expect.poll(() => text('.tip')).toContain(same);
    const faded = await panel.cellColour();
    await panel.page.locator('[data-focus=grid-fade]').uncheck();
    await panel.settled();
    const full = await panel.cellColour();
    const distance = (pixel: number[]) => pixel.slice(0, 3).reduce((sum, c) => sum + Math.abs(c - 31), 0);
    expect(distance(full)).toBeGreaterThan(distance(faded) * 1.5);
    // What the corner and the fading mean is beside the colours, for as long as they are drawn.
    const marks = panel.page.locator('.legend .marks');
    await expect.poll(() => marks.innerText()).toBe('changed');
    await panel.page.locator('[data-focus=grid-fade]').check();
    await expect.poll(() => marks.innerText()).toMatch(/^changed\s*not$/);
    await panel.goTo(flipped, 0);
    const { chosen } = partsOf(before);
    const box = (await panel.page.locator('.cell').boundingBox())!;
    await panel.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const [first] = chosen(0, flipped);
    await expect
      .poll(() => text('.tip'))
      .toMatch(new RegExp(`changed by the what-if\\s*was ${before.expertSets[0]!.experts[first!]!.name} 0\\.\\d\\d`));
    await panel.show(before);
    await expect.poll(() => marks.count()).toBe(0);
  });

  test('attribution is requested and shown', async () => {
    await open();
    const trace = fabricate({ tokens: 90 });
    await panel.show(trace);
    await showTab('whatIf');
    await panel.page.locator('[data-focus=attribute]').click();
    await expect.poll(() => panel.sent('attribute')).toHaveLength(1);
    await panel.show(trace, { attribution: fabricateAttribution(trace) });
    const table = panel.page.locator('[data-figure=attribution]');
    // The whole text's, the expert with the largest attribution first.
    const { change, experts } = fabricateAttribution(trace);
    const sums = experts.map((_, e) =>
      change.reduce((sum, x, i) => (i % experts.length === e && !Number.isNaN(x) ? sum + x : sum), 0),
    );
    const most = experts[sums.indexOf(Math.min(...sums))]!.name;
    await expect.poll(() => table.locator('.bar .name').first().innerText()).toBe(most);
    await expect
      .poll(() => table.locator('.bar .value').first().innerText())
      .toBe(`−${(-Math.min(...sums)).toFixed(2)}`);
    await expect.poll(() => table.locator('thead th').count()).toBe(14);
    await expect.poll(() => table.locator('tbody tr').count()).toBe(40);
    await table.locator('[data-focus=page-on]').click();
    await table.locator('[data-focus=page-on]').click();
    await panel.settled();
    await expect.poll(() => table.locator('tbody tr').count()).toBe(10);
  });

  test('an attribution’s table says that it has more columns than are in view, and leads to them', async () => {
    const trace = fabricate({ tokens: 90 });
    for (const [width, height] of [
      [1440, 900],
      [1280, 720],
      [400, 700],
    ] as const) {
      await open({ width, height });
      await panel.show(trace, { attribution: fabricateAttribution(trace) });
      const tabs = panel.page.locator('select[data-focus=tabs]');
      if (await tabs.isVisible()) await tabs.selectOption('whatIf');
      else await showTab('whatIf');
      const figure = panel.page.locator('[data-figure=attribution]');
      const [columns, heads] = [figure.locator('.columns'), figure.locator('thead th')];
      await expect.poll(() => columns.innerText()).toMatch(/^\d+ of 14 columns in view/);
      const seen = Number.parseInt(await columns.innerText(), 10);
      const names = await heads.allInnerTexts();
      const inBox = () =>
        figure.locator('.tableBox').evaluate((box) => {
          const { left, right } = box.getBoundingClientRect();
          return [...box.querySelectorAll('thead th')]
            .filter(
              (one) => one.getBoundingClientRect().left > left - 1 && one.getBoundingClientRect().right < right + 2,
            )
            .map((one) => one.textContent);
        });
      expect(await inBox()).toEqual(names.slice(0, seen));
      const found = new Set(names.slice(0, seen));
      // Each press shows the next columns, beside the tokens' names, which stay.
      for (let left = 14; found.size < 14 && left > 0; left--) {
        await columns.locator('button', { hasText: 'More columns' }).click();
        await panel.settled();
        for (const name of await inBox()) found.add(name);
        expect(await inBox()).toContain('Token');
      }
      expect(found.size).toBe(14);
      await picture(panel.page, `attribution-columns-${width}`);
      await columns.locator('button', { hasText: 'First columns' }).click();
      await expect.poll(inBox).toEqual(names.slice(0, seen));
    }
  });
});

describe('two runs', () => {
  test('are aligned again as one of them grows, and compared again once the affinities are there', async () => {
    await open();
    const [main, other] = [fabricate({ tokens: 60 }), fabricate({ tokens: 60, seed: 5 })];
    await panel.show(main);
    const running = { what: 'route', done: 20, total: 60 } as const;
    await panel.show(cut(other, 20), { title: 'other.md', running }, 'other');
    await expect.poll(() => text('.tabBody')).toMatch(/Tokens that both have \(aligned\)\s+20 of 60/);
    await expect.poll(() => text('.tabBody')).toMatch(/Jensen-Shannon divergence\s+–/);
    await panel.show(other, { title: 'other.md' }, 'other');
    await expect.poll(() => text('.tabBody')).toMatch(/Tokens that both have \(aligned\)\s+60 of 60/);
    // Why these are fewer.
    expect(await text('.tabBody')).toContain('over 59 aligned tokens (not the special first one)');
    await expect.poll(() => text('.tabBody')).toMatch(/Jensen-Shannon divergence\s+[\d.]+ bits/);
  });

  test('are aligned by token, their differences coloured and counted', async () => {
    await open();
    const words = ['The', ' grey', ' goose', ' flies', ' south', '.'];
    const main = fabricate({ words });
    const other = fabricate({
      words: ['The', ' goose', ' flies', ' far', ' south', '.'],
      strategy: { name: 'arrow', k: 2 },
      seed: 5,
    });
    await panel.show(main);
    await panel.show(other, { title: 'other.md' }, 'other');
    await expect.poll(() => panel.page.locator('#tab-compare').getAttribute('aria-selected')).toBe('true');
    await expect.poll(() => text('.tabBody')).toMatch(/Top-k overlap\s+[\d.]+% \(chance 17%\)/);
    // What is said of the same choices in other words fits: what both chose and what differs are all.
    const [, same, differ] =
      /Over the 5 text tokens that both have, (\d+)% of the chosen experts are the same in both runs and (\d+)% differ/.exec(
        await text('.tabBody'),
      )!;
    expect(Number(same) + Number(differ)).toBe(100);
    expect(await text('.tabBody')).toMatch(
      /Flipped choices\s+\d+%\s+Of all places, one for each of these tokens in each/,
    );
    // The loads are not of the aligned tokens alone.
    expect(await text('[data-figure=compareUsage] .caption')).toContain('over all text tokens of each run');
    await expect.poll(() => text('.tabBody')).toMatch(/Tokens that both have \(aligned\)\s+5 of 7/);
    await expect
      .poll(() => text('.tabBody'))
      .toMatch(/In the other run, the text is\s+[\d.]+(%| times).* per token \(log-probability −/);
    expect(await text('.tabBody')).toContain('over 4 aligned tokens (not the first one, which has no prediction)');
    await panel.page.locator('.text.other .t').nth(1).click();
    await panel.settled();
    await expect.poll(() => panel.page.locator('.text:not(.other) .t.selected').textContent()).toBe(' goose');
    await expect.poll(() => panel.page.locator('.text.other .t.selected').textContent()).toBe(' goose');
    // The map shows this run; a token with no partner has no difference.
    await panel.goTo(1, 0);
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain('not in the other text');
    await panel.goTo(2, 0);
    await expect
      .poll(() => panel.page.locator('.cell').getAttribute('aria-label'))
      .toMatch(/\d%? of the chosen experts differ/);
    await panel.page.locator('[data-focus="segment-The other"]').click();
    await panel.goTo(3, 0);
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain('far');
    await panel.page.locator('[data-focus=head-compare]').click();
    await expect.poll(() => panel.sent('closeCompare')).toHaveLength(1);
    await panel.post({ type: 'side', side: 'other', state: undefined });
    await expect.poll(() => panel.page.locator('.text.other').isVisible()).toBe(false);
    // What to compare with next is chosen where the last was.
    expect(await panel.page.locator('#tab-compare').getAttribute('aria-selected')).toBe('true');
    await expect.poll(() => panel.page.locator('[data-focus=compare-now]').isVisible()).toBe(true);
  });

  testMany(
    [
      { width: 460, height: 628 },
      { width: 1280, height: 720, theme: 'light' },
    ] satisfies Setup[],
    'show the same place of their texts, whichever is scrolled: %o',
    async (setup) => {
      await open(setup);
      const words = Array.from({ length: 400 }, (_, i) => (i % 9 === 8 ? ` g${i}\n` : ` g${i}`));
      const more = Array.from({ length: 60 }, () => ' more');
      await panel.show(fabricate({ words }));
      await panel.post({ type: 'select', token: 250 });
      const other = fabricate({ words: [...words.slice(0, 30), ...more, ...words.slice(30)] });
      await panel.show(other, { title: 'other.md' }, 'other');
      await panel.page.locator('[data-figure=agreement]').waitFor();

      /** The first word wholly in view in either column, where a word is in both, and whether that is in view. */
      const look = (word = -1) =>
        panel.page.evaluate((wanted) => {
          const [main, other] = [...document.querySelectorAll('.text')].map((column) => {
            const room = [column.querySelector('.caption')!, column].map((one) => one.getBoundingClientRect().bottom);
            const tops = new Map(
              [...column.querySelectorAll('.t')].map((span) => [
                span.textContent.trim(),
                Math.round(span.getBoundingClientRect().top),
              ]),
            );
            const isIn = (top: number): boolean => top >= room[0]! - 1 && top + 8 < room[1]!;
            const first = [...tops.keys()].find((one) => isIn(tops.get(one)!))!;
            const top = tops.get(wanted < 0 ? first : `g${wanted}`)!;
            return { tops, first, top, isIn: isIn(top) };
          });
          const name = wanted < 0 ? main!.first : `g${wanted}`;
          const apart = Math.abs(main!.tops.get(name)! - other!.tops.get(name)!);
          return { first: Number(name.slice(1)), isIn: main!.isIn && other!.isIn, isTogether: apart <= 1 };
        }, word);
      const together = { isIn: true, isTogether: true };
      await expect.poll(() => look(250)).toMatchObject(together);
      await picture(panel.page, `together-${setup.width}`);

      // The editor selects another token.
      for (const token of [40, 380]) {
        await panel.post({ type: 'select', token });
        await expect.poll(() => look(token)).toMatchObject(together);
      }

      // Either column is scrolled by hand, and the other goes along.
      for (const column of ['.text:not(.other)', '.text.other']) {
        const { first } = await look();
        await panel.page.locator(column).hover();
        await panel.page.mouse.wheel(0, -300);
        await expect.poll(async () => (await look()).first).toBeLessThan(first - 5);
        await expect.poll(() => look()).toMatchObject(together);
      }

      // What is clicked stays under the pointer.
      const under = panel.page.locator(`.text.other [data-i="${(await look()).first + more.length}"]`);
      const before = (await under.boundingBox())!.y;
      await under.click();
      await expect.poll(() => under.getAttribute('aria-selected')).toBe('true');
      await expect.poll(() => look()).toMatchObject(together);
      expect((await under.boundingBox())!.y).toBe(before);
    },
  );

  test('log-probabilities are of the tokens that both have, however far the other run is', async () => {
    await open();
    const main = fabricate({ tokens: 60 });
    const shaken = main.sequences[0]!.logProb!.map((x) => x - 0.5);
    // Another run of the same text: what is sent is kept by the source.
    const other = { ...main, source: { ...main.source }, sequences: [{ ...main.sequences[0]!, logProb: shaken }] };
    await panel.show(main);
    for (const done of [20, 40, 60]) {
      await panel.show(cut(other, done), { title: 'other.md', strategy: { name: 'arrow', k: 2 } }, 'other');
      await expect.poll(() => text('.tabBody')).toMatch(/% less likely per token/);
    }
  });

  test.each([{ name: 'base' }, { name: 'single', expert: 'go' }])(
    'beside $name, which chooses nothing, the change of log-probability counts',
    async (strategy) => {
      await open();
      const main = fabricate({ tokens: 60 });
      await panel.show(main);
      const better = main.sequences[0]!.logProb!.map((x, i) => x + (i % 2 === 0 ? 0.4 : -0.2));
      const made = fabricate({ tokens: 60, strategy });
      const other = { ...made, sequences: [{ ...made.sequences[0]!, logProb: better }] };
      await panel.show(other, { title: 'other' }, 'other');
      const told = await text('.tabBody');
      expect(told).toContain('there are no choices to agree with');
      expect(told).not.toMatch(/Top-k overlap|Flipped choices|Jensen-Shannon/);
      await expect
        .poll(() => panel.page.locator('[data-figure=compareByLayer], [data-figure=compareUsage]').count())
        .toBe(0);
      await expect.poll(() => text('#grid-caption')).toMatch(/Blue: .*likelier; orange: less/);
      // Not one solid colour: what became likelier has a different colour from what did not.
      await panel.goTo(20, 3);
      await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain('likelier, +0.40 nats');
      const [r, , b] = await panel.cellColour();
      expect(b).toBeGreaterThan(r!);
      await panel.goTo(21, 3);
      await expect
        .poll(() => panel.page.locator('.cell').getAttribute('aria-label'))
        .toContain('less likely, −0.20 nats');
      const [red, , blue] = await panel.cellColour();
      expect(red).toBeGreaterThan(blue!);
      await picture(panel.page, `dark-compare-${strategy.name}`);
    },
  );

  test('one expert is chosen by name, and no run is compared with itself', async () => {
    await open();
    await panel.show(fabricate({ tokens: 40, strategy: { name: 'single', expert: 'c' } }));
    await showTab('compare');
    await panel.press('compare-with-single');
    await panel.settled();
    // What the strategy does is said without opening the list.
    const hint = (await panel.page.locator('.tabBody .form > .caption').innerText()).trim();
    expect(hint).toBe(description.can.strategies.find(({ name }) => name === 'single')!.hint);
    await picture(panel.page, 'dark-compare-hint');
    const expert = panel.page.locator('[data-focus=compare-expert]');
    await expect.poll(() => expert.inputValue()).toBe('css');
    await expert.selectOption('go');
    await panel.page.locator('[data-focus=compare-now]').click();
    await expect
      .poll(async () => (await panel.sent('compare')).map(({ strategy }) => strategy))
      .toEqual([{ name: 'single', expert: 'go' }]);
    await expert.selectOption('c');
    const now = panel.page.locator('[data-focus=compare-now]');
    await panel.settled();
    await expect.poll(() => now.getAttribute('aria-disabled')).toBe('true');
    await expect.poll(() => now.getAttribute('title')).toBe('That is this run.');
  });

  test('a run of another model than the chosen one is routed again before it is compared', async () => {
    await open({ width: 460, height: 900 });
    await panel.show(fabricate({ tokens: 40 }), { model: 'Goose 7B' });
    await showTab('compare');
    await expect
      .poll(() => text('.tabBody'))
      .toContain(
        `This is a run of Goose 7B; ${description.name} has been chosen since. Route again with ${description.name}, then compare.`,
      );
    const now = panel.page.locator('[data-focus=compare-now]');
    await expect.poll(() => now.getAttribute('aria-disabled')).toBe('true');
    await now.click({ force: true });
    await picture(panel.page, 'dark-compare-since');
    await panel.press('compare-again');
    await expect.poll(() => panel.sent('again')).toHaveLength(1);
    expect(await panel.sent('compare')).toEqual([]);
  });

  /** The run of a pool with other experts. */
  const ofStrangers = (trace: Trace): Trace => ({
    ...trace,
    expertSets: trace.expertSets.map((set) => ({
      ...set,
      experts: set.experts.map((expert) => ({ ...expert, id: `other-${expert.id}` })),
    })),
  });

  test('runs of two models without a common expert are compared by their predictions, and that is said', async () => {
    await open();
    const other = ofStrangers(fabricate({ tokens: 40, seed: 9 }));
    await panel.show(fabricate({ tokens: 40 }), { model: 'Goose 7B' });
    await panel.show(other, { title: 'Heron 1B', model: 'Heron 1B' }, 'other');
    await expect
      .poll(() => text('.tabBody'))
      .toContain('Goose 7B and Heron 1B have no experts in common: their predictions are compared');
    expect(await text('.tabBody')).not.toContain('Top-k overlap');
    await expect.poll(() => text('#grid-caption')).toContain('Blue: the other run finds the token likelier');
    await expect.poll(() => panel.page.locator('.t.measured').count()).toBeGreaterThan(20);
    await picture(panel.page, 'dark-compare-strangers');
  });

  testMany(
    [400, 1440],
    'runs without anything in common say so where they would be compared, and what helps ($0 pixels)',
    async (width) => {
      await open({ width, height: 900 });
      await panel.show(fabricate({ words: ['geese', ' fly'] }), { model: 'Goose 7B' });
      const other = ofStrangers(fabricate({ words: ['SELECT', ' name'] }));
      await panel.show(other, { title: 'Heron 1B', model: 'Heron 1B' }, 'other');
      const words =
        'Nothing here can be compared: Goose 7B and Heron 1B have no experts in common, and no tokens whose probabilities both know. ' +
        `Route again with ${description.name}, then compare.`;
      await expect.poll(() => text('.tabBody .notice')).toContain(words);
      await expect.poll(() => text('.plot .empty')).toBe(words);
      await picture(panel.page, `dark-compare-nothing-${width}`);
      expect(await panel.serious()).toEqual([]);
      await panel.press('compare-again');
      await expect.poll(() => panel.sent('again')).toHaveLength(1);
    },
    { quick: 2 },
  );

  test('another strategy or the editor’s selection can be compared with', async () => {
    await open();
    await panel.show(fabricate({ tokens: 40 }));
    await panel.page.locator('[data-focus=head-compare]').click();
    await panel.press('compare-with-arrow');
    await panel.page.locator('[data-focus=compare-now]').click();
    await panel.page.locator('[data-focus=compare-editor]').click();
    await expect
      .poll(() => panel.sent('compare'))
      .toEqual([
        { type: 'compare', strategy: { name: 'arrow', k: 2 }, interventions: [], selection: 'same' },
        { type: 'compare', strategy: { name: 'phatgoose', k: 2 }, interventions: [], selection: 'editor' },
      ]);
  });
});

test('a panel says whether it is pinned and to what, and lets itself be pinned and unpinned', async () => {
  await open({ width: 1280, height: 720 });
  await panel.show(fabricate({ tokens: 40 }));
  const pin = panel.page.locator('[data-focus=head-pin]');
  // A trace file is no panel that could follow an editor.
  expect(await pin.count()).toBe(0);
  await panel.post({ type: 'pinned', is: false });
  const said = () => Promise.all(['aria-pressed', 'title'].map((name) => pin.getAttribute(name)));
  await expect.poll(said).toEqual(['false', 'Follows the editor; click to pin it to geese.md']);
  await pin.click();
  await panel.post({ type: 'pinned', is: true });
  await expect.poll(said).toEqual(['true', 'Pinned to geese.md; click to let it follow the editor']);
  await picture(panel.page, 'dark-pinned');
  expect(await panel.serious()).toEqual([]);
  await pin.click();
  await expect
    .poll(() => panel.sent('pin'))
    .toEqual([
      { type: 'pin', is: true },
      { type: 'pin', is: false },
    ]);
});

test('a narrow panel has its pin in its menu', async () => {
  await open({ width: 400, height: 800 });
  await panel.show(fabricate({ tokens: 40 }));
  await panel.post({ type: 'pinned', is: true });
  await panel.press('head-more');
  const pin = panel.page.locator('[role=menuitemcheckbox][data-focus=head-pin]');
  await expect.poll(() => pin.getAttribute('aria-checked')).toBe('true');
  await expect.poll(() => pin.innerText()).toContain('Pinned to geese.md; click to let it follow the editor');
  await picture(panel.page, 'dark-pinned-400');
  await pin.click();
  await expect.poll(() => panel.sent('pin')).toEqual([{ type: 'pin', is: false }]);
});

describe('running', () => {
  test('progress, stop, and what must wait', async () => {
    await open();
    await panel.show(fabricate({ done: 100 }), { running: { what: 'route', done: 100, total: 266 } });
    await expect.poll(() => text('.progress')).toContain('100 of 266');
    await expect.poll(() => panel.page.locator('.t.pending').count()).toBe(166);
    await panel.page.locator('[data-focus=stop]').click();
    await expect.poll(() => panel.sent('stop')).toHaveLength(1);
    const generate = panel.page.locator('[data-focus=head-generate]');
    await expect.poll(() => generate.getAttribute('aria-disabled')).toBe('true');
    await expect.poll(() => generate.getAttribute('title')).toBe('A run is in progress.');
    await panel.post({ type: 'status', side: 'main', running: undefined, stale: true, fresh: 40 });
    await expect.poll(() => panel.page.locator('.progress').isVisible()).toBe(false);
    await expect.poll(() => text('.notice.stale')).toContain('Its first 40 tokens are unchanged.');
    await expect.poll(() => panel.page.locator('.t.outdated').count()).toBe(266 - 40);
    await expect.poll(() => text('.notices')).toContain('100 of 266 tokens');
    await panel.page.locator('[data-focus=again]').click();
    await expect.poll(() => panel.sent('again')).toHaveLength(1);
    const rest = panel.page.locator('[data-focus=partial-again]');
    expect(await rest.innerText()).toBe('Route the rest');
    await rest.click();
    await expect.poll(() => panel.sent('again')).toHaveLength(2);
  });

  test('a long run says how much longer it takes, once it has a pace', async () => {
    await open();
    await panel.show(fabricate({ done: 100 }), { running: { what: 'route', done: 100, total: 266 } });
    await expect
      .poll(async () => {
        const running = { what: 'route', done: 150, total: 266 } as const;
        await panel.post({ type: 'status', side: 'main', running, stale: false });
        return text('.progress');
      })
      .toMatch(/150 of 266 tokens · about \d+ s left/);
  });

  test('what is said before the first token is what is done: the model is loaded once', async () => {
    await open();
    const before = (what: NonNullable<SideState['running']>['what']) => ({ running: { what, done: 0, total: 0 } });
    const progress = () => text('.progress');
    await panel.show(undefined, before('route'));
    await expect.poll(progress).toContain('Loading the model…');
    const trace = fabricate();
    await panel.show(trace, before('lens'));
    await expect.poll(progress).toContain('Reading what each layer predicts…');
    const interventions = [{ action: 'knock-out', expert: 'css', scope: {} } as const];
    await panel.show(trace, { ...before('route'), interventions });
    await expect.poll(progress).toContain('Running with: css knocked out everywhere…');
    // Another model has been chosen meanwhile.
    await panel.show(trace, { ...before('route'), model: 'Goose 7B' });
    await expect.poll(progress).toContain('Loading the model…');
  });

  test('a screen reader hears what runs now, without its count, and not what the run before or beside it was asked', async () => {
    await open();
    const trace = fabricate();
    const said = () => panel.page.locator('header [role=status]').innerText();
    const running = (done: number) => ({ running: { what: 'route', done, total: done && 266 } }) as const;
    const knockOut = (expert: string) => ({ action: 'knock-out', expert, scope: {} }) as const;
    const [one, both] = [[knockOut('css')], [knockOut('css'), knockOut('go')]];
    // The host says that it runs before it says what.
    await panel.show(trace);
    await panel.post({ type: 'status', side: 'main', ...running(0), stale: false });
    await panel.show(trace, { ...running(0), interventions: one });
    expect(await said()).toBe('Running with: css knocked out everywhere…');
    await panel.show(trace, { ...running(100), interventions: one });
    expect(await said()).toBe('Running with: css knocked out everywhere…');
    // Another takes its place.
    await panel.show(trace, { ...running(0), interventions: both });
    expect(await said()).toBe('Running with: css knocked out everywhere, go knocked out everywhere…');
    await panel.show(trace, running(0));
    expect(await said()).toBe('Routing…');
    await panel.show(trace, { interventions: both });
    expect(await said()).toBe('');
    // With and without the what-if.
    await panel.show(undefined, running(0), 'other');
    expect(await said()).toBe('Routing…');
    expect(await text('.progress')).toContain('Routing…');
  });

  test('a text that has changed can be routed again while its earlier version still runs', async () => {
    await open();
    const running = { what: 'route', done: 0, total: 0 } as const;
    await panel.show(fabricate(), { running, stale: true });
    await expect.poll(() => text('.progress')).toContain('Routing…');
    await panel.page.locator('[data-focus=again]').click();
    await expect.poll(() => panel.sent('again')).toHaveLength(1);
  });

  test('a run of another model than the chosen one says so, and can be made again', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(fabricate(), { model: description.name });
    await expect.poll(() => panel.page.locator('.notice').count()).toBe(0);
    await panel.show(fabricate(), { model: 'Goose 7B' });
    await expect
      .poll(() => text('.notices'))
      .toContain(`This is a run of Goose 7B. ${description.name} has been chosen`);
    // Also where one reads far below it.
    await panel.show(fabricate(), { model: description.name });
    const page = panel.page.locator('.page');
    await page.evaluate((one) => one.scrollTo(0, one.scrollHeight));
    expect(await page.evaluate((one) => one.scrollTop)).toBeGreaterThan(0);
    await panel.show(fabricate(), { model: 'Goose 7B' });
    await expect.poll(() => page.evaluate((one) => one.scrollTop)).toBe(0);
    await panel.page.locator('[data-focus=again-other]').click();
    await expect.poll(() => panel.sent('again')).toHaveLength(1);
    // No what-if on it would be one on what is on show.
    await showTab('whatIf');
    expect(await panel.page.locator('[data-focus=whatif-apply]').getAttribute('aria-disabled')).toBe('true');
    await panel.show(fabricate(), { model: description.name, lacksExperts: true });
    await expect
      .poll(() => text('.notices'))
      .toBe(`What-ifs on experts that ${description.name} does not have were left out.`);
  });

  test('a what-if hides what it overrules until it is undone, and none is applied that a forced expert leaves nothing', async () => {
    await open();
    const forced = { action: 'force', expert: 'sql', scope: {} } as const;
    await panel.show(fabricate({ interventions: [forced] }), { interventions: [forced] });
    await showTab('whatIf');
    const apply = panel.page.locator('[data-focus=whatif-apply]');
    await panel.page.locator('[data-focus=whatif-expert]').selectOption('python');
    await expect.poll(() => text('.form')).toContain('A forced expert has all the weight there');
    expect(await apply.getAttribute('aria-disabled')).toBe('true');
    await panel.page.locator('[data-focus=whatif-expert]').selectOption('sql');
    await apply.click();
    const [sent] = await panel.sent('route');
    const out = { action: 'knock-out', expert: 'sql', scope: {} } as const;
    expect(sent!.interventions).toEqual([forced, out]);
    await panel.show(fabricate({ interventions: [forced, out] }), { interventions: [forced, out] });
    await expect.poll(() => panel.page.locator('.whatIfChip').allInnerTexts()).toEqual(['sql knocked out everywhere']);
    await panel.page.locator('[data-focus=undo]').click();
    await expect.poll(async () => (await panel.sent('route')).at(-1)!.interventions).toEqual([forced]);
    await panel.page.locator('[data-focus=chip-0]').click();
    await expect.poll(async () => (await panel.sent('route')).at(-1)!.interventions).toEqual([]);
  });

  test('the header names the model and the strategy of the run on show, which another than the chosen model may have made', async () => {
    await open({ width: 700, height: 780 });
    const native = { ...description, name: 'Gosling', can: { ...description.can, k: true as const, strategies: [] } };
    await panel.show(fabricate(), { model: 'Goose 7B' });
    await panel.post({ type: 'pool', description: native });
    await expect.poll(() => text('.head')).toContain('Goose 7B');
    expect(await text('.head')).not.toContain('Gosling');
    const strategy = panel.page.locator('[data-focus=strategy]');
    await expect.poll(() => strategy.innerText()).toContain('PHATGOOSE');
    await expect.poll(() => strategy.getAttribute('aria-disabled')).toBe('true');
    expect(await strategy.getAttribute('title')).toContain('Gosling has been chosen since');
    await picture(panel.page, 'dark-700-other-model');
    await panel.show(fabricate(), { model: description.name });
    await expect.poll(() => text('.head')).toContain(description.name);
    await expect.poll(() => strategy.getAttribute('aria-disabled')).not.toBe('true');
  });

  test('a text that grows is drawn as it grows, and looks as if it had been drawn at once', async () => {
    await open();
    const whole = fabricate({});
    await panel.show(cut(whole, 100), { running: { what: 'route', done: 100, total: 266 } });
    await panel.page.evaluate(() => document.querySelector('.t')!.setAttribute('data-first', 'drawn'));
    await panel.show(whole);
    await expect.poll(() => panel.page.locator('.t.pending').count()).toBe(0);
    await expect.poll(() => panel.page.locator('[data-first=drawn]').count()).toBe(1);
    const classes = () =>
      panel.page.locator('.tokens .t').evaluateAll((spans) => spans.map((span: Element) => span.getAttribute('class')));
    const grown = await classes();
    await open();
    await panel.show(whole);
    expect(grown).toEqual(await classes());
  });

  test('affinities come last: what needs them waits, and what is drawn stays', async () => {
    await open();
    const whole = fabricate({});
    const canSave = async () => {
      await panel.page.locator('[data-focus=head-save]').click();
      const item = panel.page.getByRole('menuitem', { name: 'Table of all choices' });
      const disabled = await item.getAttribute('aria-disabled');
      await panel.page.keyboard.press('Escape');
      return disabled !== 'true';
    };
    await panel.show(cut(whole, 100), { running: { what: 'route', done: 100, total: 266 } });
    await panel.post({ type: 'select', token: 20, module: 100 });
    await expect.poll(() => text('.tabBody')).toContain('The affinities come when the run is done.');
    await showTab('summary');
    await expect.poll(() => panel.page.locator('[data-figure=entropy]').count()).toBe(0);
    await expect.poll(() => panel.page.locator('[data-figure=usage] .whisker').count()).toBe(0);
    await expect.poll(() => canSave()).toBe(false);
    await panel.page.evaluate(() => document.querySelector('.t')!.setAttribute('data-first', 'drawn'));
    await panel.show(whole);
    await expect.poll(() => canSave()).toBe(true);
    await expect.poll(() => panel.page.locator('[data-figure=entropy]').count()).toBe(1);
    await expect.poll(() => panel.page.locator('[data-figure=usage] .whisker').count()).toBeGreaterThan(0);
    await showTab('cell');
    await expect.poll(() => panel.page.locator('[data-figure=affinities] .bar').count()).toBe(12);
    await expect.poll(() => panel.page.locator('[data-first=drawn]').count()).toBe(1);
  });

  test('progress redraws only its bar', async () => {
    await open();
    const running = { what: 'route', done: 100, total: 266 } as const;
    await panel.show(fabricate({ done: 100 }), { running });
    await panel.page.evaluate(() =>
      document.querySelector('.tabBody')!.firstElementChild!.setAttribute('data-first', 'drawn'),
    );
    await panel.post({ type: 'status', side: 'main', running: { ...running, done: 200 }, stale: false });
    await expect.poll(() => text('.progress')).toContain('200 of 266');
    await expect.poll(() => panel.page.locator('[data-first=drawn]').count()).toBe(1);
  });

  test('strategy, k and generate go to the host', async () => {
    await open();
    await panel.show(fabricate({ tokens: 40 }));
    await panel.press('strategy-single');
    await panel.page.locator('[data-focus=strategy-k]').fill('3');
    await panel.page.locator('[data-focus=strategy-k]').blur();
    await expect
      .poll(async () => (await panel.sent('route')).map((m) => m.strategy))
      .toEqual([
        { name: 'single', expert: 'c' },
        { name: 'phatgoose', k: 3 },
      ]);
    await panel.page.locator('[data-focus=head-generate]').click();
    await panel.page.locator('[data-focus=generate-n]').fill('12');
    expect(await panel.page.locator('[data-focus=generate-s]').count()).toBe(0);
    await panel.page.locator('[data-focus=generate-t]').fill('0.7');
    await panel.page.locator('[data-focus=generate-t]').blur();
    await expect.poll(() => panel.page.locator('[data-focus=generate-s]').isVisible()).toBe(true);
    await panel.page.locator('[data-focus=generate-start]').click();
    await expect
      .poll(() => panel.sent('generate'))
      .toEqual([{ type: 'generate', maxTokens: 12, temperature: 0.7, seed: 1 }]);
  });

  test('each strategy says in a line what it does, to keyboard and screen reader too', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(fabricate({ tokens: 40 }));
    await panel.page.locator('[data-focus=strategy]').press('ArrowDown');
    const menu = panel.page.getByRole('menu', { name: /^Strategy/ });
    // The present one has the focus.
    await expect.poll(() => menu.locator(':focus').getAttribute('data-focus')).toBe('strategy-phatgoose');
    for (const { title, hint } of description.can.strategies) {
      const item = menu.getByRole('menuitemradio', { name: title, exact: true });
      await expect.poll(() => item.innerText()).toBe(`${title}\n${hint}`);
      const said = (await item.getAttribute('aria-describedby'))!;
      await expect.poll(() => panel.page.locator(`[id="${said}"]`).innerText()).toBe(hint);
    }
    expect(await panel.serious()).toEqual([]);
    await panel.page.keyboard.press('Escape');
    await expect.poll(() => menu.isVisible()).toBe(false);
    await expect.poll(() => panel.page.locator(':focus').getAttribute('data-focus')).toBe('strategy');
  });

  test('what the model writes comes into view, marked as written, and can be copied and inserted', async () => {
    await open({ width: 700, height: 780 });
    const whole = fabricate();
    const { text: all, tokens } = whole.sequences[0]!;
    const given = tokens.start![200]!;
    await panel.show(whole, { given, running: { what: 'generate', done: 66, total: 90 } });
    await expect.poll(() => panel.page.locator('.t.written').count()).toBe(tokens.count - 200);
    await expect.poll(() => panel.page.locator('.t.written.begins').getAttribute('data-i')).toBe('200');
    await picture(panel.page, 'dark-700-written');
    const [pane, last] = [
      (await panel.page.locator('.text').boundingBox())!,
      (await panel.page.locator('.t').last().boundingBox())!,
    ];
    expect(last.y + last.height).toBeLessThanOrEqual(pane.y + pane.height + 1);
    await expect.poll(() => text('.writtenBar')).toContain(`Generated: ${tokens.count - 200} tokens`);
    await expect
      .poll(() => panel.page.locator('[data-focus=written-insert]').getAttribute('aria-disabled'))
      .toBe('true');
    await panel.show(whole, { given });
    await panel.page.locator('[data-focus=written-copy]').click();
    await panel.page.locator('[data-focus=written-insert]').click();
    await expect.poll(() => panel.sent('copy')).toEqual([{ type: 'copy', text: all!.slice(given) }]);
    await expect.poll(() => panel.sent('insert')).toHaveLength(1);
    // None of this if all of the text was given.
    await panel.show(fabricate({ seed: 3 }));
    await expect.poll(() => panel.page.locator('.writtenBar').count()).toBe(0);
  });

  testMany(
    [
      { width: 400, height: 700 },
      { width: 520, height: 720, theme: 'high-contrast' },
      { width: 520, height: 900 },
      { width: 700, height: 780, theme: 'light' },
      { width: 1280, height: 720 },
    ] as const,
    'what the model writes can be read beside the editor too, where the text is folded: %o',
    async (setup) => {
      await open(setup);
      const whole = fabricate();
      const { text: all, tokens } = whole.sequences[0]!;
      const given = tokens.start![tokens.count - 32]!;
      const written = () => text('.writtenText');
      const words = (from: string) => from.replace(/\s+/g, ' ').trim();
      const seen = all!.slice(0, tokens.end![tokens.count - 21]);
      const early = cut(whole, tokens.count - 20);
      const part = { ...early, sequences: early.sequences.map((sequence) => ({ ...sequence, text: seen })) };
      await panel.post({ type: 'textVisible', is: true });
      await panel.show(part, { given, running: { what: 'generate', done: 12, total: 32 } });
      await expect.poll(async () => words(await written())).toBe(words(seen.slice(given)));
      await panel.show(whole, { given });
      await expect.poll(async () => words(await written())).toBe(words(all!.slice(given)));
      const box = panel.page.locator('.writtenText');
      expect(await box.getAttribute('title')).toBe(all!.slice(given));
      expect(await panel.page.locator('.texts').count()).toBe(0);
      // Two lines of it, the rest by scrolling, and no wider than the window.
      const { x, width, height } = (await box.boundingBox())!;
      expect(x + width).toBeLessThanOrEqual(setup.width);
      expect(height).toBeLessThan(46);
      await picture(panel.page, `written-${setup.width}x${setup.height}${'theme' in setup ? `-${setup.theme}` : ''}`);
      expect(await panel.serious()).toEqual([]);
    },
    { quick: 2 },
  );

  test('what the model writes is plain text, and what cannot be seen is made visible', async () => {
    await open();
    const show = async (seed: number, written: string): Promise<void> => {
      const whole = fabricate({ tokens: 40, seed });
      const [{ text, ...sequence }] = whole.sequences as [(typeof whole.sequences)[0]];
      await panel.show({ ...whole, sequences: [{ ...sequence, text: text! + written }] }, { given: text!.length });
    };
    await panel.post({ type: 'textVisible', is: true });
    const shown = () => panel.page.locator('.writtenText').textContent();
    await show(1, '\n\n<b>bold</b>\u202e');
    await expect.poll(shown).toBe('<b>bold</b>·');
    await show(2, '\n ');
    await expect.poll(shown).toBe('⏎␣');
  });

  test('a text that is shown here begins where the model went on with it', async () => {
    await open({ width: 700, height: 780 });
    const whole = fabricate();
    const given = whole.sequences[0]!.tokens.start![240]!;
    await panel.post({ type: 'textVisible', is: true });
    await panel.post({ type: 'select', token: 3 });
    await panel.show(whole, { given });
    await panel.page.locator('[data-focus=text-show]').click();
    const within = () =>
      panel.page.evaluate(() => {
        const [pane, begins] = [document.querySelector('.text')!, document.querySelector('.t.written.begins')!];
        const [room, at] = [pane.getBoundingClientRect(), begins.getBoundingClientRect()];
        return at.top >= room.top - 1 && at.bottom <= room.bottom + 1;
      });
    await expect.poll(within).toBe(true);
  });

  testMany(
    [
      { width: 460, height: 600 },
      { width: 400, height: 700, theme: 'high-contrast' },
      { width: 400, height: 390, theme: 'light' },
      { width: 1280, height: 720 },
      { width: 1440, height: 900, theme: 'light' },
    ] as const,
    'what was written stays in view when its run is whole, however early the selected token is: %o',
    async (setup) => {
      await open(setup);
      const whole = fabricate({ tokens: 600 });
      const { text: all, tokens } = whole.sequences[0]!;
      const given = tokens.start![tokens.count - 32]!;
      const early = cut(whole, tokens.count - 12);
      const seen = {
        ...early,
        sequences: early.sequences.map((own) => ({ ...own, text: all!.slice(0, tokens.end![tokens.count - 13]) })),
      };
      await panel.show(cut(whole, tokens.count - 32), {});
      await panel.post({ type: 'textVisible', is: true });
      await panel.post({ type: 'select', token: 6 });
      // It is not in the editor, so the panel shows it.
      await panel.post({ type: 'textVisible', is: false });
      await panel.show(seen, { given, running: { what: 'generate', done: 20, total: 32 } });
      await panel.show(whole, { given, running: { what: 'generate', done: 32, total: 32 } });
      // The whole run has arrays of its own.
      const anew = (trace: typeof whole) => ({ ...trace, source: { ...trace.source } });
      await panel.show(anew(whole), { given });
      const isSeen = () =>
        panel.page.evaluate(() => {
          const [pane, begins] = [document.querySelector('.text')!, document.querySelector('.t.written.begins')!];
          const [room, at] = [pane.getBoundingClientRect(), begins.getBoundingClientRect()];
          return at.top >= room.top - 1 && at.bottom <= room.bottom + 1;
        });
      await expect.poll(isSeen).toBe(true);
      // It is there once: where the text is, it isn't repeated above the map.
      expect(await panel.page.locator('.writtenBar').count()).toBe(1);
      expect(await panel.page.locator('.writtenText').count()).toBe(0);
      await panel.show(anew(whole), { given });
      await panel.settled();
      await picture(panel.page, `written-whole-${setup.width}x${setup.height}`);
      expect(await isSeen()).toBe(true);
      // Another text is shown where its selected token is.
      const [own] = whole.sequences as [(typeof whole.sequences)[0]];
      await panel.show(anew({ ...whole, sequences: [{ ...own, text: `Z${all!.slice(1)}` }] }), { title: 'b.md' });
      await expect.poll(() => panel.page.locator('.t.selected').count()).toBe(0);
      await panel.post({ type: 'select', token: 6 });
      await expect
        .poll(() =>
          panel.page.evaluate(() => {
            const [pane, chosen] = [document.querySelector('.text')!, document.querySelector('.t.selected')!];
            return chosen.getBoundingClientRect().top >= pane.getBoundingClientRect().top - 1;
          }),
        )
        .toBe(true);
    },
  );

  test('a saved trace cannot be run, and says why', async () => {
    await open();
    await panel.post({ type: 'pool', description: fileDescription });
    const trace = fabricate({ tokens: 40 });
    await panel.side('main', {
      title: 'run.gander',
      strategy: { name: 'phatgoose', k: 2 },
      interventions: [],
      stale: false,
      trace,
    });
    for (const name of ['head-compare', 'head-generate', 'strategy']) {
      const control = panel.page.locator(`[data-focus=${name}]`);
      await expect.poll(() => control.getAttribute('aria-disabled')).toBe('true');
      await expect.poll(() => control.getAttribute('title')).toContain('saved trace');
    }
    await expect.poll(() => panel.page.locator('[data-focus=strategy]').innerText()).toBe('PHATGOOSE');
    await showTab('whatIf');
    await panel.page.locator('[data-focus=whatif-apply]').press('Enter');
    await expect.poll(() => panel.sent('route')).toEqual([]);
  });
});

describe('what can be saved', () => {
  test('trace, CSV, report and Markdown', async () => {
    await open();
    await panel.show(fabricate({ tokens: 30 }));
    const choose = async (item: string) => {
      await panel.page.locator('[data-focus=head-save]').click();
      await panel.page.getByRole('menuitem', { name: item }).click();
    };
    for (const item of ['Trace file', 'Table of all choices', 'Report (HTML)', 'Copy as Markdown']) await choose(item);
    await expect.poll(async () => (await panel.sent('save')).map((m) => m.kind)).toEqual(['trace', 'csv', 'html']);
    const saved = await panel.sent('save');
    const data = Object.fromEntries(saved.map((m) => [m.kind, 'data' in m ? m.data : ''])) as Record<string, string>;
    expect(data['csv']!.split('\r\n').length).toBeGreaterThan(30 * 210);
    expect(data['html']).toContain('<!DOCTYPE html>');
    await expect.poll(async () => (await panel.sent('copy'))[0]!.text).toContain('| token |');

    // The report contains a picture of the map as on paper, and needs nothing else to show it.
    const report = await panel.page.context().newPage();
    const asked: string[] = [];
    report.on('request', (request) => asked.push(request.url()));
    report.on('console', (message) => asked.push(message.text()));
    await report.setContent(data['html']!);
    const svg = report.locator('figure svg');
    expect((await svg.boundingBox())!.height).toBeGreaterThan(100);
    expect(await svg.getAttribute('width')).toBe('174mm');
    expect(await svg.locator('> rect').first().getAttribute('fill')).toBe('#ffffff');
    expect(await svg.locator('rect').count()).toBeGreaterThan(100);
    await expect.poll(() => report.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    expect(asked).toEqual([]);
    await picture(report, 'report');
    await report.close();
  });
});

describe('a picture compared with its trace, cell by cell', { tags: ['slow'] }, () => {
  const trace = fabricate({ tokens: 80 });
  const parts = partsOf(trace);

  /** The map's dialog, with what one of its buttons saves. */
  async function figure(...buttons: readonly string[]): Promise<string> {
    await panel.page.locator('[data-focus=head-save]').click();
    await panel.page.getByRole('menuitem', { name: 'Save Figure…' }).click();
    for (const button of buttons) {
      await panel.page.locator(`[data-focus="${button}"]`).click();
      await panel.settled();
    }
    const message = (await panel.sent('save')).at(-1)!;
    await panel.page.locator('[data-focus=figure-close]').click();
    return 'data' in message && typeof message.data === 'string' ? message.data : '';
  }

  test('a figure contains everything, whatever is scrolled away; as seen is the second choice', async () => {
    await open({ width: 1100, height: 600 });
    await panel.show(trace);
    await panel.press('segment-Modules');
    await panel.press('grid-zoomIn');
    await panel.post({ type: 'select', token: 70, module: 200 });
    const [, ...rows] = (await figure('figure-csv')).trim().split('\r\n');
    expect(rows).toHaveLength(80 * 210);
    rows.forEach((row, i) => {
      const [token, module] = [Math.floor(i / 210), i % 210];
      expect(row.startsWith(`${token + 1},`), row).toBe(true);
      expect(row).toContain(`"${parts.experts[parts.chosen(module, token)[0]!]!.name}"`);
    });
    expect(rows[0]).toContain('"layer 0, query"');
    const whole = await figure('figure-svg');
    await panel.post({ type: 'filter', expert: 'go' });
    const seen = await figure('segment-As seen', 'figure-svg');
    // What is filtered away has no colour.
    expect(seen.match(/<rect /g)!.length).toBeLessThan(whole.match(/<rect /g)!.length / 4);
  });

  test('the report says what a cell is, what the colours mean and how experts were chosen', async () => {
    await open();
    await panel.show(trace);
    await panel.page.locator('[data-focus=head-save]').click();
    await panel.page.getByRole('menuitem', { name: 'Report (HTML)' }).click();
    await expect.poll(async () => (await panel.sent('save')).at(-1)?.kind).toBe('html');
    const message = (await panel.sent('save')).at(-1)!;
    const html = 'data' in message ? (message.data as string) : '';
    expect(html).toContain('<dd>PHATGOOSE (phatgoose:2)</dd>');
    expect(html).toContain('Tokens across, layers down. Stronger colour: larger weight.');
    const report = await panel.page.context().newPage();
    await report.setContent(html);
    await expect.poll(() => report.locator('.legend .key').count()).toBeGreaterThan(1);
    const told = await report.locator('figure rect > title').evaluateAll((all) => all.map((one) => one.textContent));
    expect(told.some((words) => /^layer 29, Token .*80.*: \w+$/.test(words))).toBe(true);
    await picture(report, 'report-whole', { fullPage: true });
    await report.close();
  });
});

describe('what is remembered', { tags: ['slow'] }, () => {
  test('selection, tab, filter and rows survive a reload; what the host asked to keep does too', async () => {
    await open();
    const trace = fabricate();
    await panel.show(trace);
    await panel.post({ type: 'remember', memory: 'file:///geese.md#1' });
    await panel.post({ type: 'select', token: 25, module: 50 });
    await showTab('predictions');
    await panel.press('segment-Modules');
    await panel.page.locator('[data-focus=legend-sql]').click();
    await panel.press('grid-zoomIn');
    await panel.settled();
    const width = await panel.page.locator('.spacer').evaluate((e) => e.clientWidth);
    await panel.reload();
    await panel.show(trace);
    await expect.poll(() => panel.page.locator('.t.selected').getAttribute('data-i')).toBe('25');
    await expect.poll(() => panel.page.locator('#tab-predictions').getAttribute('aria-selected')).toBe('true');
    await expect.poll(() => panel.page.locator('[data-focus=legend-sql]').getAttribute('aria-pressed')).toBe('true');
    await expect.poll(() => panel.page.locator('.cells').getAttribute('aria-rowcount')).toBe('210');
    await expect.poll(() => panel.page.locator('.spacer').evaluate((e) => e.clientWidth)).toBe(width);
    await expect
      .poll(() =>
        panel.page.evaluate(() => (JSON.parse(sessionStorage.getItem('state')!) as { memory: string }).memory),
      )
      .toBe('file:///geese.md#1');
  });

  test('what a reload ended is said of the run that it was about, and of no later one', async () => {
    await open({ width: 460, height: 600 });
    const trace = fabricate();
    await panel.show(trace, { attribution: fabricateAttribution(trace) });
    await expect
      .poll(() => panel.page.evaluate(() => sessionStorage.getItem('state') ?? ''))
      .toContain('"attributed":true');
    await panel.reload();
    await panel.show(trace);
    const notice = panel.page.locator('[data-focus=lost-attribution]');
    await notice.waitFor();
    // The same text once more.
    await panel.show(trace, { running: { what: 'route', done: 10, total: 266 } });
    await panel.show(fabricate());
    await panel.page.locator('.notice').waitFor({ state: 'detached' });
  });

  test('nonsense, or the state of another version, does no harm', async () => {
    await open();
    for (const kept of [
      '{"version":99,"tab":"x"}',
      '{"version":2,"tab":"nowhere","selection":{"token":"x"},"filter":7,"zoom":{"width":"w"},"expanded":"some"}',
      '"text"',
    ]) {
      await panel.page.evaluate((state) => {
        sessionStorage.setItem('state', state);
      }, kept);
      await panel.reload();
      await panel.show(fabricate({ tokens: 20 }));
      await expect.poll(() => panel.page.locator('.t').count()).toBe(20);
    }
  });
});

describe('sizes', { tags: ['slow'] }, () => {
  test('one token', async () => {
    await open();
    await panel.show(fabricate({ tokens: 1 }));
    for (const tab of ['cell', 'summary', 'predictions', 'whatIf', 'compare']) await showTab(tab);
    await panel.goTo(0, 3);
    await expect.poll(() => panel.page.locator('.cell').getAttribute('aria-label')).toContain('token 1 of 1, layer 3');
  });

  test('no affinities, no predictions, no expert applied', async () => {
    await open();
    const made = fabricate({ tokens: 40, bare: true, strategy: { name: 'base' } });
    const { logProb: _l, topIds: _i, topLogProb: _p, topTokens: _t, ...sequence } = made.sequences[0]!;
    await panel.show({ ...made, sequences: [{ ...sequence, predictions: 0 }] });
    await panel.post({ type: 'select', token: 3, module: 7 });
    for (const tab of ['cell', 'summary', 'predictions', 'whatIf', 'compare']) await showTab(tab);
    await showTab('cell');
    await expect.poll(() => text('.tabBody')).toContain('This trace holds no affinities.');
    await showTab('predictions');
    await expect.poll(() => text('.tabBody')).toContain('no predictions');
  });

  test('10,000 tokens', async () => {
    await open();
    // Two layers, because sending the bytes to the page is the slow part here.
    await panel.show(fabricate({ tokens: 10_000, layers: 2, bare: true }));
    await expect.poll(() => panel.page.locator('.t').count()).toBe(10_000);
    await panel.post({ type: 'select', token: 9_990, module: 3 });
    await expect.poll(() => panel.page.locator('.t.selected').isVisible()).toBe(true);
    await panel.page.locator('[data-focus=grid-zoomFit]').click();
    await panel.settled();
    for (const tab of ['summary', 'predictions']) await showTab(tab);
    await expect.poll(() => text('.tabBody')).toContain('Next after the end');
  });
});

describe('many experts', { tags: ['slow'] }, () => {
  test('a pool of 256: 15 have colours, no two the same one, and every view stays readable', async () => {
    await open();
    const trace = widen(fabricate(), 256);
    await panel.show(trace);
    const chips = panel.page.locator('.chip .badge');
    await expect.poll(() => chips.count()).toBe(colourCount - 1);
    const colours = await chips.evaluateAll((badges) => badges.map((badge) => getComputedStyle(badge).backgroundColor));
    expect(new Set(colours).size).toBe(colourCount - 1);
    await panel.page.locator('[data-focus=legend-more]').click();
    await expect.poll(() => text('.legend .rest')).toContain('241 other experts');
    await picture(panel.page, 'dark-256-first');
    await showTab('summary');
    await picture(panel.page, 'dark-256-summary');
    // No view has 256 chips, bars or cells.
    await expect.poll(() => panel.page.locator('[data-figure=usage] .bar').count()).toBe(24);
    await expect.poll(() => panel.page.locator('[data-figure=coactivation] canvas').count()).toBe(1);
    await expect.poll(() => panel.page.locator('.tabBody *').count()).toBeLessThan(2500);
    // The table has all of them, and makes the visible ones.
    await panel.page.locator('[data-focus=table-usage]').click();
    await panel.settled();
    const table = panel.page.locator('[data-figure=usage] table');
    await expect.poll(() => table.getAttribute('aria-rowcount')).toBe('257');
    await expect.poll(() => table.locator('tbody tr:not(.gap)').count()).toBeLessThan(100);
    await panel.page.locator('[data-figure=usage] .tableBox').evaluate((box) => {
      box.scrollTop = box.scrollHeight;
    });
    await panel.settled();
    await panel.settled();
    await expect.poll(() => table.locator('tbody tr:not(.gap)').last().getAttribute('aria-rowindex')).toBe('257');
    // Instead of as many columns as experts, there is a list of the pairs.
    await panel.page.locator('[data-focus=table-coactivation]').click();
    await panel.settled();
    const pairs = pairsOf(coactivation(trace, sharedModules(trace)!)).length;
    const rows = await panel.page.locator('[data-figure=coactivation] table').getAttribute('aria-rowcount');
    expect(rows).toBe(String(pairs + 1));
  });

  test('an expert in the filter has a colour', async () => {
    await open();
    await panel.show(widen(fabricate({ tokens: 60 }), 256));
    await panel.post({ type: 'filter', expert: 'x250' });
    await expect.poll(() => panel.page.locator('[data-focus="legend-x250"]').getAttribute('aria-pressed')).toBe('true');
    await expect
      .poll(() => panel.page.locator('[data-focus="legend-x250"] .badge').getAttribute('class'))
      .toMatch(/x\d/);
  });
});

describe('long texts', { tags: ['slow'] }, () => {
  test('are aligned and compared in a worker', async () => {
    await open();
    const recipe = { tokens: 2500, layers: 18, bare: true };
    await panel.show(fabricate(recipe));
    await panel.show(fabricate({ ...recipe, seed: 5 }), { title: 'other.md' }, 'other');
    await panel.page.locator('[data-figure=compareByLayer]').waitFor({ timeout: 40_000 });
    expect(panel.page.workers()).toHaveLength(1);
    await expect.poll(() => text('.tabBody')).toMatch(/Tokens that both have \(aligned\)\s+2,500 of 2,500/);
    await panel.post({ type: 'select', token: 2000 });
    await expect.poll(() => panel.page.locator('.text.other .t.selected').getAttribute('data-i')).toBe('2000');
    await expect.poll(() => panel.sent('log')).toEqual([]);
  });
});

describe('what the system’s settings ask for', () => {
  /** The transition and animation of every element, in seconds. */
  const motion = () =>
    panel.page.evaluate(() =>
      [...document.querySelectorAll('*')]
        .map((element) => getComputedStyle(element))
        .flatMap((style) => [style.transitionDuration, style.animationDuration])
        .flatMap((list) => list.split(','))
        .reduce((most, one) => Math.max(most, parseFloat(one)), 0),
    );

  test('less motion: nothing moves by itself', async () => {
    await open();
    await panel.show(fabricate({ tokens: 40 }));
    await expect.poll(() => motion()).toBeGreaterThan(0);
    await panel.page.emulateMedia({ reducedMotion: 'reduce' });
    await expect.poll(() => motion()).toBe(0);
    await expect.poll(() => panel.page.evaluate(() => document.getAnimations().length)).toBe(0);
  });

  testMany(['dark', 'light'] as const, 'its own colours, over the opposite theme (%s)', async (colorScheme) => {
    // The hardest case: the editor's theme is the opposite of the system's.
    const light = colorScheme === 'light';
    await open({ theme: light ? 'dark' : 'light' });
    const trace = fabricate({ tokens: 60 });
    await panel.show(trace);
    await panel.page.emulateMedia({ forcedColors: 'active', colorScheme });
    await panel.settled();
    await panel.page.locator(`[data-focus=legend-sql]`).click();
    await panel.goTo(12, 3);
    const seen = await panel.page.evaluate(() => {
      const of = (selector: string) => getComputedStyle(document.querySelector(selector)!);
      const probe = document.body.appendChild(document.createElement('i'));
      const system = (name: string) => {
        probe.style.color = name;
        return getComputedStyle(probe).color;
      };
      const [canvas, canvasText, highlight] = ['Canvas', 'CanvasText', 'Highlight'].map(system);
      probe.remove();
      return {
        system: { canvas, canvasText, highlight },
        tabs: [...document.querySelectorAll('.tab')].map((one) => getComputedStyle(one).backgroundColor),
        pressed: of('[aria-pressed=true].chip').backgroundColor,
        text: of('.t:not(.plain)').color,
        badge: of('.badge').backgroundColor,
      };
    });
    const { canvas, canvasText, highlight } = seen.system;
    expect(canvas).not.toBe(canvasText);
    // One tab is selected, and so is one expert.
    expect(seen.tabs.filter((colour) => colour === highlight)).toHaveLength(1);
    expect(seen.pressed).toBe(highlight);
    // Experts keep their colours and patterns.
    expect(seen.text).toBe(canvasText);
    expect(seen.badge).not.toBe(canvas);
    await panel.page.locator('[data-focus=legend-all]').click();
    await panel.settled();
    const band = await panel.page
      .locator('.t:not(.plain)')
      .first()
      .evaluate((token) => getComputedStyle(token).backgroundImage);
    expect(band).toContain('gradient');
    const content = canvas!.match(/\d+/g)!.map(Number);
    const expected = partsOf(trace).chosen(0, 12)[0]!;
    await panel.press('segment-Modules');
    await panel.goTo(12, 0);
    await expect.poll(async () => nearestExpert(await panel.cellColour(), content, light)).toBe(expected);
    await picture(panel.page, `forced-${colorScheme}`);
  });
});

describe('axe finds nothing serious', () => {
  testMany(themeNames, '%s', async (theme) => {
    await open({ theme });
    const before = fabricate({ tokens: 80 });
    const after = fabricate({ tokens: 80, interventions: [{ action: 'force', expert: 'go', scope: { layer: 3 } }] });
    await panel.show(after, { before, attribution: fabricateAttribution(after) });
    await panel.post({ type: 'select', token: 20, module: 30 });
    await panel.page.locator('[data-focus=grid-filter]').click();
    await panel.page.locator('[data-focus=head-generate]').click();
    for (const tab of ['cell', 'summary', 'predictions', 'whatIf', 'compare']) {
      await showTab(tab);
      expect(await panel.serious(), tab).toEqual([]);
    }
  });
});

describe('pictures to look at', { tags: ['slow'] }, () => {
  const trace = fabricate();
  const interventions: Intervention[] = [{ action: 'knock-out', expert: 'html', scope: {} }];
  const after = fabricate({ interventions });

  testMany(
    themeNames.slice(0, 3).flatMap((theme) => [560, 1200].map((width) => ({ theme, width }))),
    '$theme $width',
    async ({ theme, width }) => {
      await open({ theme, width });
      const shot = async (name: string) => {
        await panel.settled();
        await picture(panel.page, `${theme}-${width}-${name}`);
      };
      await panel.show(trace);
      await shot('first');
      await panel.post({ type: 'select', token: 60, module: 100 });
      for (const tab of ['cell', 'summary', 'predictions']) {
        await showTab(tab);
        await shot(tab);
      }
      await panel.show(after, { before: trace, attribution: fabricateAttribution(after) });
      await showTab('whatIf');
      await shot('whatIf');
      await panel.show(fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } }), {}, 'other');
      await shot('compare');
      // Nothing is wider than the page.
      await expect.poll(() => panel.page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    },
  );
});

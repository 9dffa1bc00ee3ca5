/** One choice of what colours text and map; what is shown of a map whose cells are too small to be seen. */
import { describe, expect, test } from 'vitest';
import { expertStyle, measureColours, weakest } from '../../src/look/palette.js';
import { isByLayer, measured, scaled, valuesOf, type TextMeasure } from '../../src/trace/figures/colouring.js';
import type { Intervention } from '../../src/trace/model/trace.js';
import { cut, fabricate, fabricateAttribution, names } from './fabricate.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';
import { themeNames } from './themes.js';

/** As the manifest names them. */
const kinds = {
  dark: 'dark',
  light: 'light',
  'high-contrast': 'highContrast',
  'high-contrast-light': 'highContrastLight',
} as const;

const openPage = pages();
let panel: Panel;

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
}

async function text(selector: string): Promise<string> {
  await panel.settled();
  return panel.page.locator(selector).first().innerText();
}

async function colourBy(value: string): Promise<void> {
  await panel.page.locator('[data-focus=colour-by]').selectOption(value);
  await panel.settled();
}

async function showTab(name: string): Promise<void> {
  await panel.page.locator(`#tab-${name}`).click();
  await panel.settled();
}

/** For each token of this run's text, the class with its colour or its strength. */
async function dressed(pattern: string): Promise<(string | undefined)[]> {
  await panel.settled();
  return panel.page
    .locator('.text:not(.other) .tokens .t')
    .evaluateAll(
      (spans, wanted) => spans.map((span) => [...span.classList].find((name) => new RegExp(wanted).test(name))),
      pattern,
    );
}

async function labelAt(token: number, layer: number): Promise<string> {
  await panel.goTo(token, layer);
  return (await panel.page.locator('.cell').getAttribute('aria-label'))!;
}

const far = (value: number, wanted: number) => (Number.isNaN(value) ? Infinity : Math.abs(value - wanted));

const optionOf = (value: string) => panel.page.locator(`[data-focus=colour-by] option[value=${value}]`);

describe('what colours text and map', () => {
  test('a number: each token’s in the text, each cell’s own in the map, each with its scale; the editor is told', async () => {
    await open();
    const trace = fabricate({ tokens: 60 });
    await panel.show(trace);
    for (const by of ['surprise', 'probability', 'entropy', 'margin', 'weight'] as TextMeasure[]) {
      await colourBy(by);
      const { strength, value } = measured(trace, 0, by);
      const levels = Array.from(strength, (x) => (Number.isNaN(x) ? undefined : `s${Math.min(4, Math.floor(x * 5))}`));
      await expect.poll(() => dressed('^s\\d'), { message: by }).toEqual(levels);
      await expect
        .poll(() => panel.page.locator('.scale').first().getAttribute('aria-label'), { message: by })
        .toMatch(/^From [≤≥]?[\d.]+, weak/);
      // Map and legend have one scale; it is the text's too, unless the cells are of layers and the text's numbers means over them.
      const scale = (await panel.page.locator('.scale').first().getAttribute('aria-label'))!;
      const [, weak, strong] = /^From ([≤≥]?[\d.]+), weak, to ([≤≥]?[\d.]+), strong$/.exec(scale)!;
      const drawn = isByLayer(by)
        ? Array.from({ length: 30 }, (_, layer) => [...measured(trace, 0, by, { layer }).value]).flat()
        : [...value];
      const own = scaled(by, Float32Array.from(drawn));
      expect(
        [weak, strong].map((end) => Number(end!.replace(/[≤≥]/, ''))),
        by,
      ).toEqual([own.weak, own.strong].map((x): unknown => expect.closeTo(x, 2)));
      // A value past an end looks like it.
      const isReversed = own.weak > own.strong;
      expect(
        [weak, strong].map((end) => /^[≤≥]/.exec(end!)?.[0]),
        by,
      ).toEqual(by === 'probability' ? [undefined, undefined] : isReversed ? ['≥', '≤'] : ['≤', '≥']);
      expect(/text: [≤≥\d]/.test(await text('.legend')), by).toBe(isByLayer(by));
      const said = text('#grid-caption');
      expect(await said, by).toMatch(new RegExp(`Pale: .+ ${weak}; strong: ${strong}\\.`));
      const alike = 'all rows are alike';
      if (isByLayer(by)) expect(await said, by).not.toContain(alike);
      else expect(await said, by).toContain(alike);
      const label = await labelAt(20, 3);
      const whole = by === 'surprise' || by === 'probability';
      const at = whole ? value[20]! : measured(trace, 0, by, { layer: 3 }).value[20]!;
      const name = by === 'surprise' ? 'surprisal (−log p)' : by;
      expect(label, by).toContain(`${name} ${at.toFixed(2)}`);
      const title = by === 'weight' ? 'Largest weight' : name[0]!.toUpperCase() + name.slice(1);
      expect(await text('.gridView h2'), by).toBe(`${title} by token and module`);
      // The table has the same number, module by module.
      await panel.press('grid-asTable');
      const table = panel.page.locator('.gridTable table');
      await expect.poll(() => table.locator('th[scope=col]').allInnerTexts()).toEqual(['Module', title]);
      expect(await table.locator('tbody tr').count(), by).toBe(210);
      const cell = (await table.locator('tbody tr').nth(23).locator('td').innerText()).trim();
      const there = valuesOf(trace, 0, by, Int32Array.of(23))[20]!;
      expect(cell, by).toBe(there.toFixed(2));
      await panel.press('grid-asTable');
    }
    await expect
      .poll(async () => (await panel.sent('colour')).map(({ by }) => by))
      .toEqual(['surprise', 'probability', 'entropy', 'margin', 'weight']);
    // Experts colour nothing now, so there is nothing to press.
    await expect.poll(() => panel.page.locator('.chip').count()).toBe(0);
    await colourBy('experts');
    await expect.poll(async () => (await dressed('^x')).filter(Boolean).length).toBeGreaterThan(50);
  });

  testMany(
    ['dark', 'high-contrast', 'light'] as const,
    'the legend’s scale has the shades that the map has for the weakest, a middling and the strongest number ($0)',
    async (theme) => {
      await open({ theme, width: 1280, height: 720 });
      const trace = fabricate({ tokens: 60 });
      await panel.show(trace);
      await colourBy('surprise');
      const { strength } = measured(trace, 0, 'surprise');
      const shades = await panel.page.locator('.legend .scale .t').evaluateAll((all) =>
        all.map((one) => {
          const drawn = document.createElement('canvas').getContext('2d')!;
          drawn.fillStyle = getComputedStyle(one).backgroundColor;
          drawn.fillRect(0, 0, 1, 1);
          return [...drawn.getImageData(0, 0, 1, 1).data];
        }),
      );
      for (const [i, wanted] of [
        [0, 0],
        [2, 0.5],
        [4, 1],
      ] as const) {
        const token = [...strength.keys()].sort((a, b) => far(strength[a]!, wanted) - far(strength[b]!, wanted))[0]!;
        expect(far(strength[token]!, wanted)).toBeLessThan(0.05);
        await panel.goTo(token, 3);
        const cell = await panel.cellColour();
        const off = cell.map((channel, c) => Math.abs(channel - shades[i]![c]!));
        expect(Math.max(...off), `${i}: ${String(cell)} in the map, ${String(shades[i])} in the legend`).toBeLessThan(
          14,
        );
      }
    },
  );

  testMany(
    ['dark', 'high-contrast', 'light'] as const,
    'one chosen expert by its weight, with a scale ($0)',
    async (theme) => {
      for (const [form, width, height] of [
        ['Grid', 1230, 640],
        ['Lines', 1230, 640],
        ['', 460, 600],
      ] as const) {
        await open({ theme, width, height });
        const trace = fabricate({ tokens: 60 });
        await panel.show(trace);
        if (form) await panel.press(`segment-${form}`);
        await panel.page.locator('[data-focus=legend-typescript]').click();
        await panel.settled();
        await picture(panel.page, `chosen-${theme}-${form || width}`);
        const scale = panel.page.locator('.legend [role=img]');
        await expect
          .poll(() => scale.getAttribute('aria-label'))
          .toMatch(/^share of the weight, from 0% to [1-9]\d*%$/);
        const shades = await scale
          .locator('.t')
          .evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor));
        expect(new Set(shades).size).toBe(5);
        // A chip is in sight, the chosen one among them.
        await expect.poll(() => panel.page.locator('.legend .chip[aria-pressed=true]').isVisible()).toBe(true);
        const seen = new Set<string>();
        for (let layer = 0; layer < 12; layer++) {
          await panel.goTo(form === 'Grid' ? 12 + layer : layer, form === 'Grid' ? layer : 3);
          seen.add(String(await panel.cellColour()));
        }
        expect(seen.size).toBeGreaterThan(3);
        // Two experts are told apart by colour.
        await panel.page.locator('[data-focus=legend-html]').click();
        await expect.poll(() => scale.count()).toBe(0);
      }
    },
  );

  test('is said to be the text alone where the map keeps the colours of experts, and their legend', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(fabricate({ tokens: 60 }));
    await expect.poll(() => optionOf('attribution').innerText()).toMatch(/^text: attribution/);
    await expect.poll(() => optionOf('nothing').innerText()).toBe('text: nothing');
    for (const form of ['Lines', 'Grid']) {
      await panel.press(`segment-${form}`);
      await colourBy('nothing');
      await expect.poll(() => panel.page.locator('.legend .chip').count()).toBeGreaterThan(3);
      await picture(panel.page, `colour-nothing-${form}`);
    }
    expect(await panel.serious()).toEqual([]);
  });

  test('the change that a what-if made, in both; without another run, it says what is needed', async () => {
    await open();
    const before = fabricate({ tokens: 60 });
    await panel.show(before);
    await expect.poll(() => optionOf('change').innerText()).toContain('compare, or ask a what-if');
    await expect.poll(() => optionOf('attribution').innerText()).toContain('attribute first');
    const interventions: Intervention[] = [{ action: 'knock-out', expert: 'prose', scope: {} }];
    await panel.show(fabricate({ tokens: 60, interventions }), { before });
    // Experts keep the marks of a what-if until the change is chosen.
    await expect.poll(() => text('#grid-caption')).toContain('larger weight');
    await colourBy('change');
    await expect.poll(() => text('#grid-caption')).toContain('more of the chosen experts differ');
    await expect.poll(() => text('.legend')).toContain('chosen experts that differ');
    const levels = await dressed('^s\\d');
    expect(levels.filter(Boolean)).toHaveLength(60);
    expect(new Set(levels).size).toBeGreaterThan(1);
    await expect.poll(() => labelAt(20, 3)).toMatch(/% of the chosen experts differ$/);
    await expect
      .poll(() => panel.page.locator('.gridView').getAttribute('aria-label'))
      .toBe('Changed choices by token and module');
    await panel.press('grid-asTable');
    await expect.poll(() => text('.gridTable h3')).toMatch(/^Changed choices for/);
    const differing = panel.page.locator('.gridTable tbody td', { hasText: /% of the chosen experts differ/ });
    await expect.poll(() => differing.count()).toBe(210);
    await panel.press('grid-asTable');
    // Sent to the editor, whose choice behind it does not change.
    const chosen = { type: 'colour', by: 'experts', layer: '', over: 'change', passed: false };
    await expect.poll(() => panel.sent('colour')).toEqual([chosen]);
    await expect.poll(() => panel.sent('overlay')).toEqual([{ type: 'overlay', by: 'change' }]);
    await panel.reload();
    await panel.show(fabricate({ tokens: 60, interventions }), { before });
    await expect.poll(() => panel.page.locator('[data-focus=colour-by]').inputValue()).toBe('change');
    await panel.show(before);
    await expect.poll(() => panel.page.locator('[data-focus=colour-by]').inputValue()).toBe('experts');
  });

  test('a choice is the same after a reload, while the run that it waits for goes on, too', async () => {
    const chosen = () => panel.page.locator('[data-focus=colour-by]').inputValue();
    for (const [width, height] of [
      [1280, 720],
      [460, 600],
    ] as const) {
      await open({ width, height });
      const trace = fabricate({ tokens: 60 });
      await panel.show(trace);
      await colourBy('entropy');
      await panel.reload();
      await panel.show(cut(trace, 20), { running: { what: 'route', done: 20, total: 60 } });
      await expect.poll(chosen).toBe('entropy');
      if (width > 600) await expect.poll(() => text('.legend')).toContain('The affinities come when the run is done.');
      await picture(panel.page, `colour-awaited-${width}`);
      // Where there is no room for that, it is in the tooltip.
      await expect
        .poll(() => panel.page.locator('[data-focus=colour-by]').getAttribute('title'))
        .toBe('The affinities come when the run is done.');
      await panel.show(trace);
      await expect.poll(() => text('.legend')).not.toContain('come when the run is done');
      await expect.poll(chosen).toBe('entropy');
      await expect.poll(async () => (await dressed('^s\\d')).filter(Boolean).length).toBe(60);
    }
  });

  test('a comparison colours both texts by the change; either run’s experts are one press away', async () => {
    await open();
    const main = fabricate({ tokens: 60 });
    await panel.show(main);
    // One token changes more than the scale goes.
    const changeOf = (i: number) => (i === 22 ? 3 : i % 2 === 0 ? 0.4 : -0.2);
    const logProb = main.sequences[0]!.logProb!.map((x, i) => x + changeOf(i));
    const made = fabricate({ tokens: 60, strategy: { name: 'base' } });
    const other = { ...made, sequences: [{ ...made.sequences[0]!, logProb }] };
    await panel.show(other, { title: 'other' }, 'other');
    const hues = await dressed('^gain$');
    expect([hues[20], hues[21]]).toEqual(['gain', undefined]);
    await expect.poll(() => panel.page.locator('.text.other .t.gain').count()).toBe(hues.filter(Boolean).length);
    // What a colour beyond either end means is said where there is one, and so is what the numbers are.
    await expect.poll(() => text('.legend .scale')).toMatch(/^−0\.40\s.*≥\+0\.40$/s);
    await panel.page.locator('[data-focus^=explain-map_change]').click();
    await expect.poll(() => text('.explanation')).toContain('Any number of nats');
    expect(await text('.explanation')).not.toContain('From 0 %');
    await panel.page.keyboard.press('Escape');
    const token = panel.page.locator('.text.other .t').nth(20);
    await token.hover();
    await expect.poll(() => token.getAttribute('title')).toContain('likelier, +0.40 nats');
    await panel.page.locator('[data-focus="segment-This run"]').click();
    await expect.poll(async () => (await dressed('^x')).filter(Boolean).length).toBeGreaterThan(50);
    await expect.poll(() => panel.page.locator('[data-focus=colour-by]').inputValue()).toBe('experts');
    expect(await panel.serious()).toEqual([]);
  });

  testMany(
    themeNames,
    'the scale, the text and the map have one colour for a number, in the variables of VS Code itself ($0)',
    async (theme) => {
      await open({ theme });
      const main = fabricate({ tokens: 60 });
      await panel.show(main);
      await panel.press('segment-Grid');
      const own = [1, 3, 5].map((at) => parseInt(measureColours[kinds[theme]].slice(at, at + 2), 16));
      const shade = (at: 'first' | 'last') => panel.colourOf(panel.page.locator('.scale .shade')[at]());
      await colourBy('entropy');
      const values = Array.from({ length: 30 }, (_, layer) => measured(main, 0, 'entropy', { layer }).value);
      const { strong } = scaled('entropy', Float32Array.from(values.flatMap((value) => [...value])));
      const layer = values.findIndex((value) => value.some((x) => x >= strong));
      await panel.goTo(
        values[layer]!.findIndex((x) => x >= strong),
        layer,
      );
      await picture(panel.page, `scale-${theme}`);
      await expect.poll(() => shade('last')).toEqual(own);
      await expect.poll(async () => (await panel.cellColour()).slice(0, 3)).toEqual(own);
      const inText = panel.page.locator('.text .t.measured').first();
      await expect
        .poll(() => inText.evaluate((one) => getComputedStyle(one).getPropertyValue('--x')))
        .toBe(measureColours[kinds[theme]]);
      const logProb = main.sequences[0]!.logProb!.map((x, i) => x + (i % 2 === 0 ? 0.4 : -0.4));
      const made = fabricate({ tokens: 60, strategy: { name: 'base' } });
      await panel.show({ ...made, sequences: [{ ...made.sequences[0]!, logProb }] }, { title: 'other' }, 'other');
      await panel.goTo(21, 3);
      await picture(panel.page, `scale-change-${theme}`);
      await expect.poll(() => shade('first')).toEqual(own);
      await expect.poll(async () => (await panel.cellColour()).slice(0, 3)).toEqual(own);
      await panel.goTo(20, 3);
      const likelier = await panel.cellColour();
      expect(likelier.slice(0, 3)).not.toEqual(own);
      await expect.poll(() => shade('last')).toEqual(likelier.slice(0, 3));
    },
    { quick: 4 },
  );

  testMany(
    [
      ['high-contrast', 460, 640],
      ['light', 400, 640],
      ['dark', 400, 900],
      ['light', 700, 640],
    ] as const,
    'the scale of a change says in view of what it is and in what unit ($0, $1 × $2)',
    async ([theme, width, height]) => {
      await open({ theme, width, height });
      const main = fabricate({ tokens: 60 });
      await panel.show(main);
      const logProb = main.sequences[0]!.logProb!.map((x, i) => x + (i % 2 === 0 ? 1.18 : -1.18));
      const made = fabricate({ tokens: 60, strategy: { name: 'base' } });
      await panel.show({ ...made, sequences: [{ ...made.sequences[0]!, logProb }] }, { title: 'other' }, 'other');
      const said = panel.page.locator('.legend .scale.of');
      await expect
        .poll(() => said.innerText())
        .toBe('change of log-probability in nats, whole model: all layers alike');
      await picture(panel.page, `scale-said-${theme}-${width}-${height}`);
      await expect.poll(() => said.isVisible()).toBe(true);
      const room = await said.evaluate((one) => {
        const [own, legend] = [one.getBoundingClientRect(), one.closest('.legend')!.getBoundingClientRect()];
        return [one.scrollWidth - one.clientWidth, own.right - legend.right, own.bottom - legend.bottom];
      });
      for (const over of room) expect(over).toBeLessThanOrEqual(0);
      await panel.show(fabricate({ tokens: 60, seed: 3 }), { title: 'other' }, 'other');
      await expect.poll(() => said.innerText()).toBe('chosen experts that differ');
      await expect.poll(() => said.isVisible()).toBe(true);
    },
    { quick: 2 },
  );

  test('attribution, while its tab is open; an attribution that was stopped says how much is known', async () => {
    await open({ width: 700, height: 780 });
    const trace = fabricate({ tokens: 90 });
    await panel.show(trace, { running: { what: 'attribute', done: 3 * 90, total: 13 * 90 } });
    await showTab('whatIf');
    // Only the header shows the progress.
    await expect.poll(() => text('.progress')).toContain('Knocking out experts in turn: 2 of 12');
    await expect.poll(() => text('[data-figure=attribution]')).not.toContain('2 of 12');
    const whole = fabricateAttribution(trace);
    const kept = 8;
    const N = whole.experts.length;
    const attribution = {
      experts: whole.experts.slice(0, kept),
      logProb: whole.logProb,
      change: whole.change.filter((_, i) => i % N < kept),
      of: N,
    };
    await panel.show(trace, { attribution });
    await expect.poll(() => text('[data-figure=attribution] .notice')).toContain('8 of 12 experts');
    const attributed = Array.from({ length: 90 }, (_, t) => {
      const own = [...attribution.change.subarray(t * kept, (t + 1) * kept)];
      const least = Math.min(...own.map((x) => (Number.isNaN(x) ? 0 : x)));
      return least < -0.01
        ? `x${names.findIndex((name) => name === attribution.experts[own.indexOf(least)]!.id)}`
        : undefined;
    });
    await expect.poll(() => dressed('^x')).toEqual(attributed);
    await expect.poll(() => text('.legend')).toContain('expert with the largest attribution');
    const token = panel.page.locator('.t').nth(attributed.findIndex((one, i) => i > 4 && one !== undefined));
    await token.hover();
    await expect.poll(() => token.getAttribute('title')).toMatch(/attribution of \d\.\d\d nats to \w+/);
    await picture(panel.page, 'dark-700-attribution-part');
    await showTab('summary');
    await expect.poll(() => panel.page.locator('[data-focus=colour-by]').inputValue()).toBe('experts');
    await expect.poll(() => dressed('^x')).not.toEqual(attributed);
    // What is chosen instead stays, until the attribution is chosen again.
    await showTab('whatIf');
    await colourBy('experts');
    await expect.poll(() => dressed('^x')).not.toEqual(attributed);
    await colourBy('attribution');
    await expect.poll(() => dressed('^x')).toEqual(attributed);
  });
});

/** The colour of each expert that is shown within some elements. */
function coloursIn(selector: string): Promise<[expert: number, colour: string][]> {
  return panel.page.locator(`${selector} [class*=x]`).evaluateAll((all) => {
    const found = new Map<number, string>();
    for (const one of all) {
      const name = [...one.classList].find((own) => /^x\d+$/.test(own));
      if (name) found.set(Number(name.slice(1)), getComputedStyle(one).getPropertyValue('--x').trim());
    }
    return [...found];
  });
}

testMany(['light', 'dark'] as const, 'an expert has one colour in text, legend, charts and map ($0)', async (theme) => {
  await open({ theme, width: 1280, height: 900 });
  await panel.show(fabricate({ tokens: 90 }));
  await showTab('summary');
  for (const place of ['.tokens', '.legend', '.bars', '.heat']) {
    const found = await coloursIn(place);
    expect(found.length, place).toBeGreaterThanOrEqual(3);
    for (const [e, colour] of found) expect(colour, `${place} ${e}`).toBe(expertStyle(e)[theme].fill);
  }
  // In the map, at any strength, a cell is nearer to its own expert's colour than to any other's.
  const ground = theme === 'dark' ? [31, 31, 31] : [255, 255, 255];
  const fillOf = (e: number) => [1, 3, 5].map((at) => parseInt(expertStyle(e)[theme].fill.slice(at, at + 2), 16));
  for (const [token, layer] of [
    [10, 2],
    [33, 9],
    [70, 20],
  ] as const) {
    const label = await labelAt(token, layer);
    const pixel = await panel.cellColour();
    const gap = (e: number) =>
      Math.min(
        ...Array.from({ length: 41 }, (_, i) => weakest + ((1 - weakest) * i) / 40).map((share) =>
          Math.hypot(...fillOf(e).map((c, i) => ground[i]! + (c - ground[i]!) * share - pixel[i]!)),
        ),
      );
    const order = names.map((_, e) => e).sort((a, b) => gap(a) - gap(b));
    expect(gap(order[0]!)).toBeLessThan(4);
    expect(label).toContain(names[order[0]!]);
  }
});

describe('a map whose cells are too small to be seen', { tags: ['slow'] }, () => {
  testMany(['dark', 'light'] as const, 'has the colours of experts and none between them ($0)', async (theme) => {
    await open({ width: 1280, height: 720, theme });
    const trace = fabricate({ tokens: 2000 });
    await panel.show(trace);
    await panel.page.locator('[data-focus=grid-zoomFit]').click();
    await panel.settled();
    const ground = theme === 'dark' ? [31, 31, 31] : [255, 255, 255];
    const fills = names.map((_, e) =>
      [1, 3, 5].map((at) => parseInt(expertStyle(e)[theme].fill.slice(at, at + 2), 16)),
    );
    const strange = await panel.page.evaluate(
      ([ground, own, weak]) => {
        const canvas = document.querySelector<HTMLCanvasElement>('canvas.base')!;
        const { width, height, data } = canvas
          .getContext('2d')!
          .getImageData(80, 40, canvas.width - 100, canvas.height - 60);
        const shades = new Set(
          own.flatMap((fill) =>
            Array.from({ length: 17 }, (_, level) =>
              fill.map((c, i) => Math.round(ground[i]! + (c - ground[i]!) * (weak + ((1 - weak) * level) / 16))).join(),
            ),
          ),
        );
        const found = new Set<string>();
        let seen = 0;
        for (let i = 0; i < width * height * 4; i += 4) {
          const pixel = `${data[i]},${data[i + 1]},${data[i + 2]}`;
          if (shades.has(pixel)) seen++;
          else if (pixel !== ground.join()) found.add(pixel);
        }
        return { found: [...found].slice(0, 5), seen };
      },
      [ground, fills, weakest] as const,
    );
    expect(strange.found).toEqual([]);
    expect(strange.seen).toBeGreaterThan(10_000);
    await picture(panel.page, `${theme}-zoomed-out`);
  });

  test('says on hovering which experts share the place', async () => {
    await open({ width: 1280, height: 720 });
    await panel.show(fabricate({ tokens: 2000 }));
    await panel.page.locator('[data-focus=grid-zoomFit]').click();
    await panel.settled();
    const plot = (await panel.page.locator('.scroller').boundingBox())!;
    await panel.page.mouse.move(plot.x + 300, plot.y + 150);
    await expect.poll(() => text('.tip')).toMatch(/tokens [\d,]+ to [\d,]+, layer \d+/);
    const tip = await text('.tip');
    const shares = [...tip.matchAll(/(\d+)%/g)].map(([, share]) => Number(share));
    expect(shares[0]).toBe(Math.max(...shares));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(101);
  });

  test('has readable tokens after one press', async () => {
    await open({ width: 700, height: 780 });
    const trace = fabricate();
    await panel.show(trace);
    await panel.post({ type: 'select', token: 200, module: 100 });
    await panel.press('segment-Grid');
    await panel.press('grid-zoomRead');
    const [cell, plot] = [
      (await panel.page.locator('.cell').boundingBox())!,
      (await panel.page.locator('.scroller').boundingBox())!,
    ];
    expect(cell.width).toBeGreaterThanOrEqual(14);
    expect(cell.x).toBeGreaterThan(plot.x);
    expect(cell.x + cell.width).toBeLessThanOrEqual(plot.x + plot.width);
  });

  test('a layer says what a click on it will do', async () => {
    await open();
    await panel.show(fabricate());
    const plot = (await panel.page.locator('.scroller').boundingBox())!;
    const tip = async () => {
      await panel.page.mouse.move(plot.x + 31, plot.y + 90);
      await panel.page.mouse.move(plot.x + 30, plot.y + 90);
      return text('.tip');
    };
    await expect.poll(() => tip()).toMatch(/layer \d+\s+Click to see its modules/);
    await panel.page.mouse.click(plot.x + 30, plot.y + 90);
    await panel.settled();
    await expect.poll(() => panel.page.locator('.cells').getAttribute('aria-rowcount')).toBe('36');
    await expect.poll(() => tip()).toContain('Click to close the layer');
  });
});

describe('a refusal', () => {
  test('has the button that helps beside its message', async () => {
    await open();
    const error = { code: 'text-too-long', message: 'The text has 9,000 tokens.', remedy: 'Select less.' } as const;
    await panel.show(undefined, { error });
    await panel.page.locator('[data-focus=mend-firstPart]').click();
    await expect.poll(() => panel.sent('firstPart')).toHaveLength(1);
    // There is no advice beside it on how to do what the user has just done.
    await expect.poll(() => panel.page.locator('.first').count()).toBe(0);
    await panel.show(fabricate(), {
      error: { code: 'engine-died', message: 'The engine died.', remedy: 'Ask again.' },
    });
    await panel.page.locator('[data-focus=mend-again]').click();
    await expect.poll(() => panel.sent('again')).toHaveLength(1);
    const stopped = { code: 'cancelled', message: 'The run was cancelled.', remedy: 'Run it again.' } as const;
    await panel.show(undefined, { error: stopped });
    await panel.page.locator('.notice', { hasText: 'Stopped before its first token' }).waitFor();
    await panel.page.locator('[data-focus=partial-again]').click();
    await expect.poll(() => panel.sent('again')).toHaveLength(2);
    await panel.show(fabricate(), { error: { code: 'request-invalid', message: 'No.', remedy: 'Ask otherwise.' } });
    await expect.poll(() => panel.page.locator('[role=alert] button').count()).toBe(0);
  });
});

testMany(
  [
    { width: 1280, height: 720 },
    { width: 700, height: 600 },
  ],
  'a table has room for its rows ($width × $height)',
  async (size) => {
    await open(size);
    await panel.show(fabricate());
    await showTab('summary');
    const charts = ['usage', 'usageByLayer', 'entropy', 'coactivation'];
    for (const name of charts) await panel.page.locator(`[data-focus=table-${name}]`).click();
    await panel.settled();
    const boxes = await panel.page
      .locator('.tableBox')
      .evaluateAll((all) => all.map((box) => ({ height: box.clientHeight, content: box.scrollHeight })));
    expect(boxes).toHaveLength(charts.length);
    for (const { height, content } of boxes) expect(height).toBeGreaterThanOrEqual(Math.min(content, 200));
  },
);

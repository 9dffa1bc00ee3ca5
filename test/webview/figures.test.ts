/** Figures that are saved: for a paper or as seen, their captions and their data. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsePageMessage } from '../../src/panel/messages.js';
import { fabricate, fabricateAttribution, fabricateLens, requestOf } from './fabricate.js';
import { fabricateMoe, moeDescription } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const openPage = pages();
let panel: Panel;

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage({ width: 1280, height: 900, ...setup });
}

async function showTab(name: string): Promise<void> {
  await panel.page.locator(`#tab-${name}`).click();
  await panel.settled();
}

const press = (name: string) => panel.press(name);

/** Opens the dialog of the map. */
async function openMap(): Promise<void> {
  await press('head-save');
  await panel.page.getByRole('menuitem', { name: 'Save Figure…' }).click();
  await panel.page.locator('dialog[open]').waitFor();
}

async function openFigure(name: string): Promise<void> {
  await press(`save-${name}`);
  await panel.page.locator('dialog[open]').waitFor();
}

/** What a button of the dialog saves. */
async function saved(kind: 'svg' | 'csv' | 'vega'): Promise<string> {
  const before = (await panel.sent('save')).length;
  await press(`figure-${kind}`);
  await expect.poll(async () => (await panel.sent('save')).length).toBe(before + 1);
  const message = (await panel.sent('save')).at(-1)!;
  return 'data' in message ? (message.data as string) : '';
}

/** What the saved SVG is like when a browser shows it. */
function read(svg: string) {
  return panel.page.evaluate((source) => {
    const root = new DOMParser().parseFromString(source, 'image/svg+xml').documentElement;
    const all = (name: string) => [...root.querySelectorAll(name)];
    return {
      isBroken: root.querySelector('parsererror') !== null,
      width: root.getAttribute('width'),
      height: Number.parseFloat(root.getAttribute('height')!),
      fontSize: root.getAttribute('font-size'),
      ground: root.querySelector(':scope > rect')!.getAttribute('fill'),
      texts: all('text').map((text) => text.textContent),
      rects: all('rect').length,
      colours: [...new Set(all('[fill]').map((one) => one.getAttribute('fill')))],
    };
  }, svg);
}

/** The texts of a figure that are cut, that leave it, or that stand on another, in the font in which a browser shows it. */
function faults(svg: string): Promise<string[]> {
  return panel.page.evaluate((source) => {
    const box = document.createElement('div');
    box.style.cssText = 'position:absolute;left:0;top:0;background:white';
    box.innerHTML = source;
    document.querySelector('dialog[open]')!.append(box);
    const root = box.querySelector('svg')!;
    const sheet = root.getBoundingClientRect();
    const texts = [...root.querySelectorAll('text')].map((text) => ({
      says: text.textContent,
      at: text.getBoundingClientRect(),
    }));
    const found: string[] = [];
    for (const [i, { says, at }] of texts.entries()) {
      if (says.endsWith('…')) found.push(`cut: ${says}`);
      if (
        at.left < sheet.left - 1 ||
        at.right > sheet.right + 1 ||
        at.top < sheet.top - 3 ||
        at.bottom > sheet.bottom + 3
      )
        found.push(`outside: ${says}`);
      for (const other of texts.slice(i + 1)) {
        const wide = Math.min(at.right, other.at.right) - Math.max(at.left, other.at.left);
        const high = Math.min(at.bottom, other.at.bottom) - Math.max(at.top, other.at.top);
        // A line of text is higher than its letters.
        if (wide > 1.5 && high > 4) found.push(`on each other: ${says} | ${other.says}`);
      }
    }
    // Chips hold their labels.
    for (const text of root.querySelectorAll('rect + text[font-weight=bold]')) {
      const [chip, label] = [text.previousElementSibling!, text].map((one) => one.getBoundingClientRect());
      if (label!.width > chip!.width + 1 && label!.height > chip!.height + 4)
        found.push(`over its chip: ${text.textContent}`);
      if (!text.hasAttribute('transform') && label!.width > chip!.width + 1)
        found.push(`over its chip: ${text.textContent}`);
    }
    box.remove();
    return found;
  }, svg);
}

const pictures = join(import.meta.dirname, '../../artifacts/webview');

/** To look at, at the size that it has on paper. */
async function print(name: string, svg: string): Promise<void> {
  if (!process.env['GANDER_TEST_PICTURES']) return;
  mkdirSync(pictures, { recursive: true });
  writeFileSync(join(pictures, `${name}.svg`), svg);
  const page = await panel.page.context().newPage();
  await page.setContent(`<body style="margin:0">${svg}</body>`);
  await page.locator('body > svg').screenshot({ path: join(pictures, `${name}.png`) });
  await page.close();
}

test('tools of a figure stay beside its title, which breaks where it is long', async () => {
  await open({ width: 460, height: 780 });
  await panel.show(fabricate());
  await press('segment-Grid');
  await panel.goTo(14, 4);
  for (const key of ['Enter', 'ArrowDown', 'ArrowDown']) await panel.page.keyboard.press(key);
  const header = panel.page.locator('.figure:is([data-figure=affinities], [data-figure=routerLogits]) > header');
  await header.scrollIntoViewIfNeeded();
  const middles = await header.evaluate((one) =>
    [...one.children]
      .map((child) => child.getBoundingClientRect())
      .filter(({ width }) => width > 0)
      .map(({ top, bottom }) => (top + bottom) / 2),
  );
  expect(middles.length).toBeGreaterThan(3);
  expect(Math.max(...middles) - Math.min(...middles)).toBeLessThan(3);
  await picture(panel.page, 'figure-long-title-460');
});

describe('the map', () => {
  test('is saved for a paper: white in any theme, as wide as a column, with axes, legend and caption', async () => {
    await open();
    await panel.show(fabricate({ tokens: 135 }));
    await openMap();
    const svg = await saved('svg');
    await print('paper-map-85', svg);
    const found = await read(svg);
    expect(found).toMatchObject({ isBroken: false, width: '85mm', fontSize: '8', ground: '#ffffff' });
    expect(found.texts).toEqual(
      expect.arrayContaining(['Token', 'Layer', 'python', 'Share of the weight: smaller', 'larger', '20', '100']),
    );
    expect(found.rects).toBeGreaterThan(1000);
    // A page of paper with its caption has room for it.
    expect(found.height).toBeLessThan(220);
    const caption = await panel.page.locator('.figureCaption').innerText();
    expect(caption).toContain('Tokens across, layers down. Stronger colour: larger weight.');
    expect(caption).toMatch(/geese\.md; 135 tokens; model: .+; strategy: PHATGOOSE; k = 2\.$/);
    await press('figure-pdf');
    const pdf = (await panel.sent('save')).at(-1)!;
    expect(parsePageMessage(pdf)).toEqual(pdf);
    expect(pdf).toMatchObject({
      kind: 'pdf',
      name: 'Experts by token and module 85mm',
      data: { background: '#ffffff' },
    });
    await press('figure-caption');
    await expect.poll(() => panel.sent('copy')).toEqual([{ type: 'copy', text: caption }]);
    await picture(panel.page, 'save-figure-dark');
    await press('segment-174 mm');
    const wide = await saved('svg');
    await print('paper-map-174', wide);
    expect((await read(wide)).width).toBe('174mm');
    expect(await panel.serious()).toEqual([]);
    await press('figure-close');
    await expect.poll(() => panel.page.locator('dialog').count()).toBe(0);
    await expect
      .poll(() => panel.page.evaluate(() => document.activeElement?.getAttribute('data-focus')))
      .toBe('head-save');
  });

  test('of lines has their numbers and, where there is room, their text', async () => {
    await open();
    await panel.show(fabricate({ tokens: 300 }));
    await press('segment-Lines');
    await openMap();
    await print('paper-lines-85', await saved('svg'));
    await press('segment-174 mm');
    const svg = await saved('svg');
    await print('paper-lines-174', svg);
    const { texts } = await read(svg);
    expect(texts).toEqual(expect.arrayContaining(['Line', 'Layer', '1', '2']));
    expect(texts.some((text) => text.split(' ').length > 3)).toBe(true);
  });

  test('of lines coloured by a number has its scale, for paper and as seen, and no experts', async () => {
    await open();
    await panel.show(fabricate({ tokens: 300 }));
    await press('segment-Lines');
    await panel.page.locator('[data-focus=colour-by]').selectOption('entropy');
    await openMap();
    const caption = await panel.page.locator('.figureCaption').innerText();
    const [, weak, strong] = /mean entropy of a line’s tokens\. Pale: (≤[\d.]+); strong: (≥[\d.]+)\./.exec(caption)!;
    // The text, and what is beside the lines, are not in the figure.
    expect(caption).not.toMatch(/text has|Beside/);
    const svg = await saved('svg');
    await print('paper-lines-entropy', svg);
    const { texts } = await read(svg);
    expect(texts).toEqual(expect.arrayContaining([`entropy, line mean: ${weak!}`, strong!]));
    expect(texts).not.toContain('python');
    expect(svg).toMatch(/entropy: mean [\d.]+</);
    expect((await saved('csv')).split('\n')[0]).toContain('entropy, line mean');
    expect(await saved('vega')).toContain('"entropy, line mean"');
    await press('segment-As seen');
    const seen = await saved('svg');
    await print('seen-lines-entropy', seen);
    const words = (await read(seen)).texts;
    expect(words).toContain(`entropy, line mean, from ${weak!} to ${strong!}`);
    expect(words).not.toContain('python');
  });

  test('of a mixture’s lines fills the column, and has the experts’ numbers, which colours alone do not tell apart', async () => {
    await open();
    const trace = fabricateMoe();
    await panel.show(trace, { strategy: { name: 'native', k: 2 } });
    await panel.post({ type: 'pool', description: moeDescription });
    await press('segment-Lines');
    await openMap();
    const svg = await saved('svg');
    await print('paper-mixture-85', svg);
    const { texts } = await read(svg);
    const lines = texts.filter((text) => /^\d+$/.test(text));
    expect(lines.length).toBeGreaterThan(8 * 20);
    const right = await panel.page.evaluate((source) => {
      const root = new DOMParser().parseFromString(source, 'image/svg+xml').documentElement;
      return Math.max(
        ...[...root.querySelectorAll('rect > title')].map(({ parentElement: cell }) => {
          const number = (name: string) => Number(cell!.getAttribute(name));
          return number('x') + number('width');
        }),
      );
    }, svg);
    expect(right).toBeGreaterThan(230);
    const caption = () => panel.page.locator('.figureCaption').innerText();
    expect(await caption()).toContain('strategy: The model’s router; k = 2.');
    await press('figure-close');
    await panel.page.locator('.legend .chip', { hasText: /^3/ }).click();
    await openMap();
    await expect.poll(() => caption()).toContain('In layer 0 only the choices of expert 3: stronger');
  });

  test('of a chosen expert says that a cell is its share', async () => {
    await open();
    await panel.show(fabricate({ tokens: 60 }));
    const caption = () => panel.page.locator('.figureCaption').innerText();
    await press('legend-css');
    await openMap();
    await expect
      .poll(() => caption())
      .toContain('Tokens across, layers down. Only the choices of css: stronger, the larger their share');
    await press('figure-close');
    await press('segment-Lines');
    await openMap();
    await expect
      .poll(() => caption())
      .toContain('Lines down, layers across. Only the choices of css: stronger, the larger their share');
    expect(await saved('csv')).toContain('"Share of the line (%)"');
  });

  test('as seen is the part that is seen, in the theme’s colours', async () => {
    await open({ width: 1100, height: 600 });
    await panel.show(fabricate({ tokens: 80 }));
    await press('grid-zoomIn');
    await openMap();
    const whole = await read(await saved('svg'));
    await press('segment-As seen');
    const seen = await saved('svg');
    await print('seen-map', seen);
    const found = await read(seen);
    expect(found.ground).toBe('#1f1f1f');
    expect(found.rects).toBeLessThan(whole.rects);
  });

  test('as PNG has 300 dots per inch, and says so', async () => {
    await open();
    await panel.show(fabricate({ tokens: 60 }));
    await openMap();
    await press('figure-png');
    await expect.poll(async () => (await panel.sent('save')).at(-1)?.kind).toBe('png');
    const png = await panel.page.evaluate(async () => {
      const messages = (window as unknown as { sent: { request?: { kind?: string; data: ArrayBuffer } }[] }).sent;
      const { data } = messages.find((m) => m.request?.kind === 'png')!.request!;
      const image = await createImageBitmap(new Blob([data], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d')!;
      canvas.drawImage(image, 0, 0);
      const view = new DataView(data);
      const [corner] = [[...canvas.getImageData(0, 0, 1, 1).data]];
      return { width: image.width, corner, perMetre: view.getUint32(33 + 8), unit: view.getUint8(33 + 16) };
    });
    expect(png).toEqual({ width: 1004, corner: [255, 255, 255, 255], perMetre: 11_811, unit: 1 });
  });

  test('of lines leaves room between their text and the cells, in whatever font it is drawn', async () => {
    await open();
    // Letters that are narrow in the font that is measured, and less so in others.
    const words = Array.from({ length: 200 }, (_, i) => (i % 25 === 24 ? '\n' : [' little', ' fit', ' tilt'][i % 3]!));
    await panel.show(fabricate({ words }));
    await press('segment-Lines');
    await openMap();
    await press('segment-174 mm');
    const svg = await saved('svg');
    await print('paper-lines-narrow-letters', svg);
    // The first cell's left edge, in points.
    const left = Number(/<rect x="([\d.]+)"[^>]*><title>layer 0,/.exec(svg)![1]);
    expect([...svg.matchAll(/<svg x="([\d.]+)" y="[^"]*" width="([\d.]+)"/g)].length).toBeGreaterThan(5);
    for (const [, x, width] of svg.matchAll(/<svg x="([\d.]+)" y="[^"]*" width="([\d.]+)"/g))
      expect(Number(x) + Number(width)).toBeLessThan(left - 4);
    await press('figure-png');
    await expect.poll(async () => (await panel.sent('save')).at(-1)?.kind).toBe('png');
    const darkest = await panel.page.evaluate(async (points) => {
      const messages = (window as unknown as { sent: { request?: { kind?: string; data: ArrayBuffer } }[] }).sent;
      const { data } = messages.find((m) => m.request?.kind === 'png')!.request!;
      const image = await createImageBitmap(new Blob([data], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d')!;
      canvas.drawImage(image, 0, 0);
      const dots = 300 / 72;
      const strip = canvas.getImageData((points - 5) * dots, 25 * dots, 4 * dots, 70 * dots).data;
      return strip.reduce((least, value) => Math.min(least, value), 255);
    }, left);
    expect(darkest).toBe(255);
  });

  test('has its data beside it, as a table and as a chart', async () => {
    await open();
    const trace = fabricate({ tokens: 40 });
    await panel.show(trace);
    await openMap();
    const rows = (await saved('csv')).trim().split('\r\n');
    expect(rows[0]).toBe('"Token","text","Layer","Expert","Share of the weight (%)"');
    expect(rows).toHaveLength(1 + 40 * 30);
    const vega = JSON.parse(await saved('vega')) as { data: { values: Record<string, unknown>[] }; mark: string };
    expect(vega.mark).toBe('rect');
    expect(vega.data.values).toHaveLength(40 * 30);
    // The numbers are those that the map shows.
    await press('figure-close');
    await panel.goTo(20, 3);
    const label = (await panel.page.locator('.cell').getAttribute('aria-label'))!;
    const cell = vega.data.values.find((one) => one['Token'] === 21 && one['Layer'] === 'layer 3')!;
    expect(label).toContain(String(cell['Expert']));
  });
});

describe('two runs that are compared', () => {
  const [this_, other] = [
    'model: tiny pool; strategy: PHATGOOSE; k = 2; what if: css knocked out everywhere',
    'model: larger pool; strategy: Arrow; k = 3',
  ];

  async function compare(setup: Setup = {}): Promise<void> {
    await open(setup);
    const interventions = [{ action: 'knock-out', expert: 'css', scope: {} } as const];
    const main = fabricate({ tokens: 40, interventions });
    await panel.show(main, { model: 'tiny pool', ...requestOf(main) });
    const second = fabricate({ tokens: 40, strategy: { name: 'arrow', k: 3 } });
    await panel.show(second, { title: 'Arrow', model: 'larger pool', ...requestOf(second) }, 'other');
  }
  const caption = () => panel.page.locator('.figureCaption').innerText();
  const title = (svg: string) => /<title>(.*?)<\/title>/.exec(svg)?.[1];

  test('are both named in the caption, the title and the data of their map', async () => {
    await compare();
    await openMap();
    await picture(panel.page, 'save-figure-compared');
    expect(await caption()).toContain(
      `This run: geese.md; 40 tokens; ${this_}. The other: Arrow; 40 tokens; ${other}.`,
    );
    const svg = await saved('svg');
    expect(title(svg)).toBe(`Changed choices by token and module. This run: ${this_}. The other: ${other}`);
    const [head, first] = (await saved('csv')).split('\r\n');
    expect(head).toMatch(/,"This run","The other"$/);
    expect(first).toMatch(new RegExp(`,"${this_}","${other}"$`));
    const { data } = JSON.parse(await saved('vega')) as { data: { values: Record<string, unknown>[] } };
    expect(data.values[0]).toMatchObject({ 'This run': this_, 'The other': other });
  });

  test('are both named in what is saved of the Compare tab, and a run alone in what shows it alone', async () => {
    await compare();
    await openFigure('compareByLayer');
    expect(await caption()).toContain(`The other: Arrow; 40 tokens; ${other}.`);
    expect((await saved('csv')).split('\r\n')[1]).toContain(`"${this_}","${other}"`);
    await press('figure-close');
    await press('segment-The other');
    await openMap();
    await expect.poll(caption).toMatch(/The other: Arrow; 40 tokens; .+k = 3\.$/);
    expect(await caption()).not.toContain('This run');
    expect((await saved('csv')).split('\r\n')[0]).toMatch(/,"Share of the weight \(%\)","The other"$/);
  });

  testMany([400, 1280] as const, 'fit into the dialog in $0 pixels', async (width) => {
    await compare({ width, height: 720, theme: 'light' });
    if (width === 400) await press('head-more');
    else await press('head-save');
    await panel.page.getByRole('menuitem', { name: 'Save Figure…' }).click();
    await panel.page.locator('dialog[open]').waitFor();
    await picture(panel.page, `save-figure-compared-${width}`);
    expect(await panel.page.locator('dialog').evaluate((one) => one.scrollWidth - one.clientWidth)).toBeLessThanOrEqual(
      0,
    );
    expect(await panel.serious()).toEqual([]);
  });
});

test('says before a PDF is saved that its font has no Chinese letters', async () => {
  await open();
  await panel.show(fabricate({ words: ['three', ' geese'] }));
  await openMap();
  await expect.poll(() => panel.page.locator('dialog .notice').count()).toBe(0);
  await press('figure-close');
  await panel.show(fabricate({ words: ['three', ' 鵝', '鳥'] }));
  await openMap();
  await expect.poll(() => panel.page.locator('dialog .notice').innerText()).toContain('font lacks 鵝 鳥:');
  await picture(panel.page, 'save-figure-lacks');
  expect(await panel.serious()).toEqual([]);
});

/** Figures by tab. */
const charts: Readonly<Record<string, readonly string[]>> = {
  cell: ['shares', 'layers'],
  summary: ['usage', 'load', 'usageByLayer', 'entropy', 'coactivation', 'attracted'],
  predictions: ['alternatives', 'surprise'],
  whatIf: ['attribution', 'effect', 'effectByLayer'],
  lens: ['lens'],
  compare: ['agreement', 'compareByLayer', 'compareUsage', 'compareMost'],
};

testMany(
  ['dark', 'light'] as const,
  'every chart and table of every tab is saved, the same in any theme ($0)',
  async (theme) => {
    await open({ theme });
    const before = fabricate({ tokens: 90 });
    const interventions = [{ action: 'knock-out', expert: 'prose', scope: {} } as const];
    const trace = fabricate({ tokens: 90, interventions });
    await panel.show(trace, { before, attribution: fabricateAttribution(trace), lenses: [fabricateLens(trace, 40)] });
    const other = fabricate({ tokens: 90, strategy: { name: 'arrow', k: 2 } });
    await panel.show(other, { title: 'arrow', ...requestOf(other) }, 'other');
    await panel.post({ type: 'select', token: 40 });
    for (const [tab, names] of Object.entries(charts)) {
      await showTab(tab);
      for (const name of names) {
        await openFigure(name);
        const svg = await saved('svg');
        await print(`paper-${name}`, svg);
        const found = await read(svg);
        expect(found, name).toMatchObject({ isBroken: false, width: '85mm', fontSize: '8', ground: '#ffffff' });
        expect(found.texts.length, name).toBeGreaterThan(3);
        expect(found.texts.join(' '), name).not.toMatch(/NaN|undefined|\[object/);
        expect(await faults(svg), `${name} at 85 mm`).toEqual([]);
        await press('segment-174 mm');
        const whole = await saved('svg');
        await print(`paper-${name}-174`, whole);
        expect(await faults(whole), `${name} at 174 mm`).toEqual([]);
        const csv = await saved('csv');
        expect(csv.split('\r\n').length, name).toBeGreaterThan(2);
        // Each number beside its own name, whatever explanations stand between.
        if (name === 'agreement') expect(csv).toMatch(/"Jensen-Shannon divergence","[\d.<]+ bits/);
        await press('figure-close');
      }
    }
  },
);

test('what a what-if changed is saved as the block says it, and its layers as their chart', async () => {
  await open();
  const before = fabricate({ tokens: 90 });
  const interventions = [{ action: 'knock-out', expert: 'prose', scope: {} } as const];
  await panel.show(fabricate({ tokens: 90, interventions }), { before });
  await showTab('whatIf');
  const terms = panel.page.locator('[data-figure=effect] > dl > dt');
  await expect.poll(() => terms.count()).toBe(4);
  const said = await terms.allInnerTexts();
  await openFigure('effect');
  const rows = (await saved('csv')).trim().split('\r\n').slice(1);
  expect(rows.map((row) => row.split('","')[0]!.slice(1))).toEqual(said);
  expect(rows[0]).toMatch(/^"Flipped choices","\d+% of [\d,]+ places: 89 tokens/);
  await press('figure-close');
  await openFigure('effectByLayer');
  expect((await read(await saved('svg'))).texts).toEqual(expect.arrayContaining(['Layer', 'Direct effect']));
});

test('a file’s name has its width, and says that a run is one after a what-if', async () => {
  await open();
  const before = fabricate({ tokens: 40 });
  const names = async () => (await panel.sent('save')).map((one) => ('name' in one ? one.name : ''));
  await panel.show(before);
  await openMap();
  await saved('svg');
  await press('segment-174 mm');
  await saved('svg');
  await saved('csv');
  await press('figure-close');
  const interventions = [{ action: 'knock-out', expert: 'prose', scope: {} } as const];
  await panel.show(fabricate({ tokens: 40, interventions }), { before });
  await openMap();
  await saved('svg');
  const title = 'Experts by token and module';
  expect(await names()).toEqual([`${title} 85mm`, `${title} 174mm`, title, `${title} what-if 85mm`]);
});

describe('what the model wrote', () => {
  const dashed = (svg: string): string[] => svg.match(/<polyline [^>]*stroke-dasharray/g) ?? [];

  testMany(['Lines', 'Grid'] as const, 'is told from what it was given ($0)', async (form) => {
    await open();
    const trace = fabricate({ tokens: 90 });
    const { text, tokens } = trace.sequences[0]!;
    const given = text!.indexOf('\n', tokens.start![40]) + 1;
    await panel.show(trace);
    await press(`segment-${form}`);
    await openMap();
    const legend = 'from here on written by the model';
    const none = await saved('svg');
    expect([dashed(none), (await read(none)).texts.includes(legend)]).toEqual([[], false]);
    await press('figure-close');
    await panel.show(trace, { given });
    await openMap();
    const svg = await saved('svg');
    await print(`paper-written-${form}`, svg);
    // The rule, and its sample in the legend.
    expect(dashed(svg)).toHaveLength(2);
    expect((await read(svg)).texts).toContain(legend);
    expect(await panel.page.locator('.figureCaption').innerText()).toContain(`Dashed line: ${legend}.`);
    await press('figure-close');
    await panel.show(trace, { given: given + 3 });
    await openMap();
    const within = form === 'Lines' ? 'from within this line on written by the model' : legend;
    await expect.poll(async () => (await read(await saved('svg'))).texts).toContain(within);
    expect(await faults(await saved('svg'))).toEqual([]);
  });
});

test('a chart that is shown as a table is saved as that table, however long it is', async () => {
  await open();
  await panel.show(fabricate({ tokens: 400 }));
  await showTab('predictions');
  await press('table-surprise');
  await openFigure('surprise');
  expect((await saved('csv')).trim().split('\r\n')).toHaveLength(401);
  await print('paper-table', await saved('svg'));
  // A table is no chart.
  await expect.poll(() => panel.page.locator('[data-focus=figure-vega]').count()).toBe(0);
});

test('Escape closes the dialog and leaves everything else as it was', async () => {
  await open();
  await panel.show(fabricate({ tokens: 40 }));
  await press('grid-maximise');
  await openMap();
  await panel.page.keyboard.press('Escape');
  await expect.poll(() => panel.page.locator('dialog').count()).toBe(0);
  await expect.poll(() => panel.page.locator('.page.maximised').count()).toBe(1);
});

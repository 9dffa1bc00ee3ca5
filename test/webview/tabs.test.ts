/** What the tabs say of two runs, what the what-if proposes, and what becomes of the form for generating. */
import { describe, expect, test } from 'vitest';
import type { Written } from '../../src/protocol/panel.js';
import type { Intervention } from '../../src/trace/model/trace.js';
import { shareOfTokens, ranked, tokenShares } from '../../src/trace/figures/leaders.js';
import { sharedModules } from '../../src/trace/model/access.js';
import { description, fabricate, names, partsOf } from './fabricate.js';
import { fabricateMoe, moeDescription } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';

const openPage = pages();
let panel: Panel;

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
}

async function text(selector: string): Promise<string> {
  await panel.settled();
  return panel.page.locator(selector).first().innerText();
}

async function choose(tab: string): Promise<void> {
  const list = panel.page.locator('select[data-focus=tabs]');
  if ((await list.count()) > 0) await list.selectOption(tab);
  else await panel.page.locator(`#tab-${tab}`).click();
  await panel.settled();
}

const valueOf = (focus: string) => panel.page.locator(`[data-focus=${focus}]`).inputValue();

/** Of an element, as the person sees it: in the window, and hit where it is. */
const isInView = (selector: string) =>
  panel.page
    .locator(selector)
    .first()
    .evaluate((one) => {
      const { left, top, right, bottom } = one.getBoundingClientRect();
      const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && one.contains(hit);
    });

const windows = [
  { width: 460, height: 600 },
  { width: 400, height: 700, theme: 'high-contrast' },
  { width: 306, height: 400 },
  { width: 580, height: 780, theme: 'light' },
  { width: 1280, height: 640 },
  { width: 1440, height: 900, theme: 'high-contrast-light' },
] as const satisfies readonly Setup[];
const nameOf = ({ width, height, theme }: Setup) => `${width}x${height}${theme ? `-${theme}` : ''}`;

test('every menu of experts is in the order of the names that it shows, whatever the order of the trace', async () => {
  await open();
  const renamed = (name: string) => ({ prose: 'Technical prose', c: 'unit 10', css: 'unit 2' })[name] ?? name;
  const experts = description.experts.map((expert) => ({ ...expert, name: renamed(expert.name) }));
  const trace = fabricate({ tokens: 40, strategy: { name: 'single', expert: 'go' } });
  const expertSets = trace.expertSets.map((set) => ({
    ...set,
    experts: set.experts.map((expert) => ({ ...expert, name: renamed(expert.name) })),
  }));
  await panel.show({ ...trace, expertSets });
  await panel.post({ type: 'pool', description: { ...description, experts } });
  const inOrder = [
    ...['go', 'html', 'java', 'json', 'python', 'rust', 'shell', 'sql', 'Technical prose', 'typescript'],
    ...['unit 2', 'unit 10'],
  ];
  const offered = (focus: string) => panel.page.locator(`[data-focus=${focus}] option`).allInnerTexts();
  expect(await offered('strategy-expert')).toEqual(inOrder);
  await choose('whatIf');
  expect(await offered('whatif-expert')).toEqual(inOrder);
  await choose('compare');
  await panel.press('compare-with-single');
  expect(await offered('compare-expert')).toEqual(inOrder);
  await choose('summary');
  await expect.poll(() => offered('attracted')).toEqual(inOrder);
  // What is chosen by its place in the trace is still the same expert.
  await panel.page.locator('[data-focus=attracted]').selectOption({ label: 'sql' });
  await panel.settled();
  expect(await valueOf('attracted')).toBe(String(names.indexOf('sql')));
});

describe('while two runs are compared', () => {
  const main = fabricate();
  const other = fabricate({ seed: 9, strategy: { name: 'arrow', k: 2 } });

  testMany(
    windows,
    'the header names the other run and has the way out, wherever the tab is scrolled to: %o',
    async (setup) => {
      await open(setup);
      await panel.show(main);
      expect(await panel.page.locator('[data-focus=compared-end]').count()).toBe(0);
      await panel.show(other, { title: 'Arrow, 2 experts per token' }, 'other');
      await expect.poll(() => text('.head .named')).toBe('Arrow, 2 experts per token');
      await panel.page.locator('[data-focus=compare-stop]').waitFor();
      await picture(panel.page, `compared-${nameOf(setup)}`);
      await expect.poll(() => isInView('[data-focus=compared-end]')).toBe(true);
      await panel.page.evaluate(() => {
        for (const one of document.querySelectorAll('.page, .tabBody')) one.scrollTop = one.scrollHeight;
      });
      await expect.poll(() => isInView('[data-focus=compared-end]')).toBe(true);
      expect(await panel.serious()).toEqual([]);
      await panel.page.locator('[data-focus=compared-end]').click();
      await expect.poll(() => panel.sent('closeCompare')).toHaveLength(1);
      await panel.side('other', undefined);
      await expect.poll(() => panel.page.locator('.head .named').count()).toBe(0);
    },
    { quick: 2 },
  );

  testMany(
    windows,
    'the detail says first what each run chose, side by side: %o',
    async (setup) => {
      await open(setup);
      await panel.show(main);
      await panel.show(other, { title: 'Arrow, 2 experts per token' }, 'other');
      await choose('cell');
      await panel.post({ type: 'select', token: 60, module: 100 });
      const column = (side: number) => panel.page.locator(`.both td >> nth=${side}`);
      for (const [side, trace] of [main, other].entries()) {
        const { chosen } = partsOf(trace);
        const names = [...chosen(100, 60)].map((e) => trace.expertSets[0]!.experts[e]!.name).sort();
        await expect.poll(async () => (await column(side).locator('.name').allInnerTexts()).sort()).toEqual(names);
        const weights = (await column(side).locator('.value').allInnerTexts()).map(Number);
        expect(weights.every((weight) => weight > 0 && weight <= 1)).toBe(true);
      }
      const common = [...partsOf(main).chosen(100, 60)].filter((e) => partsOf(other).chosen(100, 60).includes(e));
      const said = common.map((e) => main.expertSets[0]!.experts[e]!.name).join(', ') || 'none';
      await expect.poll(() => text('.both .caption')).toBe(`In both: ${said}.`);
      await picture(panel.page, `both-${nameOf(setup)}`);
      // Before everything else but the name of the place.
      await expect.poll(() => panel.page.locator('.tabBody > :nth-child(2)').getAttribute('class')).toBe('both');
      expect(await panel.serious()).toEqual([]);
      await panel.side('other', undefined);
      await expect.poll(() => panel.page.locator('.both').count()).toBe(0);
    },
    { quick: 2 },
  );

  test('the detail of a line has the shares of both runs, and a token of only one says so', async () => {
    await open();
    const short = fabricate({ words: ['The', ' grey', ' goose', ' flies', '.'] });
    await panel.show(short);
    const far = fabricate({ words: ['The', ' goose', ' flies', ' far', '.'], seed: 5 });
    await panel.show(far, { title: 'other.md' }, 'other');
    await choose('cell');
    await panel.post({ type: 'select', token: 1 });
    await expect.poll(() => text('.both td >> nth=0')).toMatch(/%/);
    await expect.poll(() => text('.both td >> nth=1')).toBe('This token is not in it.');
    await panel.page.locator('.text:not(.other) .t').nth(2).click();
    await panel.page
      .locator('.text:not(.other) .t')
      .nth(3)
      .click({ modifiers: ['Shift'] });
    await expect.poll(() => panel.page.locator('.text:not(.other) .t.selected').count()).toBe(2);
    await expect
      .poll(() => panel.page.locator('.text.other .t.selected').allInnerTexts())
      .toEqual([' goose', ' flies']);
    const modules = sharedModules(far, {})!;
    // The same words are a token earlier there.
    const share = shareOfTokens(far, modules, 1, 3);
    const first = far.expertSets[0]!.experts[ranked(share)[0]!]!.name;
    await expect.poll(() => text('.both td:nth-child(2) .name')).toBe(first);
  });
});

describe('the what-if', () => {
  const mixture = fabricateMoe();

  async function showMixture(): Promise<void> {
    await panel.post({ type: 'pool', description: moeDescription });
    const strategy = { name: 'mixtral', k: 2 };
    await panel.side('main', { title: 'kinds.txt', strategy, interventions: [], stale: false, trace: mixture });
  }

  test('starts anew with the run of another model, and keeps its form for the same', async () => {
    await open();
    await showMixture();
    await choose('whatIf');
    await panel.post({ type: 'select', token: 20, module: 2 });
    await panel.page.locator('[data-focus=whatif-expert]').selectOption('2.7');
    await panel.page.locator('[data-focus=whatif-where]').selectOption('layer:2');
    await panel.post({ type: 'select', token: 21, module: 5 });
    await expect.poll(() => valueOf('whatif-where')).toBe('layer:2');
    // Routed again by the same model.
    await panel.side('main', undefined);
    await showMixture();
    await expect.poll(() => valueOf('whatif-expert')).toBe('2.7');
    await panel.show(fabricate());
    await expect.poll(() => valueOf('whatif-where')).toBe('all');
    await panel.goTo(30, 18);
    await expect.poll(() => valueOf('whatif-where')).toBe('all');
    await showMixture();
    await panel.post({ type: 'select', token: 21, module: 5 });
    await expect.poll(() => valueOf('whatif-where')).toBe('layer:5');
  });

  test('proposes for a line the expert that the detail names first, not the first token’s', async () => {
    await open({ width: 460, height: 600 });
    const trace = fabricate();
    await panel.show(trace);
    const modules = sharedModules(trace, { layer: 4 })!;
    const firsts: boolean[] = [];
    for (let line = 0; line < 5; line++) {
      await panel.goTo(4, line);
      await choose('cell');
      const said = /^Of the weight of these [\d,]+ tokens, (.+) has the largest/.exec(await text('.sentence'))?.[1];
      await choose('whatIf');
      if (said === undefined) continue;
      const proposed = await panel.page
        .locator('[data-focus=whatif-expert]')
        .evaluate((one) => (one as HTMLSelectElement).selectedOptions[0]!.text);
      expect(proposed).toBe(said);
      const { token } = (await panel.sent('select')).at(-1)!;
      firsts.push(names[ranked(tokenShares(trace, modules, token))[0]!] === said);
    }
    expect(firsts).toContain(false);
  });
});

describe('generating', () => {
  const whole = fabricate();
  const { tokens } = whole.sequences[0]!;
  const given = tokens.start![tokens.count - 13]!;
  const running = { what: 'generate', done: 260, total: tokens.count + 19 } as const;

  const wrote: Written = { count: 13, otherwise: {} };

  /** The form is opened, and what it asks for is written. */
  async function write(written?: Partial<Written>): Promise<void> {
    await panel.show(fabricate({ tokens: 40 }));
    await panel.press('head-generate');
    await panel.page.locator('[data-focus=generate-start]').click();
    await panel.show(whole, { given, running });
    await panel.show(whole, { given, written: { ...wrote, ...written } });
  }

  testMany(
    windows,
    'ends with one line: why there is no more, and what to do with it; the text is where the rest of it is; the form is folded: %o',
    async (setup) => {
      await open(setup);
      await panel.show(fabricate({ tokens: 40 }));
      await panel.post({ type: 'select', token: 3 });
      await write({ asked: 32 });
      await expect.poll(() => panel.page.locator('.generate').count()).toBe(0);
      await expect.poll(() => text('.writtenBar')).toContain('Generated: 13 of 32 tokens. The model ended the text.');
      await picture(panel.page, `generated-${nameOf(setup)}`);
      // What is new is in view in the text, wherever the selection is.
      const isSeen = () =>
        panel.page.evaluate(() => {
          const [pane, begins] = [document.querySelector('.text')!, document.querySelector('.t.written.begins')!];
          const [room, at] = [pane.getBoundingClientRect(), begins.getBoundingClientRect()];
          return at.top >= room.top - 1 && at.bottom <= room.bottom + 1;
        });
      await expect.poll(isSeen).toBe(true);
      expect(await panel.serious()).toEqual([]);
      await panel.press('written-again');
      await expect.poll(() => isInView('[data-focus=generate-start]')).toBe(true);
      await panel.press('generate-close');
      await expect.poll(() => panel.page.locator('.generate').count()).toBe(0);
      await panel.press('written-close');
      await expect.poll(() => panel.page.locator('.writtenBar').count()).toBe(0);
      // What was closed is there with the form.
      await panel.press('head-generate');
      await expect.poll(() => text('.writtenBar')).toContain('Generated: 13 of 32 tokens.');
      expect(await panel.page.locator('.t.written').count()).toBe(13);
    },
    { quick: 2 },
  );

  test('asks again for as many tokens, in a form that the next result takes the room of', async () => {
    await open({ width: 460, height: 600 });
    await write({ count: 12, asked: 12 });
    await panel.press('written-again');
    const tokens = panel.page.locator('[data-focus=generate-n]');
    await expect.poll(() => tokens.inputValue()).toBe('12');
    await panel.show(whole, { given, running: { what: 'attribute', done: 1, total: 9 } });
    await expect.poll(() => tokens.count()).toBe(0);
  });

  test('stays in view in a text that gives way to a result', async () => {
    await open({ width: 460, height: 720 });
    await write({ asked: 32 });
    const place = () =>
      panel.page.evaluate(() => {
        const [pane, begins] = [document.querySelector('.text')!, document.querySelector('.t.written.begins')!];
        const [room, at] = [pane.getBoundingClientRect(), begins.getBoundingClientRect()];
        return { isIn: at.top >= room.top - 1 && at.bottom <= room.bottom + 1, height: room.height };
      });
    await expect.poll(async () => (await place()).isIn).toBe(true);
    const { height } = await place();
    await panel.page.evaluate(() => document.querySelector<HTMLElement>('.work')!.style.setProperty('--text', '44px'));
    await expect.poll(async () => (await place()).height).toBeLessThan(height / 2);
    await expect.poll(async () => (await place()).isIn).toBe(true);
  });

  test('gives no reason where there is none, or where it was stopped', async () => {
    await open({ width: 460, height: 600 });
    for (const written of [{ asked: 13 }, {}]) {
      await write(written);
      await expect.poll(() => text('.writtenBar .said')).toBe('Generated: 13 tokens');
    }
  });

  testMany(
    windows,
    'says how the text was written, where the run that is shown is another: %o',
    async (setup) => {
      await open(setup);
      const said = () => text('.writtenBar .said');
      const forced: Intervention = { action: 'force', expert: 'go', scope: {} };
      // The run that is shown reads 13 tokens, where 16 were written.
      await write({ count: 16, asked: 16, otherwise: { interventions: [forced] } });
      await expect.poll(said).toBe('Generated with go forced everywhere: 16 tokens');
      await picture(panel.page, `generated-with-${nameOf(setup)}`);
      const shows = (written: Partial<Written>) =>
        panel.show(whole, { given, interventions: [forced], written: { ...wrote, ...written } });
      await shows({ count: 12, asked: 32, otherwise: { interventions: [] } });
      await expect.poll(said).toBe('Generated without what-ifs: 12 of 32 tokens. The model ended the text.');
      await picture(panel.page, `generated-without-${nameOf(setup)}`);
      await shows({ asked: 32, isFull: true, otherwise: { strategy: { name: 'phatgoose', k: 1 } } });
      await expect
        .poll(said)
        .toBe('Generated with PHATGOOSE, 1 expert per token: 13 of 32 tokens. The model cannot read more.');
      await shows({ otherwise: { model: 'Another', interventions: [] } });
      await expect.poll(said).toBe('Generated with Another, no what-ifs: 13 tokens');
      expect(await panel.serious()).toEqual([]);
    },
    { quick: 2 },
  );

  test('leaves the form open if it failed', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(whole);
    await panel.press('head-generate');
    await panel.page.locator('[data-focus=generate-start]').click();
    await panel.show(whole, { running });
    await panel.show(whole, { error: { code: 'engine-died', message: 'The model stopped.', remedy: 'Try again.' } });
    await panel.settled();
    await expect.poll(() => panel.page.locator('[data-focus=generate-start]').isVisible()).toBe(true);
  });
});

describe('what a what-if changed', () => {
  const interventions: Intervention[] = [{ action: 'knock-out', expert: 'html', scope: {} }];
  const changed = fabricate({ interventions });
  const effect = () => text('[data-figure=effect]');

  testMany(
    windows,
    'of a run whose other half is missing, it is said how to get it, and not that it will appear: %o',
    async (setup) => {
      await open(setup);
      await panel.show(changed, { running: { what: 'generate', done: 10, total: 32 } });
      await choose('whatIf');
      await expect.poll(effect).toContain('The effect appears when the run is done.');
      await panel.show(changed);
      await expect.poll(effect).toContain('this text has to be routed without what-ifs, too');
      await picture(panel.page, `effect-lacks-${nameOf(setup)}`);
      expect(await effect()).not.toContain('appears');
      expect(await panel.serious()).toEqual([]);
      const find = panel.page.locator('[data-focus=effect-find]');
      await find.click();
      const { strategy } = (await panel.sent('route'))[0] as { strategy: unknown };
      expect(await panel.sent('route')).toEqual([{ type: 'route', side: 'main', strategy, interventions }]);
      await panel.show(changed, { running: { what: 'route', done: 10, total: 266 } });
      await expect.poll(() => find.count()).toBe(0);
      await panel.show(changed, { before: fabricate() });
      await expect.poll(() => panel.page.locator('[data-figure=effect] .numbers').count()).toBe(1);
      await expect.poll(() => isInView('[data-figure=effect] h3')).toBe(true);
    },
    { quick: 2 },
  );

  test('stays while something else is asked about the run', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(changed, { before: fabricate() });
    await choose('whatIf');
    await expect.poll(() => panel.page.locator('[data-figure=effect] .numbers').count()).toBe(1);
    for (const what of ['attribute', 'lens'] as const) {
      await panel.show(changed, { before: fabricate(), running: { what, done: 1, total: 9 } });
      expect(await effect()).toContain('Flipped choices');
    }
  });
});

describe('the map above the tabs', () => {
  const main = fabricate();
  const interventions: Intervention[] = [{ action: 'knock-out', expert: 'html', scope: { layer: 3 } }];
  const changed = fabricate({ interventions });
  const scrolled = () => panel.page.locator('.page').evaluate((page) => page.scrollTop);
  const scrollTo = async (to: number) => {
    await panel.page.locator('.page').evaluate((page, top) => {
      page.scrollTop = top;
    }, to);
    expect(await scrolled()).toBeGreaterThan(0);
  };
  const areInView = () =>
    panel.page.evaluate(() => {
      const head = document.querySelector('.head')!.getBoundingClientRect().bottom;
      return ['.legend', '.plot', '.tabs'].every((one) => {
        const { top, bottom } = document.querySelector(one)!.getBoundingClientRect();
        return top >= head - 1 && bottom <= innerHeight;
      });
    });

  testMany(
    ['high-contrast', 'dark', 'light'] as const,
    'is there again when the window has room for both, unless one reads further down: %s',
    async (theme) => {
      await open({ width: 400, height: 390, theme });
      await panel.show(changed, { before: main });
      await panel.post({ type: 'textVisible', is: true });
      await panel.post({ type: 'select', token: 60, module: 100 });
      await choose('summary');
      await panel.page.locator('[data-figure=usage]').waitFor();
      await scrollTo(120);
      await panel.resize(610, 600);
      await expect.poll(areInView).toBe(true);
      await picture(panel.page, `risen-${theme}`);
      await panel.show(main);
      await expect.poll(areInView).toBe(true);
      // Whoever has scrolled there stays there.
      await panel.page.locator('.tabBody').hover();
      await panel.page.mouse.wheel(0, 200);
      await expect.poll(() => scrolled()).toBeGreaterThan(100);
      const reading = await scrolled();
      await panel.resize(610, 560);
      await panel.resize(610, 640);
      expect(await scrolled()).toBe(reading);
    },
  );

  const plot = () => panel.page.locator('.plot').boundingBox();
  /** Which of these begin in view, below the header and the tabs. */
  const beginInView = () =>
    panel.page.evaluate(() =>
      ['.sentence', '.figure header', '.figure > :not(header, .caption)'].filter((one) => {
        const found = document.querySelector(`.tabBody ${one}`)?.getBoundingClientRect();
        const tabs = document.querySelector('.tabs')!.getBoundingClientRect();
        return found && found.top >= tabs.bottom - 1 && found.top + Math.min(found.height, 40) <= innerHeight;
      }),
    );
  /** The page has no more to do after a click: it waits for no second one. */
  const isOver = () => panel.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));

  testMany(
    [
      { width: 400, height: 385, scale: 1.5 },
      { width: 400, height: 450, theme: 'light' },
      { width: 400, height: 450, theme: 'high-contrast' },
      { width: 420, height: 480 },
    ] as const,
    'gives way to a cell that is clicked on while the detail is open: %o',
    async (setup) => {
      await open(setup);
      await panel.show(changed, { before: main });
      await panel.post({ type: 'textVisible', is: true });
      await choose('cell');
      const at = (await plot())!;
      const click = async (x: number, y: number) => {
        const now = (await plot())!;
        await panel.page.mouse.click(now.x + x, now.y + y);
        await expect.poll(beginInView).toHaveLength(3);
        await isOver();
      };
      await click(200, 50);
      await picture(panel.page, `clicked-${nameOf(setup)}`);
      const left = (await plot())!;
      expect(left.height).toBeGreaterThanOrEqual(104);
      expect(left.height).toBeLessThanOrEqual(at.height);
      const cell = () => panel.page.locator('.plot .cell').boundingBox();
      const isCellSeen = async () => {
        const [own, map, top] = [
          (await cell())!,
          (await plot())!,
          (await panel.page.locator('.page').boundingBox())!.y,
        ];
        return own.y >= Math.max(top, map.y) - 1 && own.y + own.height <= map.y + map.height + 1;
      };
      await expect.poll(isCellSeen).toBe(true);
      await click(260, 80);
      await expect.poll(isCellSeen).toBe(true);
      expect(await panel.serious()).toEqual([]);
    },
    { quick: 2 },
  );

  test('stays as it is under the pointer where the detail has room, in a double click, and while it is dragged', async () => {
    await open({ width: 580, height: 780 });
    await panel.show(changed, { before: main });
    await panel.post({ type: 'textVisible', is: true });
    await panel.post({ type: 'select', token: 60, module: 100 });
    await choose('cell');
    const clickIn = async ({ x, y }: { x: number; y: number }) => {
      await panel.page.mouse.click(x + 200, y + 60);
      await isOver();
    };
    await clickIn((await plot())!);
    const roomy = (await plot())!;
    expect(roomy.height).toBeGreaterThan(200);
    await clickIn(roomy);
    await clickIn({ x: roomy.x + 30, y: roomy.y });
    expect(await plot()).toEqual(roomy);

    await open({ width: 400, height: 385 });
    await panel.show(changed, { before: main });
    await panel.post({ type: 'textVisible', is: true });
    await choose('cell');
    const before = (await plot())!;
    const [x, y] = [before.x + 200, before.y + 60];
    await panel.page.mouse.click(x, y);
    await panel.page.mouse.down();
    await isOver();
    expect(await plot()).toEqual(before);
    await panel.page.mouse.move(x - 60, y - 20, { steps: 4 });
    await isOver();
    expect(await plot()).toEqual(before);
    await panel.page.mouse.up();
    await expect.poll(beginInView).toHaveLength(3);
  });

  test('is whole again, with all that is above it, once a result that was scrolled to is undone', async () => {
    await open({ width: 460, height: 600 });
    await panel.show(changed, { before: main });
    await panel.post({ type: 'textVisible', is: false });
    await choose('whatIf');
    await panel.page.locator('[data-figure=effectByLayer]').waitFor();
    await panel.page.locator('[data-figure=attribution]').scrollIntoViewIfNeeded();
    await panel.page.locator('.page').evaluate((page) => {
      page.scrollTop = page.scrollHeight;
    });
    expect(await scrolled()).toBeGreaterThan(100);
    await panel.show(main);
    await expect.poll(scrolled).toBe(0);
    await picture(panel.page, 'undone');
    expect(await isInView('.legend')).toBe(true);
  });

  test('is there, however low the window, when the open tab says that a token is to be selected', async () => {
    await open({ width: 400, height: 385 });
    await panel.show(changed, { before: main });
    await panel.post({ type: 'textVisible', is: true });
    await choose('whatIf');
    await scrollTo(200);
    await choose('cell');
    await expect.poll(scrolled).toBe(0);
    await picture(panel.page, 'asks-for-token');
  });

  test('is there after a click on another tab or, in the detail, on a module', async () => {
    await open({ width: 460, height: 660 });
    await panel.show(main);
    await panel.post({ type: 'select', token: 60 });
    await panel.goTo(14, 3);
    await choose('cell');
    await panel.page.locator('[data-focus=module-q]').scrollIntoViewIfNeeded();
    expect(await scrolled()).toBeGreaterThan(40);
    await panel.press('module-q');
    await expect.poll(areInView).toBe(true);
    await picture(panel.page, 'risen-module');
    await scrollTo(60);
    await choose('summary');
    await expect.poll(areInView).toBe(true);
  });
});

test('a button shows at once that it is pressed', async () => {
  await open();
  await panel.show(fabricate());
  await panel.press('tab-whatIf');
  const apply = panel.page.locator('[data-focus=whatif-apply]');
  const look = () => apply.evaluate((one) => getComputedStyle(one).filter);
  await apply.hover();
  const before = await look();
  await panel.page.mouse.down();
  expect(await look()).not.toBe(before);
  await panel.page.mouse.move(0, 0);
  await panel.page.mouse.up();
  expect(await look()).toBe(before);
});

test('the keyboard stops nowhere where nothing is to be seen', async () => {
  await open();
  await panel.show(fabricate());
  await panel.post({ type: 'select', token: 5, module: -1 });
  for (const tab of ['cell', 'summary']) {
    await panel.press(`tab-${tab}`);
    const told = panel.page.locator('.figure .unseen');
    await expect.poll(() => told.count()).toBeGreaterThan(0);
    const stops = () => told.locator('button').evaluateAll((all) => all.map((one) => (one as HTMLElement).tabIndex));
    if (tab === 'cell') await expect.poll(async () => (await stops()).length).toBeGreaterThan(20);
    expect((await stops()).filter((index) => index >= 0)).toEqual([]);
  }
});

test('the token that the tokenizer puts before a text is said to mark its start', async () => {
  await open();
  await panel.show(fabricate());
  const token = (i: number) => panel.page.locator('.t').nth(i);
  await token(0).hover();
  await expect.poll(() => token(0).getAttribute('title')).toMatch(/ · marks the start of a text$/);
  await token(1).hover();
  await expect.poll(() => token(1).getAttribute('title')).not.toContain('marks');
  await token(0).click();
  await expect.poll(() => text('.detailTitle')).toMatch(/token 1 of [\d,]+ · marks the start of a text/);
});

test('a mixture’s router is said to send a token to its experts', async () => {
  await open();
  await panel.post({ type: 'pool', description: moeDescription });
  const strategy = { name: 'mixtral', k: 2 };
  const trace = fabricateMoe();
  await panel.side('main', { title: 'kinds.txt', strategy, interventions: [], stale: false, trace });
  await panel.post({ type: 'select', token: 20, module: 2 });
  await expect.poll(() => text('.sentence')).toMatch(/^Layer 2’s router sends it to expert \d+ \(0\.\d+\), expert/);
});

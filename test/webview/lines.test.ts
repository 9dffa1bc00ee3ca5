/** The map of a text's lines: beside the editor's own, or as an overview of a long file. */
import { describe, expect, test } from 'vitest';
import { measured, scaled } from '../../src/trace/figures/colouring.js';
import { sharedModules } from '../../src/trace/model/access.js';
import { allTokenShares, leadMost, tokenLeaders } from '../../src/trace/figures/leaders.js';
import type { Intervention, Trace } from '../../src/trace/model/trace.js';
import { fabricate, fabricateIds, fabricateAttribution, names } from './fabricate.js';
import { fabricateMoe } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, picture, testMany } from './pages.js';
import { themeNames } from './themes.js';

const openPage = pages();
let panel: Panel;

const beside: Setup = { width: 700, height: 780 };

async function open(setup: Setup = beside): Promise<void> {
  panel = await openPage(setup);
}

const press = (segment: string): Promise<void> => panel.press(`segment-${segment}`);

/** Like a host with an editor beside it that shows a text beginning at its tenth line. */
async function besideEditor(trace: Trace, lines = { from: 0, to: 12 }): Promise<void> {
  await panel.show(trace);
  await panel.post({ type: 'textVisible', is: true });
  await panel.post({ type: 'lines', lines: { runs: [[0, 9]], height: 20 } });
  await panel.post({ type: 'visible', lines });
}

const said = async () => (await panel.page.locator('.cell').getAttribute('aria-label'))!;
const caption = () => panel.page.locator('#grid-caption').innerText();
const scrollTop = () => panel.page.locator('.scroller').evaluate((one) => one.scrollTop);

/** The tokens of a line of the text, from 0. */
function tokensOf(trace: Trace, line: number, sequence = 0): number[] {
  const { text, tokens } = trace.sequences[sequence]!;
  const at = (t: number) => text!.slice(0, tokens.start![t]).split('\n').length - 1;
  return [...Array(tokens.count).keys()].filter((t) => tokens.start![t]! >= 0 && at(t) === line);
}

/** The mean of a number over the tokens of each line that has some. */
const lineMeans = (trace: Trace, value: Float32Array): number[] =>
  trace.sequences[0]!.text!.split('\n').flatMap((_, line) => {
    const own = tokensOf(trace, line).flatMap((t) => (Number.isNaN(value[t]!) ? [] : [value[t]!]));
    return own.length > 0 ? [own.reduce((sum, x) => sum + x, 0) / own.length] : [];
  });

/** Where what is framed in the model begins and ends, across, in CSS pixels: empty if nothing is. */
function framed(): Promise<number[]> {
  return panel.page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('canvas.over')!;
    const { width, top } = canvas.getBoundingClientRect();
    const scale = canvas.width / width;
    // In the line below the selected one, which has a frame of its own.
    const y = document.querySelector('.cell')!.getBoundingClientRect().bottom - top + 8;
    const { data } = canvas.getContext('2d')!.getImageData(0, Math.round(y * scale), canvas.width, 1);
    const found: number[] = [];
    for (let x = Math.round(8 * scale); x < canvas.width; x++)
      if (data[4 * x + 3]! > 100 && !(data[4 * x - 1]! > 100)) found.push(x / scale);
    return found;
  });
}

/** The colour in the middle of a cell, from the first visible row and column. */
function colourAt(row: number, column: number): Promise<number[]> {
  return panel.page.evaluate(
    ([r, c]) => {
      const canvas = document.querySelector<HTMLCanvasElement>('canvas.base')!;
      const cell = document.querySelector<HTMLElement>('.cell')!;
      const [width, height] = [Number.parseFloat(cell.style.width), Number.parseFloat(cell.style.height)];
      const scale = canvas.width / canvas.getBoundingClientRect().width;
      const [x, y] = [62 + (c! + 0.2) * width, 18 + (r! + 0.8) * height];
      return [...canvas.getContext('2d')!.getImageData(Math.round(x * scale), Math.round(y * scale), 1, 1).data];
    },
    [row, column],
  );
}

describe('a line', () => {
  test('is described by its number in the document, the layer, its leader and how many of its tokens that leads', async () => {
    await open();
    const trace = fabricate();
    await besideEditor(trace);
    await press('Lines');
    await expect.poll(() => caption()).toContain('Lines down, layers across');
    await panel.goTo(14, 2);
    const tokens = tokensOf(trace, 2);
    const { expert } = tokenLeaders(trace, sharedModules(trace, { layer: 14 })!);
    const counts = names.map((_, e) => tokens.filter((t) => expert[t] === e).length);
    const most = Math.max(...counts);
    const share = Math.round((100 * most) / tokens.length);
    await expect
      .poll(() => said())
      .toBe(
        `line 12, ${tokens.length} tokens, layer 14, ${names[counts.indexOf(most)]!} leads at ${share}% of the tokens`,
      );
  });

  test('before it is selected, is told how the editor shows who leads, which has no short labels', async () => {
    await open();
    await besideEditor(fabricate());
    const told = () => panel.page.locator('.tabBody .how').innerText();
    await expect.poll(told).toContain('In the editor, each token is underlined in the colour of the expert');
    await picture(panel.page, 'dark-how-editor');
    await panel.press('text-show');
    await expect.poll(told).toContain('In the text, each token is underlined by the expert that leads');
    await picture(panel.page, 'dark-how-text');
  });

  test('is selected as a whole by a click, here and in the editor, and described in the detail', async () => {
    await open();
    const trace = fabricate();
    await besideEditor(trace);
    await press('Lines');
    const box = (await panel.page.locator('.scroller').boundingBox())!;
    await panel.page.mouse.click(box.x + 62 + 5, box.y + 18 + 20 * 2 + 10);
    await panel.settled();
    const tokens = tokensOf(trace, 2);
    const [first, last] = [tokens[0]!, tokens.at(-1)!];
    await expect.poll(() => panel.sent('select')).toEqual([{ type: 'select', token: first, end: last + 1 }]);
    await expect.poll(() => said()).toMatch(/^line 12, \d+ tokens, layer 0, /);
    const detail = panel.page.locator('.tabBody');
    await expect.poll(() => detail.locator('.detailTitle').innerText()).toContain('A␣flock␣keeps');
    await expect
      .poll(() => detail.locator('.detailTitle').innerText())
      .toContain(`tokens ${first + 1} to ${last + 1} of ${trace.sequences[0]!.tokens.count} · layer 0`);
    const part = sharedModules(trace, { layer: 0 })!;
    const all = allTokenShares(trace, part);
    const sums = names.map((_, e) => tokens.reduce((sum, t) => sum + all[t * names.length + e]!, 0) / tokens.length);
    const best = sums.indexOf(Math.max(...sums));
    await expect
      .poll(() => detail.locator('.sentence').innerText())
      .toContain(
        `Of the weight of these ${tokens.length} tokens, ${names[best]!} has the largest share: ${Math.round(100 * sums[best]!)}%.`,
      );
    // The other number of the same cell, which the map has, too.
    const [, leads] = /, (\w+ leads at \d+%) of the tokens$/.exec(await said())!;
    const told = await detail.locator('.sentence').innerText();
    expect(told.replace(' most often:', '')).toContain(`Token by token, ${leads!} of them.`);
    // Its number selects the line as a whole; in the text, all of it is marked.
    await panel.page.mouse.click(box.x + 30, box.y + 18 + 20 * 2 + 10);
    await panel.page.locator('[data-focus=text-show]').click();
    await panel.settled();
    await expect.poll(() => detail.locator('.detailTitle').innerText()).not.toContain('layer');
    await expect.poll(() => panel.page.locator('.t.selected').count()).toBe(tokens.length);
    // A what-if can be about one token, so it says which of these.
    await panel.press('tab-whatIf');
    const only = panel.page.locator('label:has([data-focus=whatif-token])');
    await expect.poll(() => only.innerText()).toContain('Only for the first of the selected tokens, “A');
    await picture(panel.page, 'dark-only-first');
    await panel.press('tab-cell');
    // A token selected in the editor is a single token again, and its line is marked.
    await panel.post({ type: 'select', token: first + 1 });
    await expect.poll(() => panel.page.locator('.t.selected').count()).toBe(1);
    await expect.poll(() => detail.locator('.detailTitle').innerText()).toContain(`token ${first + 2} of`);
  });

  test('that several experts lead equally often has no winner, on the map and in the detail', async () => {
    await open();
    const trace = fabricate();
    await besideEditor(trace);
    await press('Lines');
    const { expert } = tokenLeaders(trace, sharedModules(trace, { layer: 0 })!);
    const ties = [...Array(12).keys()].map((line) => ({
      line,
      ...leadMost(tokensOf(trace, line).map((token) => expert[token]!)),
    }));
    const tie = ties.find(({ experts }) => experts.length > 1)!;
    const share = `${Math.round(100 * tie.share)}%`;
    const leading = tie.experts.map((e) => names[e]!);
    const more = leading.length > 3 ? `${leading.length - 3} more` : leading.pop()!;
    const all = `${leading.slice(0, 3).join(', ')} and ${more} lead equally often: at ${share} of`;
    const box = (await panel.page.locator('.scroller').boundingBox())!;
    await panel.page.mouse.click(box.x + 62 + 5, box.y + 18 + 20 * tie.line + 10);
    await panel.settled();
    await expect.poll(() => said()).toContain(`layer 0, ${all} the tokens each`);
    await expect
      .poll(() => panel.page.locator('.tabBody .sentence').innerText())
      .toContain(`Token by token, ${all} them each.`);
    const told = await panel.page.locator('.tip .name').allInnerTexts();
    expect(told.slice(0, tie.experts.length)).toEqual(tie.experts.slice(0, told.length).map((e) => names[e]!));
    await picture(panel.page, 'dark-tie');
  });

  testMany(
    [
      [700, 600],
      [1280, 650],
      [460, 500],
    ] as const,
    'a tie of long names can be read in a window of %s pixels',
    async ([width, height]) => {
      await open({ width, height });
      const plain = fabricate();
      const [set] = plain.expertSets;
      const experts = set!.experts.map((one) => ({
        ...one,
        name: `${one.name}-instructions-with-a-long-name-of-its-own`,
      }));
      const trace = { ...plain, expertSets: [{ ...set!, experts }] };
      await besideEditor(trace);
      if (width > 820) await press('Lines');
      const box = (await panel.page.locator('.scroller').boundingBox())!;
      // The first line's: five tokens, each led by another.
      await panel.page.mouse.click(box.x + 62 + 5, box.y + 18 + 10);
      await expect.poll(() => said()).toContain('lead equally often');
      // All of the tip is in front of what is below the map.
      const isInFront = panel.page.locator('.tip').evaluate((tip: HTMLElement) => {
        tip.style.pointerEvents = 'auto';
        const { left, bottom } = tip.getBoundingClientRect();
        return tip.contains(document.elementFromPoint(left + 8, bottom - 6));
      });
      expect(await isInFront).toBe(true);
      // Nor is a name or a weight in the detail out of sight.
      const beyond = panel.page.locator('.tabBody').evaluate((body) => {
        const end = body.getBoundingClientRect().right;
        return [...body.querySelectorAll('.modules .name, .modules .value')].filter(
          (one) => one.getBoundingClientRect().right > end,
        ).length;
      });
      expect(await beyond).toBe(0);
      await picture(panel.page, `dark-tie-long-${width}x${height}`);
      await panel.press('tab-summary');
      const named = (await panel.page.locator('[data-focus=grid-strip]').getAttribute('title'))!;
      expect(named.match(/-of-its-own/g)).toHaveLength(3);
      expect(named).toContain('lead equally often');
    },
  );

  test('is reached with arrow keys, which skip lines without a token; a layer opens, and experts have columns', async () => {
    await open();
    const trace = fabricate({ tokens: 80 });
    await besideEditor(trace);
    await press('Lines');
    await panel.goTo(0, 0);
    const numbers = [];
    for (let i = 0; i < 4; i++) {
      numbers.push(/line (\d+)/.exec(await said())![1]);
      await panel.page.keyboard.press('ArrowDown');
      await panel.settled();
    }
    expect(numbers).toEqual(['10', '11', '12', '13']);
    await panel.page.keyboard.press('ArrowRight');
    await panel.page.keyboard.press('Enter');
    await panel.page.keyboard.press('ArrowLeft');
    await panel.page.keyboard.press('ArrowRight');
    await panel.settled();
    await expect.poll(() => said()).toMatch(/layer 1, query, \w+ leads at \d+% of the tokens$/);
    await press('Experts');
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('Control+Home');
    await panel.page.keyboard.press('Control+Home');
    await panel.page.keyboard.press('ArrowRight');
    await panel.settled();
    await expect.poll(() => said()).toMatch(/^line 10, \d+ tokens, css, ([\d.]+% of the line|no expert)$/);
  });

  test('in a layer that is opened stays selected in the whole layer, on the map and below', async () => {
    await open();
    await besideEditor(fabricate({ tokens: 80 }));
    await press('Lines');
    await panel.goTo(2, 1);
    await expect.poll(async () => (await framed()).length).toBe(2);
    const before = await said();
    expect(before).toMatch(/layer 2, \w+ leads at \d+% of the tokens$/);
    await panel.page.keyboard.press('Enter');
    await expect.poll(() => panel.page.locator('.cells').getAttribute('aria-colcount')).toBe('36');
    // Around all seven modules.
    const wide = await panel.page.locator('.cell').evaluate((one) => one.getBoundingClientRect().width);
    await expect.poll(async () => Math.round((await framed())[1]! - (await framed())[0]!)).toBeCloseTo(wide, -1);
    const columns = (await panel.page.locator('.scroller').evaluate((one) => one.clientWidth - 64)) / 36;
    expect(wide).toBeCloseTo(7 * columns, 0);
    expect(await said()).toBe(before);
    await expect.poll(() => panel.page.locator('.tabBody').innerText()).toMatch(/layer 2\b(?!, )/);
    await panel.page.getByRole('tab', { name: 'Summary' }).click();
    await expect.poll(() => panel.page.locator('.strip').innerText()).toMatch(/· layer 2 ·/);
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('ArrowDown');
    await expect.poll(() => said()).toMatch(/^line 12, .*layer 2, \w+ leads/);
    await panel.page.keyboard.press('ArrowRight');
    await expect.poll(() => said()).toMatch(/^line 12, .*layer 2, query, \w+ leads/);
  });

  test('has a line under it that names the token, where one was selected, and the line, where a line was', async () => {
    await open();
    const trace = fabricate({ tokens: 80 });
    await besideEditor(trace);
    await press('Lines');
    await panel.press('tab-summary');
    const strip = panel.page.locator('.strip');
    const [, second] = tokensOf(trace, 2);
    await panel.post({ type: 'select', token: second!, module: -1 });
    await expect.poll(() => strip.innerText()).toMatch(/^line 12, “\S+”, /);
    await expect.poll(() => strip.innerText()).toContain(`token ${second! + 1} of 80`);
    // The cell is a line's all the same.
    expect(await panel.page.locator('.cell').getAttribute('aria-label')).not.toContain('token ');
    await panel.page.locator('.cell').focus();
    await panel.page.keyboard.press('ArrowRight');
    await expect.poll(() => strip.innerText()).toMatch(/^line 12, \d+ tokens · layer/);
    await panel.post({ type: 'select', token: second!, module: 7 });
    // Who was chosen first, not who leads the line.
    await expect
      .poll(() => strip.innerText())
      .toMatch(/^line 12, “\S+” · layer 1 · \w+ [\d.]+, \w+ [\d.]+ and \d+ more$/);
    await panel.page.locator('[data-focus=colour-by]').selectOption('entropy');
    await expect.poll(() => strip.innerText()).toMatch(/^line 12, “\S+” · layer 1 · entropy [\d.]+$/);
  });

  testMany(['Lines', 'Grid'], '%s is scrolled to what the model wrote, once that is done', async (form) => {
    await open({ width: 700, height: 600 });
    const whole = fabricate({ tokens: 600 });
    const { text, tokens } = whole.sequences[0]!;
    const given = tokens.start![tokens.count - 32]!;
    await panel.show(whole, {});
    await press(form);
    await panel.press('grid-zoomRead');
    const scrolled = () =>
      panel.page
        .locator('.scroller')
        .evaluate((one) => [one.scrollTop + one.scrollLeft, one.scrollHeight - one.clientHeight] as const);
    await expect.poll(async () => (await scrolled())[0]).toBe(0);
    await panel.show(whole, { given, running: { what: 'generate', done: 32, total: 32 } });
    await panel.show({ ...whole, source: { ...whole.source } }, { given });
    await expect.poll(async () => (await scrolled())[0]).toBeGreaterThan(300);
    expect(text!.length).toBeGreaterThan(given);
  });

  test('is not framed, and no layer is, once none is selected', async () => {
    await open();
    await besideEditor(fabricate({ tokens: 80 }));
    await press('Lines');
    await panel.goTo(2, 1);
    await expect.poll(async () => (await framed()).length).toBe(2);
    await panel.post({ type: 'select', token: -1 });
    await expect.poll(framed).toEqual([]);
  });

  test('that the other text does not have says so, and an excerpt is one block of lines', async () => {
    await open();
    const line = ['The', ' grey', ' goose', '\n'];
    const words = [...line, ...line, '\n', 'def', ' wedge', '\n', '\n', ...line];
    await besideEditor(fabricate({ words }));
    // Begins with the empty line, after two others that end as it does.
    await panel.show(fabricate({ words: words.slice(8, 12), seed: 9 }), { title: 'README.md:12–13' }, 'other');
    await press('Lines');
    const cells = [/not in the other text$/, /not in the other text$/, /differ$/, /differ$/, /not in the other text$/];
    for (const [row, cell] of cells.entries()) {
      await panel.goTo(3, row);
      await expect.poll(() => said(), { message: `line ${row}` }).toMatch(cell);
    }
    const place = (await panel.page.locator('.cell').boundingBox())!;
    await panel.page.mouse.move(place.x + place.width / 2, place.y + place.height / 2);
    await expect
      .poll(() => panel.page.locator('.tip').innerText())
      .toMatch(/^line 1\d, \d tokens?, layer 3\nnot in the other text$/);
    await picture(panel.page, 'lines-excerpt');
  });

  test('has its numbers, shares and words in a table, too', async () => {
    await open();
    await besideEditor(fabricate());
    await press('Lines');
    await panel.press('grid-asTable');
    await panel.settled();
    const table = panel.page.locator('.gridTable table');
    await expect.poll(() => table.locator('thead th').allInnerTexts()).toHaveLength(31);
    const third = table.locator('tbody tr:not(.gap)').nth(2);
    await expect.poll(() => third.locator('th').innerText()).toBe('12');
    const words = third.locator('td').first();
    await expect.poll(() => words.locator('.mark').getAttribute('title')).toMatch(/^\w+ leads at \d+% of the tokens$/);
    await expect.poll(() => words.locator('.unseen').textContent()).toMatch(/ leads at /);
  });

  test('has a table in the map’s place, as high as that, with as many of its short columns as fit', async () => {
    await open({ width: 460, height: 600 });
    await besideEditor(fabricate());
    await press('Lines');
    const map = (await panel.page.locator('.plot').boundingBox())!;
    await panel.press('grid-asTable');
    const heads = panel.page.locator('.gridTable thead th');
    await expect.poll(() => heads.allInnerTexts()).toEqual(['Line', ...[...Array(30).keys()].map(String)]);
    await expect.poll(() => heads.nth(4).getAttribute('title')).toBe('layer 3');
    await picture(panel.page, 'lines-table-460');
    const box = (await panel.page.locator('.gridTable .tableBox').boundingBox())!;
    expect(Math.abs(box.y - map.y)).toBeLessThan(6);
    expect(Math.abs(box.y + box.height - map.y - map.height)).toBeLessThan(10);
    const inView = await heads.evaluateAll(
      (all, right) => all.filter((one) => one.getBoundingClientRect().right <= right).length,
      box.x + box.width,
    );
    expect(inView).toBeGreaterThanOrEqual(7);
    // The lines' numbers stay where they are, and so do the heads.
    const corner = heads.first();
    const [before] = [await corner.boundingBox()];
    await panel.page.locator('.gridTable .tableBox').evaluate((one) => one.scrollTo(200, 60));
    await expect.poll(() => corner.boundingBox()).toEqual(before);
    expect(await panel.serious()).toEqual([]);
  });

  test('shows on hovering which experts lead how many of its tokens, and at its number what it says', async () => {
    await open();
    const trace = fabricate();
    await besideEditor(trace);
    await press('Lines');
    const box = (await panel.page.locator('.scroller').boundingBox())!;
    await panel.page.mouse.move(box.x + 62 + 14 * 21, box.y + 18 + 20 * 2 + 10);
    await panel.settled();
    const tip = panel.page.locator('.tip');
    await expect.poll(() => tip.innerText()).toMatch(/^line 12, \d+ tokens, layer 1\d\n/);
    await expect.poll(() => tip.innerText()).toContain('Share of the line’s tokens that each leads');
    await panel.page.mouse.move(box.x + 30, box.y + 18 + 20 * 2 + 10);
    await panel.settled();
    await expect
      .poll(() => tip.innerText())
      .toMatch(/^A␣flock␣keeps.*\nline 12, \d+ tokens\n\w+ leads at \d+% of the tokens$/);
    await panel.page.mouse.move(box.x + 62 + 5, box.y + 8);
    await panel.settled();
    await expect.poll(() => tip.innerText()).toContain('Click to see its modules');
    // An empty line, which is paler than its one token calls for.
    await panel.page.mouse.move(box.x + 62 + 14 * 21, box.y + 18 + 20 + 10);
    await expect.poll(() => tip.innerText()).toMatch(/^line 11, 1 token, [^]*100%[^]*White space alone: drawn pale/);
  });

  test('where experts were chosen, says on hovering their share of the weight: that they lead would not be true', async () => {
    await open();
    const trace = fabricate();
    await besideEditor(trace);
    await press('Lines');
    const tip = panel.page.locator('.tip');
    const own = tokensOf(trace, 2);
    const part = sharedModules(trace)!;
    const all = allTokenShares(trace, part);
    const css = part.experts.findIndex(({ id }) => id === 'css');
    const share = own.reduce((sum, t) => sum + all[t * part.experts.length + css]!, 0) / own.length;
    const hover = async (x: number) => {
      const box = (await panel.page.locator('.scroller').boundingBox())!;
      await panel.page.mouse.move(box.x + x, box.y + 18 + 20 * 4 + 10);
      await panel.page.mouse.move(box.x + x, box.y + 18 + 20 * 2 + 10);
      await panel.settled();
    };
    await panel.press('legend-css');
    await hover(30);
    await expect.poll(() => tip.innerText()).toMatch(/\ncss has [\d.]+% of the weight$/);
    expect(Number(/has ([\d.]+)%/.exec(await tip.innerText())![1])).toBeCloseTo(100 * share, 0);
    await panel.press('legend-sql');
    for (const x of [30, 62 + 14 * 21]) {
      await hover(x);
      await expect.poll(() => tip.innerText()).toMatch(/(css|sql) has [\d.]+% of the weight$/);
      expect(await tip.innerText()).not.toContain('lead');
    }
  });

  test('is no longer told beside a pointer that rests once keys move the map, until the pointer moves', async () => {
    await open();
    await besideEditor(fabricate());
    await press('Lines');
    const box = (await panel.page.locator('.scroller').boundingBox())!;
    const [x, y] = [box.x + 62 + 14 * 21, box.y + 18 + 20 * 2 + 10];
    await panel.page.mouse.click(x, y);
    const tip = panel.page.locator('.tip');
    await expect.poll(() => tip.count()).toBe(1);
    for (const key of ['ArrowDown', '0', '+']) {
      await panel.page.keyboard.press(key);
      await panel.settled();
      await expect.poll(() => tip.count()).toBe(0);
    }
    await panel.page.mouse.move(x + 3, y);
    await expect.poll(() => tip.count()).toBe(1);
    await panel.page.keyboard.press('ArrowUp');
    await expect.poll(() => tip.count()).toBe(0);
  });
});

/** What the map writes, and how wide that is in the room that it has, from the next time that it is drawn. */
async function written(): Promise<readonly (readonly [text: string, squeezed: number])[]> {
  return panel.page.evaluate(async () => {
    const found: [string, number][] = [];
    const { prototype } = CanvasRenderingContext2D;
    const fillText = Object.getOwnPropertyDescriptor(prototype, 'fillText')!.value as typeof prototype.fillText;
    prototype.fillText = function (this: CanvasRenderingContext2D, text: string, x: number, y: number, room?: number) {
      found.push([text, room === undefined ? 1 : this.measureText(text).width / room]);
      if (room === undefined) fillText.call(this, text, x, y);
      else fillText.call(this, text, x, y, room);
    };
    document.querySelector('.scroller')!.dispatchEvent(new Event('scroll'));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    prototype.fillText = fillText;
    return found;
  });
}

test('the corner says what lies down and across, and names above columns are never squeezed until illegible', async () => {
  await open({ width: 460, height: 600 });
  await besideEditor(fabricate());
  await press('Lines');
  const words = async () => (await written()).map(([text]) => text);
  await expect.poll(() => words()).toEqual(expect.arrayContaining(['Line', 'Layer']));
  await press('Experts');
  await expect.poll(() => words()).toEqual(expect.arrayContaining(['Line', 'Expert']));
  expect(names).toContain('typescript');
  const all = await written();
  expect(all.filter(([text]) => text === 'python').length).toBeGreaterThan(0);
  expect(all.filter(([, squeezed]) => squeezed > 1.16)).toEqual([]);
  await picture(panel.page, 'lines-experts-460');
  await press('Grid');
  await expect.poll(() => words()).toEqual(expect.arrayContaining(['Layer', 'Token']));
  await picture(panel.page, 'grid-460');
});

describe('beside its editor', { tags: ['slow'] }, () => {
  test('is as high as there, and scrolls along without sending that back', async () => {
    await open();
    await besideEditor(fabricate(), { from: 0, to: 8 });
    await press('Lines');
    const height = await panel.page.locator('.cell').evaluate((one) => (one as HTMLElement).style.height);
    expect(height).toBe('20px');
    await panel.post({ type: 'visible', lines: { from: 7, to: 16 } });
    await expect.poll(() => scrollTop()).toBe(140);
    // The map also follows the caret, and does not answer.
    await panel.post({ type: 'select', token: 250 });
    await expect.poll(() => scrollTop()).toBeGreaterThan(140);
    await expect.poll(() => panel.sent('reveal')).toEqual([]);
    await picture(panel.page, 'lines-followed');
  });

  test('takes the editor along when the user scrolls it, and does not follow the echo', async () => {
    await open();
    await besideEditor(fabricate(), { from: 0, to: 8 });
    await press('Lines');
    await panel.page.locator('.scroller').evaluate((one) => {
      one.scrollTop = 100;
    });
    await panel.settled();
    await expect.poll(async () => (await panel.sent('reveal')).at(-1)).toEqual({ type: 'reveal', line: 5 });
    const count = (await panel.sent('reveal')).length;
    // While it scrolls smoothly, the editor reports places on the way.
    await panel.post({ type: 'visible', lines: { from: 3, to: 11, isLed: true } });
    await panel.post({ type: 'visible', lines: { from: 5, to: 13, isLed: true } });
    await expect.poll(() => scrollTop()).toBe(100);
    await expect.poll(() => panel.sent('reveal')).toHaveLength(count);
    await panel.post({ type: 'visible', lines: { from: 2, to: 10 } });
    await expect.poll(() => scrollTop()).toBe(40);
  });

  test('scrolls alone if no editor is visible', async () => {
    await open();
    await panel.show(fabricate());
    await press('Lines');
    await panel.page.locator('.scroller').evaluate((one) => {
      one.scrollTop = 90;
    });
    await panel.settled();
    await expect.poll(() => panel.sent('reveal')).toEqual([]);
    // Lines of a text without a document have their own numbers.
    await panel.goTo(0, 0);
    await expect.poll(() => said()).toMatch(/^line 1, /);
  });

  test('has the document’s line numbers after an edit, and fades the lines after it', async () => {
    await open();
    const trace = fabricate();
    await besideEditor(trace);
    await press('Lines');
    const fresh = tokensOf(trace, 5).at(-1)! + 1;
    const before = [await colourAt(2, 20), await colourAt(8, 20)];
    await panel.show(trace, { stale: true, fresh });
    await panel.post({
      type: 'lines',
      lines: {
        runs: [
          [0, 9],
          [6, 20],
        ],
        height: 20,
      },
    });
    const after = [await colourAt(2, 20), await colourAt(8, 20)];
    expect(after[0]).toEqual(before[0]);
    expect(after[1]).not.toEqual(before[1]);
    // Lines after the edit have the document's new numbers.
    await panel.goTo(0, 6);
    await expect.poll(() => said()).toMatch(/^line 21, /);
    await picture(panel.page, 'lines-stale');
    // A change's hue fades too: all of it, if the text has changed from the start.
    await panel.show(fabricate({ strategy: { name: 'arrow', k: 2 }, seed: 9 }), { title: 'other' }, 'other');
    await expect.poll(() => caption()).toContain('differ.');
    // Distance from the background.
    const strong = async () => (await colourAt(2, 20)).slice(0, 3).reduce((sum, c) => sum + Math.abs(c - 31), 0);
    const whole = await strong();
    await panel.show(trace, { stale: true, fresh: 0 });
    await expect.poll(() => strong()).toBeLessThan(0.6 * whole);
  });
});

describe('which map is drawn', { tags: ['slow'] }, () => {
  test('lines in a narrow panel, if there are any; the user’s choice stays', async () => {
    await open({ width: 400, height: 780 });
    await panel.show(fabricateIds());
    await expect.poll(() => caption()).toContain('Tokens across');
    const lines = panel.page.locator('[data-focus=segment-Lines]');
    await expect.poll(() => lines.getAttribute('aria-disabled')).toBe('true');
    await expect.poll(() => lines.getAttribute('title')).toContain('not known which text');
    await panel.show(fabricate());
    await expect.poll(() => caption()).toContain('Lines down');
    await press('Grid');
    await expect.poll(() => caption()).toContain('Tokens across');
    await panel.resize(700, 780);
    await press('Lines');
    await press('Experts');
    await panel.reload();
    await panel.show(fabricate());
    await expect.poll(() => caption()).toContain('experts across');
  });

  test('is decided by the room at the first run, and only by the user after that', async () => {
    await open({ width: 700, height: 780 });
    await panel.show(fabricate());
    await expect.poll(() => caption()).toContain('Lines down');
    await panel.resize(1000, 780);
    await expect
      .poll(() => panel.page.locator('.work').evaluate((one) => getComputedStyle(one).flexDirection))
      .toBe('row');
    expect(await caption()).toContain('Lines down');
    await open({ width: 1000, height: 780 });
    await panel.show(fabricate());
    await expect.poll(() => caption()).toContain('Tokens across');
    await panel.resize(700, 780);
    expect(await caption()).toContain('Tokens across');
  });

  test('each has its own zoom', async () => {
    await open();
    await panel.show(fabricate());
    const height = () => panel.page.locator('.cell').evaluate((one) => (one as HTMLElement).style.height);
    await press('Grid');
    await panel.press('grid-zoomIn');
    const grid = await height();
    await press('Lines');
    await panel.press('grid-zoomOut');
    await expect.poll(async () => Number.parseFloat(await height())).toBeCloseTo(18 / 1.4, 3);
    await press('Grid');
    await expect.poll(() => height()).toBe(grid);
  });
});

describe('what colours it', { tags: ['slow'] }, () => {
  testMany(
    ['dark', 'light', 'high-contrast'] as const,
    'a number of the routers: its mean over a line’s tokens at each layer, with its scale and no experts ($0)',
    async (theme) => {
      await open({ ...beside, theme });
      const trace = fabricate();
      await besideEditor(trace);
      await press('Lines');
      const chosen = await colourAt(2, 20);
      await panel.page.locator('[data-focus=colour-by]').selectOption('entropy');
      await panel.settled();
      const means = [...Array(30).keys()].flatMap((layer) => {
        const { value } = measured(trace, 0, 'entropy', { layer });
        return lineMeans(trace, value);
      });
      const { weak, strong } = scaled('entropy', Float32Array.from(means));
      const ends = [`≤${weak.toFixed(2)}`, `≥${strong.toFixed(2)}`];
      await expect
        .poll(() => caption())
        .toContain(
          `Lines down, layers across: mean entropy of a line’s tokens. Pale: ${ends[0]!}; strong: ${ends[1]!}. The text has a scale of its own: `,
        );
      await expect
        .poll(() => panel.page.locator('.scale').first().getAttribute('aria-label'))
        .toBe(`From ${ends[0]!}, weak, to ${ends[1]!}, strong`);
      await expect.poll(() => panel.page.locator('.legend').innerText()).toMatch(/text: ≤[\d.]+ to ≥[\d.]+$/);
      await expect.poll(() => panel.page.locator('.chip').count()).toBe(0);
      // A cell says what its colour is: here, to the pointer and in the table.
      const own = lineMeans(trace, measured(trace, 0, 'entropy', { layer: 20 }).value)[2]!;
      await panel.goTo(20, 2);
      await expect.poll(() => said()).toMatch(new RegExp(`layer 20, entropy: mean ${own.toFixed(2)}$`));
      const cell = (await panel.page.locator('.cell').boundingBox())!;
      await panel.page.mouse.move(cell.x + cell.width / 2, cell.y + cell.height / 2);
      await expect
        .poll(() => panel.page.locator('.tip').innerText())
        .toMatch(new RegExp(`layer 20[^]*entropy: mean ${own.toFixed(2)}`));
      expect(await colourAt(2, 20)).not.toEqual(chosen);
      await picture(panel.page, `lines-entropy-${theme}`);
      expect(await panel.serious()).toEqual([]);
      await panel.page.locator('[data-focus=head-map]').click();
      await panel.page.locator('[data-focus=grid-asTable]').click();
      await expect
        .poll(() => panel.page.locator('.gridTable tbody tr').nth(2).textContent())
        .toContain(`entropy: mean ${own.toFixed(2)}`);
    },
  );

  test('a number of the model: the same in all columns, and in the margin; experts as columns keep their shares', async () => {
    await open();
    const trace = fabricate();
    await besideEditor(trace);
    await press('Lines');
    await panel.page.locator('[data-focus=colour-by]').selectOption('surprise');
    await panel.settled();
    await expect
      .poll(() => caption())
      .toMatch(
        /mean surprisal \(−log p\) of a line’s tokens\. Pale: ≤[\d.]+; strong: ≥[\d.]+\. .* all columns are alike\./,
      );
    await expect.poll(() => panel.page.locator('.chip').count()).toBe(0);
    const box = (await panel.page.locator('.scroller').boundingBox())!;
    await panel.page.mouse.move(box.x + 30, box.y + 18 + 20 * 2 + 10);
    await panel.settled();
    const mean = lineMeans(trace, measured(trace, 0, 'surprise').value)[2]!;
    await expect
      .poll(() => panel.page.locator('.tip').innerText())
      .toContain(`surprisal (−log p): mean ${mean.toFixed(2)}`);
    const seen = await Promise.all([3, 20].map((layer) => colourAt(2, layer)));
    expect(seen[0]).toEqual(seen[1]);
    await panel.goTo(3, 2);
    await expect.poll(() => said()).toMatch(new RegExp(`layer 3, surprisal \\(−log p\\): mean ${mean.toFixed(2)}$`));
    await picture(panel.page, 'lines-surprise');
    await press('Experts');
    await expect
      .poll(() => caption())
      .toMatch(
        /share of the line\. Beside the lines: mean surprisal \(−log p\), pale ≤[\d.]+, strong ≥[\d.]+\. No expert/,
      );
    await expect.poll(() => panel.page.locator('.chip').count()).toBeGreaterThan(2);
    await expect.poll(() => panel.page.locator('.legend').innerText()).toContain('beside the lines');
    await picture(panel.page, 'lines-surprise-experts');
  });

  test('the change that a what-if made, and attribution', async () => {
    await open();
    const before = fabricate();
    const interventions: Intervention[] = [{ action: 'knock-out', expert: 'prose', scope: {} }];
    const trace = fabricate({ interventions });
    await panel.show(trace, { before, attribution: fabricateAttribution(trace) });
    await press('Lines');
    await expect.poll(() => caption()).toContain('who leads');
    await panel.page.locator('[data-focus=colour-by]').selectOption('change');
    await panel.settled();
    await expect.poll(() => caption()).toContain('more of the experts chosen in a line differ');
    await panel.goTo(12, 2);
    await expect.poll(() => said()).toMatch(/layer 12, \d+% of the chosen experts differ$/);
    await picture(panel.page, 'lines-change');
    await panel.page.locator('[data-focus=colour-by]').selectOption('attribution');
    await panel.settled();
    await expect.poll(() => caption()).toContain('who leads');
    // It is of tokens, not of layers, so the cells stay those of the leading experts, and that is said.
    await expect.poll(() => caption()).toContain('it colours the text and the strip beside the lines.');
    await expect
      .poll(() => panel.page.locator('.legend').innerText())
      .toContain('in the text and beside the lines: expert with the largest attribution');
    await press('Grid');
    await expect.poll(() => caption()).toContain('it colours the text alone.');
  });

  test('the mean change of log-probability against another run', async () => {
    await open();
    const main = fabricate();
    await panel.show(main);
    const logProb = main.sequences[0]!.logProb!.map((x) => x + 0.5);
    const made = fabricate({ strategy: { name: 'base' } });
    await panel.show({ ...made, sequences: [{ ...made.sequences[0]!, logProb }] }, { title: 'other' }, 'other');
    await press('Lines');
    await expect.poll(() => caption()).toContain('likelier on average');
    await panel.goTo(0, 2);
    await expect.poll(() => said()).toMatch(/likelier, \+0\.50 nats/);
    await press('The other');
    await press('Lines');
    await expect.poll(() => caption()).toContain('who leads');
  });

  test('each layer’s own experts, and those of the layer in sight as columns', async () => {
    await open();
    await panel.post({ type: 'lines', lines: { runs: [[0, 0]], height: 20 } });
    await panel.show(fabricateMoe());
    await press('Lines');
    await expect.poll(() => caption()).toContain('Colours are each column’s own.');
    await panel.goTo(3, 1);
    await expect.poll(() => said()).toMatch(/layer 3, expert \d+ leads at \d+% of the tokens$/);
    await expect.poll(() => panel.page.locator('[data-focus=colour-layer]').inputValue()).toBe('3');
    await press('Experts');
    await expect.poll(() => caption()).toContain('experts of layer 3 across');
    await picture(panel.page, 'lines-moe-experts');
  });
});

describe('two texts', () => {
  test('are below one another; the output’s lines have their own numbers', async () => {
    await open();
    const ids = fabricateIds();
    const sequences = ids.sequences.map((sequence) => {
      const { count } = sequence.tokens;
      const start = Int32Array.from({ length: count }, (_, t) => 6 * t);
      const tokens = { ...sequence.tokens, start, end: start.map((at) => at + 6) };
      const text = Array.from({ length: count }, (_, t) => (t % 5 === 4 ? 'goose\n' : 'goose ')).join('');
      return { ...sequence, text, tokens };
    });
    await panel.post({ type: 'lines', lines: { runs: [[0, 9]], height: 20 } });
    await panel.show({ ...ids, sequences });
    await press('Lines');
    await panel.goTo(0, 0);
    await expect
      .poll(() => said())
      .toMatch(
        /^input, line 10, 5 tokens, encoder layer 2, expert \d+.* and 2 more lead equally often: at 20% of the tokens each$/,
      );
    await panel.page.keyboard.press('Control+End');
    await panel.settled();
    await expect.poll(() => said()).toMatch(/^output, line 8, 5 tokens, decoder layer 7, /);
    await panel.page.keyboard.press('Home');
    await panel.settled();
    await expect.poll(() => said()).toMatch(/does not pass through here$/);
    await picture(panel.page, 'lines-two');
  });
});

/** Five thousand tokens on two thousand lines, or more. */
const long = () =>
  fabricate({ layers: 8, words: Array.from({ length: 5000 }, (_, i) => (i % 5 < 2 ? `w${i}\n` : ` w${i}`)) });

describe('a long file', { tags: ['slow'] }, () => {
  test('fits as an overview of each window’s leading expert; the part in the editor is marked', async () => {
    await open({ width: 700, height: 900 });
    await besideEditor(long(), { from: 1000, to: 1040 });
    await press('Lines');
    await expect.poll(() => scrollTop()).toBe(20_000);
    await panel.press('grid-zoomFit');
    const rows = await panel.page.locator('.cells').getAttribute('aria-rowcount');
    expect(Number(rows)).toBe(2001);
    const [scroller, inner] = await panel.page
      .locator('.scroller')
      .evaluate((one) => [one.clientHeight, one.scrollHeight]);
    expect(inner).toBeLessThanOrEqual(scroller + 1);
    await panel.goTo(0, 1);
    await expect.poll(() => said()).toMatch(/^line 11, /);
    await picture(panel.page, 'lines-overview');
    await press('Modules');
    await panel.press('grid-zoomFit');
    await picture(panel.page, 'lines-overview-modules');
  });

  test('keeps the selected line in view while keys zoom', async () => {
    await open();
    await panel.show(long());
    await press('Lines');
    await panel.goTo(0, 1);
    const isSeen = () =>
      panel.page.evaluate(() => {
        const [cell, map] = ['.cell', '.scroller'].map((one) => document.querySelector(one)!.getBoundingClientRect());
        return cell!.top >= map!.top + 10 && cell!.bottom <= map!.bottom;
      });
    await panel.page.keyboard.press('0');
    for (let i = 0; i < 9; i++) {
      await panel.page.keyboard.press('+');
      await panel.settled();
      await expect.poll(() => isSeen()).toBe(true);
    }
    await expect.poll(() => scrollTop()).toBeLessThan(30);
    await panel.page.keyboard.press('-');
    await panel.settled();
    await expect.poll(() => isSeen()).toBe(true);
  });

  test('of one line is cut into pieces', async () => {
    await open();
    await panel.show(fabricate({ words: Array.from({ length: 200 }, (_, i) => `word${i} `) }));
    await press('Lines');
    await panel.goTo(0, 3);
    await expect.poll(() => said()).toMatch(/^line 1, \d+ tokens, /);
    await expect
      .poll(async () => Number(await panel.page.locator('.cells').getAttribute('aria-rowcount')))
      .toBeGreaterThan(9);
  });
});

test('a picture as seen has the visible lines, and a run in progress is drawn as it grows', async () => {
  await open();
  const trace = fabricate();
  await besideEditor({ ...trace, sequences: [{ ...trace.sequences[0]!, done: 40 }] });
  await press('Lines');
  await panel.goTo(14, 2);
  await expect.poll(() => said()).toContain('leads');
  await panel.page.keyboard.press('Control+End');
  await panel.settled();
  await expect.poll(() => said()).toContain('nothing is known here');
  await besideEditor(trace);
  await expect.poll(() => said()).toContain('leads');
  await panel.page.locator('[data-focus=head-more]').click();
  await panel.page.getByRole('menuitem', { name: 'Save Figure…' }).click();
  await panel.page.locator('[data-focus="segment-As seen"]').click();
  await panel.page.locator('[data-focus=figure-svg]').click();
  await expect.poll(() => panel.sent('save')).toHaveLength(1);
  const svg = (await panel.sent('save')).at(-1)!;
  expect(svg.kind === 'svg' && svg.data).toMatch(/layer 14, line \d+: \w+ leads at \d+% of the tokens/);
});

testMany(themeNames, 'axe finds nothing serious (%s)', async (theme) => {
  await open({ ...beside, theme });
  await besideEditor(fabricate());
  await press('Lines');
  await panel.goTo(3, 2);
  expect(await panel.serious()).toEqual([]);
});

describe('pictures to look at', () => {
  const sizes = [
    { width: 400, height: 780 },
    { width: 620, height: 600 },
    { width: 700, height: 780 },
  ];
  testMany(
    themeNames.slice(0, 3).flatMap((theme) => sizes.map((size) => ({ theme, ...size }))),
    '$theme $width×$height',
    async ({ theme, width, height }) => {
      await open({ theme, width, height });
      await besideEditor(fabricate(), { from: 2, to: 12 });
      await press('Lines');
      await panel.goTo(14, 4);
      const shot = (name: string) => picture(panel.page, `lines-${theme}-${width}${name}`);
      await shot('');
      await panel.page.keyboard.press('Enter');
      await panel.settled();
      await shot('-open');
      await press('Experts');
      await shot('-experts');
      await panel.show(fabricateMoe());
      await press('Layers');
      await shot('-moe');
    },
  );
});

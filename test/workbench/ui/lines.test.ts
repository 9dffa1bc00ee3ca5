// The map of lines beside its editor: they scroll together, in both directions, and a click in either shows the place in the other.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { editor, enter, openFile, runCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const name = 'flock.txt';
/** As many as the tiny model can read, and more than the editor shows. */
const lines = Array.from({ length: 60 }, (_, i) => String(i + 1));

const eventually = <T>(found: () => Promise<T>) => expect.poll(found);

describe('the map of lines', () => {
  let window: Window;
  const step = (what: string, body: () => Promise<void>) => it(what, () => witnessed(window, what, body));

  beforeAll(async () => {
    const dir = path.join(folder, 'lines');
    mkdirSync(dir);
    writeFileSync(path.join(dir, name), lines.join('\n'));
    window = await Window.open(dir, { settings: { 'gander.pool': tinyPool, 'editor.smoothScrolling': true } });
  });
  afterAll(() => window.close());

  const scroller = () => window.panel.locator('.scroller');
  const cell = () => window.panel.locator('.cell');
  /** The first visible row of the map, from 0; here each row is a line. */
  const topRow = () =>
    scroller().evaluate((one) => {
      const height = Number.parseFloat(one.querySelector<HTMLElement>('.cell')!.style.height);
      return Math.round(one.scrollTop / height);
    });
  /** The first visible line of the editor, from 1. */
  const topLine = () =>
    editor(window.page, name).evaluate((one) => {
      const view = one.getBoundingClientRect();
      const numbers = [...one.querySelectorAll<HTMLElement>('.line-numbers')]
        .map((number) => ({ line: Number(number.textContent), top: number.getBoundingClientRect().top }))
        .filter(({ line, top }) => line > 0 && top >= view.top - 2);
      return Math.min(...numbers.map(({ line }) => line));
    });

  const caretLine = async () =>
    Number(await editor(window.page, name).locator('.active-line-number').first().innerText());

  /** Waits until neither side moves, because both scroll smoothly. */
  const settled = async () => {
    let before: readonly number[] = [];
    await eventually(async () => {
      const now = [await scroller().evaluate((one) => one.scrollTop), await topLine()];
      const same = now.every((at, i) => at === before[i]);
      before = now;
      return same && (await topRow()) + 1 - now[1]!;
    }).toBe(0);
  };

  /** Puts the caret into a visible line of the editor, and waits until the page knows. */
  const clickLine = async (line: number) => {
    const detail = () => window.panel.locator('.detailTitle').allInnerTexts();
    const before = await detail();
    const number = editor(window.page, name).locator('.line-numbers', { hasText: new RegExp(`^${line}$`) });
    const [box, text] = await Promise.all([
      number.boundingBox(),
      editor(window.page, name).locator('.view-lines').boundingBox(),
    ]);
    await window.page.mouse.click(text!.x + 10, box!.y + box!.height / 2);
    await eventually(caretLine).toBe(line);
    await eventually(detail).not.toEqual(before);
  };

  step('opens beside the editor', async () => {
    await openFile(window.page, name);
    await enter(window.page, name);
    await runCommand(window.page, 'Gander: Route Selection');
    await window.panel.locator('#grid-caption', { hasText: 'Lines down' }).waitFor();
    await eventually(() => window.painted()).toBeGreaterThan(1000);
  });

  step('has rows of the same height as the editor’s lines', async () => {
    const height = (one: HTMLElement) => one.getBoundingClientRect().height;
    const row = () => cell().evaluate((one) => Number.parseFloat((one as HTMLElement).style.height));
    const line = await editor(window.page, name).locator('.view-line').first().evaluate(height);
    await eventually(row).toBe(line);
    await window.shot('lines');
  });

  step('scrolls with the editor', async () => {
    const box = (await editor(window.page, name).boundingBox())!;
    await window.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    // One turn of the wheel moves only a few lines, whatever its distance.
    await eventually(async () => {
      await window.page.mouse.wheel(0, 200);
      return topRow();
    }).toBeGreaterThan(12);
    await settled();
  });

  step('scrolls the editor along, and stays where it is', async () => {
    const box = (await scroller().boundingBox())!;
    await window.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const from = await topLine();
    await window.page.mouse.wheel(0, -150);
    await eventually(topLine).toBeLessThan(from - 5);
    await settled();
    const [row, line] = [await topRow(), await topLine()];
    // The map hears of a click only after any echo of its own scrolling.
    await clickLine(line + 8);
    expect([await topRow(), await topLine()]).toEqual([row, line]);
  });

  step('a clicked cell shows its line in the editor and in the detail', async () => {
    const selected = async () => Number(/line (\d+)/.exec((await cell().getAttribute('aria-label'))!)?.[1]);
    const before = await selected();
    const box = (await scroller().boundingBox())!;
    await window.page.mouse.click(box.x + 90, box.y + 60);
    await eventually(selected).not.toBe(before);
    const line = await selected();
    await eventually(caretLine).toBe(line);
    await eventually(() => window.panel.locator('.detailTitle code').innerText()).toBe(String(line));
    await window.shot('lines-clicked');
  });

  step('a click in the editor shows the place in the map', async () => {
    const line = (await topLine()) + 6;
    await clickLine(line);
    await eventually(() => cell().getAttribute('aria-label')).toMatch(new RegExp(`^line ${line}, .*layer 0`));
  });
});

describe('a line wider than its editor', () => {
  const wide = 'wide.txt';
  let window: Window;

  beforeAll(async () => {
    const dir = path.join(folder, 'wide');
    mkdirSync(dir);
    writeFileSync(path.join(dir, wide), 'One goose after another flies south. '.repeat(3));
    window = await Window.open(dir, { settings: { 'gander.pool': tinyPool, 'editor.wordWrap': 'off' } });
  });
  afterAll(() => window.close());

  it('is not scrolled sideways by going through the map', () =>
    witnessed(window, 'sideways', async () => {
      await openFile(window.page, wide);
      await enter(window.page, wide);
      await runCommand(window.page, 'Gander: Route Selection');
      await eventually(() => window.painted()).toBeGreaterThan(1000);
      const inEditor = (selector: string) => editor(window.page, wide).locator(selector).first();
      const place = () => inEditor('.lines-content').evaluate((one) => one.getBoundingClientRect().x);
      const caret = () => inEditor('.cursor').evaluate((one) => Number.parseFloat((one as HTMLElement).style.left));
      const room = (await editor(window.page, wide).boundingBox())!.width;
      const before = await place();
      await window.panel.locator('[data-focus=head-map]').click();
      await window.panel.locator('[data-focus=segment-Grid]').click();
      const cell = window.panel.locator('.cell');
      await cell.focus();
      await cell.press('Home');
      await cell.press('Control+End');
      await eventually(() => cell.getAttribute('aria-label')).toMatch(/token (\d+) of \1,/);
      // The caret is there, out of sight.
      await eventually(caret).toBeGreaterThan(room);
      expect(await place()).toBe(before);
    }));
});

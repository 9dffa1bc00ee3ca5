// The panel's page in a real window: what it saves, how it comes back, in another language, in two windows; the walkthrough.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { words } from '../../../src/words/words.js';
import { decodeTrace } from '../../../src/trace/file/file.js';
import type { Block } from '../../../src/trace/model/trace.js';
import { editor, enter, hoverText, openContainer, openFile, runCommand, selectLine } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const flock = ['Geese fly south over the lake.', 'They honk at every boat.', 'SELECT name FROM birds;', ''];
function files(name: string): string {
  const dir = path.join(folder, name);
  mkdirSync(dir);
  for (const file of ['flock.txt', 'gaggle.txt', 'third.txt']) writeFileSync(path.join(dir, file), flock.join('\n'));
  return dir;
}

let window: Window;
const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const tokens = () => window.panel.locator('.tokens').first();
const tab = (title: string) => window.page.locator('.tab', { hasText: title });
/** Brings a tab to the front. While the window is still laid out, a click may hit the neighbouring tab. */
const show = (title: string) =>
  expect
    .poll(
      async () => {
        await tab(title).click();
        return tab(title).getAttribute('aria-selected');
      },
      { interval: 1000 },
    )
    .toBe('true');

const dir = files('panels');
let panels: Window;
beforeAll(async () => {
  panels = await Window.open(dir, { settings: { 'gander.pool': tinyPool } });
});
afterAll(() => panels.close());

describe('the page saves', () => {
  const input = () => window.input;

  beforeAll(async () => {
    window = panels;
    await window.route('flock.txt');
  });

  const saved = (item: string, ending: string) => window.save(item, path.join(dir, `flock.txt.${ending}`));

  step('a trace file with the whole run', async () => {
    const trace = decodeTrace(new Uint8Array(await saved(words.saveTrace, 'gander.safetensors')));
    expect(trace.sequences[0]!.text).toBe(flock.join('\n'));
    expect(trace.sequences[0]!.done).toBe(trace.sequences[0]!.tokens.count);
    expect(trace.expertSets[0]!.experts).toHaveLength(4);
    expect(trace.blocks[0]!.score).toHaveLength(trace.modules.length * trace.sequences[0]!.tokens.count * 4);
  });

  step('CSV, with a row per token or per choice', async () => {
    const trace = decodeTrace(new Uint8Array(readFileSync(path.join(dir, 'flock.txt.gander.safetensors'))));
    const { count } = trace.sequences[0]!.tokens;
    const rows = (await saved(words.saveTokens, 'csv')).toString().trim().split('\r\n');
    expect(rows[0]).toMatch(/^token,.*share/);
    expect(rows).toHaveLength(1 + count);
    rmSync(path.join(dir, 'flock.txt.csv'));
    const cells = (await saved(words.saveCells, 'csv')).toString().trim().split('\r\n');
    expect(cells[0]).toMatch(/^token,.*weight/);
    const [{ k, chosen, weight }] = trace.blocks as [Block];
    expect(cells).toHaveLength(1 + count * trace.modules.length * k);
    // All of them.
    const columns = cells[0]!.split(',');
    const told = cells.slice(1).map((row) => {
      const fields = Array.from(row.matchAll(/(?:^|,)("(?:[^"]|"")*"|[^,]*)/g), ([, field]) =>
        field!.replace(/^"|"$/g, ''),
      );
      const of = (name: string) => fields[columns.indexOf(name)]!;
      return `${of('token')} ${of('module')} ${of('rank')} ${of('expert')} ${of('weight')}`;
    });
    const traced = trace.modules.flatMap((module, s) =>
      Array.from({ length: count * k }, (_, i) => {
        const at = s * count * k + i;
        const expert = trace.expertSets[0]!.experts[chosen[at]!]!;
        return `${Math.floor(i / k)} ${module.path} ${(i % k) + 1} ${expert.id} ${Number(weight![at]!.toPrecision(8))}`;
      }),
    );
    expect(told.sort()).toEqual(traced.sort());
  });

  step('a report with a picture', async () => {
    const html = (await saved(words.saveHtml, 'html')).toString();
    expect(html.match(/<rect /g)!.length).toBeGreaterThan(20);
    expect(html).toContain('Geese');
    expect(html).not.toMatch(/<script|<link|<img|src=/);
  });

  step('a figure as wide as a column: PDF with its own font, PNG with 300 dots per inch', async () => {
    await window.openMenu();
    await window.panel.getByRole('menuitem', { name: words.saveFigure }).click();
    const figure = (kind: string) =>
      window.saveBy(
        () => window.panel.locator(`[data-focus=figure-${kind}]`).click(),
        path.join(dir, `flock.txt-Experts-by-line-85mm.${kind}`),
      );
    const pdf = (await figure('pdf')).toString('latin1');
    expect(pdf).toMatch(/^%PDF-/);
    expect(pdf).toMatch(/\/MediaBox \[0 0 240\.9\d* /);
    expect(pdf).toMatch(/\/FontName \/\w+\+Arimo-Regular/);
    expect(pdf).toContain('/FontFile2');
    const png = await figure('png');
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.readUInt32BE(16)).toBe(1004);
    await window.panel.locator('[data-focus=figure-close]').click();
  });

  step('nothing if the person cancels', async () => {
    const before = readdirSync(dir);
    await window.openMenu();
    await window.panel.getByRole('menuitem', { name: words.saveTokens }).click();
    await input().waitFor();
    await window.page.keyboard.press('Escape');
    await input().waitFor({ state: 'hidden' });
    expect(readdirSync(dir)).toEqual(before);
    expect((await window.notifications()).filter((said) => !said.startsWith('Saved '))).toEqual([]);
  });
});

describe('panels', () => {
  step('open from a hover at its token', async () => {
    await enter(window.page, 'flock.txt', 'SELECT');
    await hoverText(window.page, 'flock.txt', 'honk');
    const links = window.page.locator('.monaco-hover:visible a', { hasText: 'Show in the routing panel' });
    await links.first().click();
    // The tiny vocabulary splits words into pieces; caret and page are both on one of these.
    await window.page.locator('.statusbar-item', { hasText: /Ln 2, Col [6-9]/ }).waitFor();
    const chosen = tokens().locator('[aria-selected=true]');
    await expect.poll(() => chosen.innerText().catch(() => '')).toMatch(/^[honk]+$/);
    await window.shot('hover-link');
  });

  const contains = (text: string) =>
    expect
      .poll(() =>
        tokens()
          .innerText()
          .catch(() => ''),
      )
      .toContain(text);

  step('are one that follows the active editor, and one more for a pinned one', async () => {
    await window.route('flock.txt', 1);
    await runCommand(window.page, 'Gander: Pin Panel to This Run');
    await tab('Routing (pinned): flock.txt:1').waitFor();
    await window.route('flock.txt', 2);
    await window.route('gaggle.txt', 3);
    await contains('birds');
    expect(await tab('Routing').count()).toBe(2);
    await openFile(window.page, 'flock.txt');
    await enter(window.page, 'flock.txt', 'honk');
    await tab('Routing: flock.txt:2').waitFor();
    await openFile(window.page, 'gaggle.txt');
    await enter(window.page, 'gaggle.txt', 'birds');
    await tab('Routing: gaggle.txt:3').waitFor();
  });

  step('leave files where files are: one that is opened while a panel has the focus opens beside it', async () => {
    await show('Routing: gaggle.txt:3');
    await window.panel.locator('h1').click();
    await openFile(window.page, 'third.txt');
    const groups = window.page.locator('.editor-group-container');
    await groups.first().locator('.tab', { hasText: 'third.txt' }).waitFor();
    expect(await groups.count()).toBe(2);
    await tab('third.txt').click({ button: 'middle' });
  });

  step('all come back when the window is reloaded, and the pinned one is still pinned', async () => {
    await show('Routing: gaggle.txt:3');
    await window.view('summary');
    await window.untilKept('gaggle.txt,start:', 'tab:summary');
    await window.page.reload();
    await window.page.waitForSelector('.monaco-workbench');
    for (const [title, line] of [
      ['Routing (pinned): flock.txt:1', 0],
      ['Routing: gaggle.txt:3', 2],
    ] as const) {
      await show(title);
      await window.showText(); // folded if its editor is visible, unless VS Code restored it unfolded
      await contains(flock[line]!.split(' ')[1]!);
    }
    expect(await tab('Routing').count()).toBe(2);
    await window.panel.locator('#tab-summary[aria-selected=true], select[data-focus=tabs]').first().waitFor();
    // Still pinned, so another range of its document goes to the other panel.
    await window.route('flock.txt', 3);
    await tab('Routing (pinned): flock.txt:1').waitFor();
    await tab('Routing: flock.txt:3').waitFor();
    expect(await tab('Routing').count()).toBe(2);
    expect(await window.notifications()).toEqual([]);
    await window.shot('pinned');
  });

  step('of two windows are independent', async () => {
    const other = await Window.open(files('another'), { settings: { 'gander.pool': tinyPool } });
    try {
      await other.route('gaggle.txt');
      expect(await tab('Routing').count()).toBe(2);
      expect(await other.page.locator('.tab', { hasText: 'Routing' }).count()).toBe(1);
      // Each window runs its own.
      await window.route('gaggle.txt', 1);
      await expect.poll(() => other.panel.locator('.tokens').first().innerText()).toContain('honk');
    } finally {
      await other.close();
    }
  });
});

describe('a window in another language', () => {
  beforeAll(async () => {
    // As a translator would add them.
    const { extensions } = inject('workbench');
    const ours = readdirSync(extensions).find((name) => name.startsWith('gander.gander-'))!;
    const german = { [words.generate]: 'Fortsetzen', [words.tab_summary]: 'Überblick', 'Routing: {0}': 'Wege: {0}' };
    writeFileSync(path.join(extensions, ours, 'l10n/bundle.l10n.de.json'), JSON.stringify(german));
    window = await Window.open(files('german'), { settings: { 'gander.pool': tinyPool }, look: { language: 'de' } });
  });
  afterAll(() => window.close());

  step('has the page in that language too', async () => {
    await window.ask('flock.txt');
    await tab('Wege: flock.txt').waitFor();
    await window.showText();
    await window.openMenu();
    await window.panel.locator('[data-focus=head-generate]', { hasText: /^Fortsetzen$/ }).waitFor();
    await window.page.keyboard.press('Escape');
    expect(await window.panel.locator('#tab-summary').innerText()).toBe('Überblick');
    // What is not translated stays English.
    expect(await window.panel.locator('#tab-compare').innerText()).toBe(words.tab_compare);
    expect(await window.panel.locator('html').getAttribute('lang')).toBe('de');
    await window.shot('german');
  });
});

describe('the walkthrough', () => {
  beforeAll(async () => {
    window = await Window.open(files('walkthrough'), { settings: { 'gander.pool': tinyPool } });
  });
  afterAll(() => window.close());

  const steps = () => window.page.locator('.getting-started-step');
  /** Opens the walkthrough at a step and presses the button there. */
  async function press(title: string, label: string): Promise<void> {
    const one = steps().filter({ hasText: title });
    if (!(await one.isVisible())) await runCommand(window.page, 'Gander: Open Walkthrough');
    await one.waitFor();
    const button = one.getByRole('button', { name: label, exact: true });
    if (!(await button.isVisible())) await one.click();
    await button.click();
  }
  const asked = (text: string) => window.page.locator('.quick-input-widget', { hasText: text });

  step('has five steps, each with its picture', async () => {
    await runCommand(window.page, 'Gander: Open Walkthrough');
    await steps().nth(4).waitFor();
    expect(await steps().count()).toBe(5);
    const picture = window.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame').locator('img');
    for (const [i, name] of ['route', 'read', 'tour', 'what-if', 'experts'].entries()) {
      await steps().nth(i).click();
      await expect.poll(() => picture.getAttribute('src').catch(() => '')).toContain(`${name}.png`);
      await expect.poll(() => picture.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBeGreaterThan(200);
    }
    await steps().first().click();
    await expect.poll(() => picture.getAttribute('src').catch(() => '')).toContain('route.png');
    await window.shot('walkthrough');
  });

  step('opens a sample and routes it', async () => {
    await press('Route a text', 'Open a Sample');
    await tab('Untitled-1').waitFor();
    await window.page.locator('.view-line', { hasText: 'SELECT' }).waitFor();
    await press('Route a text', 'Route Selection');
    await window.showText();
    // Beside the sample, in the walkthrough's group: three would be too narrow.
    expect(await window.page.locator('.editor-group-container').count()).toBe(2);
    await window.shot('walkthrough-routed');
  });

  step(
    'moves beside a text that was opened in its group, and routes by the keyboard while it has the focus',
    async () => {
      await window.panel.locator('#tab-summary').click();
      await openFile(window.page, 'flock.txt');
      await runCommand(window.page, 'Gander: Route Selection');
      await tab('Routing: flock.txt').waitFor();
      await window.showText();
      await editor(window.page, 'flock.txt').waitFor();
      await window.shot('walkthrough-beside');
      await selectLine(window.page, 'flock.txt', 2);
      await window.panel.locator('#tab-summary').click();
      await window.page.keyboard.press('ControlOrMeta+K');
      await window.page.keyboard.press('ControlOrMeta+Alt+G');
      await tab('Routing: flock.txt:2').waitFor();
    },
  );

  step('opens the panel', async () => {
    await tab('Routing').click({ button: 'middle' });
    await tab('Routing').waitFor({ state: 'detached' });
    await press('Read the panel', 'Open Routing Panel');
    await tab('Routing').waitFor();
    await window.showText();
  });

  step('makes a what-if', async () => {
    await press('Ask what if', 'Knock Out Expert');
    await asked('Zeta').waitFor();
    await window.page.keyboard.press('Escape');
    await press('Ask what if', 'Knock Out Experts in Turn');
    await tab('Routing').click();
    await window.panel.locator('#tab-whatIf').click();
    await window.panel.locator('[data-figure=attribution]').waitFor();
  });

  step('shows the experts, and adds one', async () => {
    await press('Meet the experts', 'Show Experts');
    await window.page.locator('.pane-body .monaco-list-row', { hasText: 'Zeta' }).waitFor();
    await press('Meet the experts', 'Add Expert From Folder');
    await window.page.locator('.quick-input-widget').waitFor();
    await window.page.keyboard.press('Escape');
    await window.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
    expect(await window.notifications()).toEqual([]);
  });

  step('has ticked off every step', async () => {
    await runCommand(window.page, 'Gander: Open Walkthrough');
    await steps().nth(3).waitFor();
    await expect.poll(() => steps().locator('.codicon.complete').count()).toBe(4);
    await window.shot('walkthrough-done');
  });
});

describe('malicious names', () => {
  const pool = path.join(folder, 'hostile-pool');
  const hostile = '[x](command:gander.restartEngine) <b>b</b> $(alert)';

  beforeAll(async () => {
    cpSync(tinyPool, pool, { recursive: true });
    for (const expert of readdirSync(path.join(pool, 'experts'))) {
      const card = path.join(pool, 'experts', expert, 'README.md');
      writeFileSync(card, readFileSync(card, 'utf8').replace(/^name: .*$/m, `name: ${JSON.stringify(hostile)}`));
    }
    window = await Window.open(files('hostile'), { settings: { 'gander.pool': pool } });
  });
  afterAll(() => window.close());

  step('stay text in hover, page and tree', async () => {
    await window.route('flock.txt');
    const told = await hoverText(window.page, 'flock.txt', 'honk');
    expect(told).toContain('[x](command');
    const hover = window.page.locator('.monaco-hover:visible');
    expect(await hover.locator('a[data-href], a[href]').allInnerTexts()).toEqual([
      'Show in the routing panel',
      'What these words mean',
    ]);
    expect(await hover.locator('b, img').count()).toBe(0);
    await expect.poll(() => window.panel.locator('.legend').innerText()).toContain(hostile);
    expect(await window.panel.locator('.legend b').count()).toBe(0);
    await openContainer(window.page, 'Gander');
    await window.page.locator('.pane-body .monaco-list-row', { hasText: '<b>b</b>' }).first().waitFor();
  });
});

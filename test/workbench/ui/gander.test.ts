// What a person sees, with the packaged extension, the bundled pool and a text of the samples. The steps follow one another in
// one window.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measureColours } from '../../../src/look/palette.js';
import { words } from '../../../src/words/words.js';
import {
  editor,
  enter,
  hoverText,
  leavePage,
  openContainer,
  openFile,
  runCommand,
  selectLine,
} from '../harness/workbench.mjs';
import { Window, witnessed } from './window.js';

// A copy, because what is typed here is saved.
const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;

beforeAll(async () => {
  cpSync(path.resolve(import.meta.dirname, '../../../samples'), folder, { recursive: true });
  window = await Window.open(folder, { settings: { 'workbench.colorTheme': 'Default Dark Modern' }, own: {} });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const text = () => window.panel.locator('.tokens').first();
const tab = (name: string) => window.panel.locator(`#tab-${name}`).click();
const group = (title: RegExp) =>
  window.page
    .locator('.editor-group-container')
    .filter({ has: window.page.locator('.tab.active').filter({ hasText: title }) });
/** A picture for the README, in a window of a laptop's size, as it opens: the text is in the editor. */
async function pictureForReadme(name: string): Promise<void> {
  const size = window.page.viewportSize()!;
  await window.panel.locator('[data-focus=text-fold]').click();
  await window.page.setViewportSize({ width: 1440, height: 900 });
  // The first frame takes the new size, the second is drawn in it.
  await window.panel
    .locator('body')
    .evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await window.shot(name);
  await window.page.setViewportSize(size);
}
const tree = () => window.page.locator('.pane-body .monaco-list-row');

describe('Gander in the workbench', () => {
  step('routes the selection from the palette to a painted map, with no question and no network', async () => {
    await openFile(window.page, 'README.md');
    await selectLine(window.page, 'README.md', 3, 12);
    await runCommand(window.page, 'Gander: Route Selection');
    // Composing takes seconds; meanwhile the panel is already there, and only the panel shows it.
    await window.holdingEngine(async () => {
      await window.panel.locator('.progress', { hasText: words.loadingModel }).waitFor();
      await window.shot('loading');
      expect(await window.page.locator('.notification-toast').count()).toBe(0);
      expect(await window.page.locator('.statusbar-item .codicon-loading').count()).toBe(0);
    });
    await window.showText();
    await window.panel.locator('.progress:empty, .progress:not(:visible)').first().waitFor({ state: 'attached' });
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    await expect.poll(() => window.panel.locator('.legend .expert').count()).toBeGreaterThanOrEqual(12);
    expect(await window.notifications()).toEqual([]);
    await pictureForReadme('dark');
    await window.showText();
    await window.picture('walkthrough-read', group(/^Routing/));
  });

  step('shows the summary, with entropy, which needs the affinities and comes last', async () => {
    await tab('summary');
    await window.panel.locator('[data-figure=entropy]').waitFor();
    await tab('cell');
  });

  step('underlines the routed text in the colours of the experts', async () => {
    const lines = editor(window.page, 'README.md').locator('.view-overlays [class*="ced-"]');
    await expect.poll(() => lines.count()).toBeGreaterThan(3);
    const styles = () =>
      lines.evaluateAll(
        (all) =>
          new Set(
            all.map((one) => `${getComputedStyle(one).borderBottomStyle} ${getComputedStyle(one).borderBottomColor}`),
          ).size,
      );
    await expect.poll(styles).toBeGreaterThan(1);
  });

  step('shows a token’s leading expert on hover', async () => {
    const told = await hoverText(window.page, 'README.md', 'formation');
    expect(told).toMatch(/Gander: PHATGOOSE, 2 experts per token/);
    expect(told).toMatch(/[█▉▊▋▌▍▎▏] *\d+ ?%/);
    expect(told).toMatch(/Probability/);
    await window.shot('hover');
    await window.picture('walkthrough-route', group(/^README/));
    await window.page.locator('.monaco-hover:visible a', { hasText: 'Show in the routing panel' }).first().click();
    await expect.poll(() => text().locator('[aria-selected=true]').innerText()).toMatch(/form/);
  });

  step('shows it in an editor of 500 pixels beside the panel: no line wraps, and the link is in sight', async () => {
    await window.page.setViewportSize({ width: 1050, height: 720 });
    try {
      const width = async () => (await editor(window.page, 'README.md').boundingBox())?.width;
      await expect.poll(width).toBeLessThan(510);
      await hoverText(window.page, 'README.md', 'formation');
      const hover = window.page.locator('.monaco-hover:visible').first();
      const code = hover.locator('.monaco-tokenized-source');
      await code.waitFor();
      const { breaks, rows, right } = await code.evaluate((element) => ({
        breaks: element.querySelectorAll('br').length,
        rows: element.getBoundingClientRect().height / parseFloat(getComputedStyle(element).lineHeight),
        right: element.getBoundingClientRect().right,
      }));
      await window.shot('hover-narrow');
      const [link, box] = await Promise.all([hover.locator('a').first().boundingBox(), hover.boundingBox()]);
      expect(Math.round(rows)).toBe(breaks + 1);
      expect(right).toBeLessThanOrEqual(box!.x + box!.width);
      expect(link!.y + link!.height).toBeLessThanOrEqual(box!.y + box!.height);
    } finally {
      await window.page.setViewportSize({ width: 1600, height: 1000 });
      await expect
        .poll(async () => (await editor(window.page, 'README.md').boundingBox())?.height)
        .toBeGreaterThan(800);
      // It may have scrolled while it was small. Going to the start also takes the mouse off the word.
      await editor(window.page, 'README.md').hover({ position: { x: 200, y: 700 } });
      await window.page.mouse.wheel(0, -5000);
      await editor(window.page, 'README.md').locator('.line-numbers', { hasText: /^1$/ }).waitFor();
      await window.page.locator('.monaco-hover:visible').waitFor({ state: 'hidden' });
    }
  });

  step('follows the cursor in the panel, and the panel in the editor', async () => {
    await enter(window.page, 'README.md', 'and write down', 40);
    await expect.poll(() => text().locator('[aria-selected=true]').innerText()).toMatch(/write/);
    const caret = () =>
      editor(window.page, 'README.md').locator('.cursors-layer .cursor').first().getAttribute('style');
    const before = await caret();
    await text().focus();
    await text().press('ArrowRight');
    await expect.poll(caret).not.toBe(before);
  });

  step('lists the pool, the experts and the tokens that each took', async () => {
    await openContainer(window.page, 'Gander');
    await tree().filter({ hasText: /%/ }).first().waitFor();
    await expect.poll(() => tree().filter({ hasText: /%/ }).count()).toBeGreaterThanOrEqual(12);
    await tree().filter({ hasText: 'Python' }).first().click();
    await tree().filter({ hasText: 'Layers where it leads' }).first().waitFor();
    await tree().filter({ hasText: 'Tokens it took' }).first().click();
    await tree().filter({ hasText: 'Layers where it leads' }).first().click();
    await tree()
      .filter({ hasText: /Layer \d+/ })
      .first()
      .waitFor();
    await window.shot('explorer');
    await window.picture('walkthrough-experts', window.page.locator('.part.sidebar'));
  });

  step('changes a prediction by knocking an expert out', async () => {
    await tab('predictions');
    await runCommand(window.page, 'Gander: Knock Out Expert…', 'Python', 'Everywhere');
    await window.panel.locator('.whatIfChip', { hasText: 'Python' }).waitFor();
    await window.panel.locator('th', { hasText: 'Before' }).first().waitFor();
    await tab('whatIf');
    await window.panel.locator('.numbers').first().waitFor();
    await pictureForReadme('what-if');
    await window.picture('walkthrough-what-if', group(/^Routing/), 'lower');
    await window.showText();
    await runCommand(window.page, 'Gander: Clear What-If');
    await window.panel.locator('.whatIfChip').waitFor({ state: 'hidden' });
  });

  step('compares with another strategy', async () => {
    await runCommand(window.page, 'Gander: Compare With…', 'Another Strategy', 'Base model alone');
    await window.panel.locator('.text.other [role=option]').first().waitFor();
    await window.panel.locator('#tab-compare[aria-selected=true]').waitFor();
    await window.panel.locator('[data-focus=stop]').waitFor({ state: 'hidden' });
    await window.shot('compare');
  });

  step('keeps the colours before an edit', async () => {
    const underlines = () =>
      editor(window.page, 'README.md')
        .locator('.view-overlays [class*="ced-"]')
        .evaluateAll((all) => [...new Set(all.map((one) => getComputedStyle(one).borderBottom))]);
    const before = await underlines();
    await enter(window.page, 'README.md', 'and write down', 60);
    await window.page.keyboard.type('x');
    await window.panel.locator('.notice.stale', { hasText: 'are unchanged' }).waitFor();
    await expect.poll(() => window.panel.locator('.t.outdated').count()).toBeGreaterThan(0);
    // Some in their earlier colours, and one grey for all the rest.
    const grey = async () => {
      const now = await underlines();
      return [now.filter((one) => !before.includes(one)).length, now.filter((one) => before.includes(one)).length > 1];
    };
    await expect.poll(grey).toEqual([1, true]);
    await window.shot('stale');
    await window.page.keyboard.press('ControlOrMeta+Z');
    await window.panel.locator('.notice.stale').waitFor({ state: 'hidden' });
    // Saved, so that the window that is reloaded next has the same text.
    await window.page.keyboard.press('ControlOrMeta+S');
    // By then VS Code may have saved the edit by itself.
    await expect.poll(() => readFileSync(path.join(folder, 'README.md'), 'utf8')).toContain('and write down');
  });

  step('brings the panel back when the window is reloaded', async () => {
    await window.untilKept('README.md,start:', 'other:{title:Base model alone');
    await window.page.reload();
    await window.page.waitForSelector('.monaco-workbench');
    await window.showText();
    await expect.poll(() => window.painted()).toBeGreaterThan(1000);
    await expect.poll(() => text().innerText()).toMatch(/and.write.down/);
    // The comparison is made again, and colours the text by what changes, up or down.
    await window.panel.locator('[data-focus=compared-end]').waitFor();
    await expect.poll(borders).toHaveLength(2);
    expect(await window.notifications()).toEqual([]);
    await window.shot('reloaded');
  });

  const inBorders = (hex: string) => `rgb(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(', ')})`;
  const borders = () =>
    editor(window.page, 'README.md')
      .locator('.view-overlays [class*="ced-"]')
      .evaluateAll((all) => [
        ...new Set(
          all
            .map((one) => getComputedStyle(one))
            .filter((style) => parseFloat(style.borderBottomWidth) > 0)
            .map((style) => style.borderBottomColor),
        ),
      ]);

  step('underlines by a measure, as chosen', async () => {
    await leavePage(window.page);
    await runCommand(window.page, 'Gander: Colour Text By…', words.colour_surprise);
    await expect.poll(borders).toEqual([inBorders(measureColours.dark)]);
    // The comparison can be returned to, and left again.
    await runCommand(window.page, 'Gander: Colour Text By…', words.colour_change);
    await expect.poll(borders).toHaveLength(2);
    await runCommand(window.page, 'Gander: Colour Text By…', words.colour_surprise);
    await expect.poll(borders).toEqual([inBorders(measureColours.dark)]);
  });

  for (const [name, theme, underline] of [
    ['light', 'Light Modern', measureColours.light],
    ['high-contrast', 'Dark High Contrast', measureColours.highContrast],
    ['high-contrast-light', 'Light High Contrast', measureColours.highContrastLight],
  ] as const) {
    step(`is shown in ${theme}`, async () => {
      await runCommand(window.page, 'Preferences: Color Theme', theme);
      const kind = { light: 'vs', 'high-contrast': 'hc-black', 'high-contrast-light': 'hc-light' }[name];
      await window.page.locator(`.monaco-workbench.${kind}`).waitFor();
      await window.panel.locator(`body.vscode-${name}`).waitFor();
      await expect.poll(() => window.painted()).toBeGreaterThan(1000);
      await expect.poll(borders).toEqual([inBorders(underline)]);
      await window.shot(name);
    });
  }
});

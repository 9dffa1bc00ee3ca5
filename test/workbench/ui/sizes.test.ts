// The panel in windows of common sizes, in a real workbench: at each size, nothing overlaps and every view and button can be
// reached, with this text and with one of five thousand tokens.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeTrace } from '../../../src/trace/file/file.js';
import { boxes, overlaps, unreachable } from '../../webview/boxes.js';
import { fabricate, sample } from '../../webview/fabricate.js';
import { enter, openFile, runCommand } from '../harness/workbench.mjs';
import { themes, tinyPool, Window, witnessed } from './window.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
const text = 'geese.md';
const long = 'long.gander.safetensors';
const tokens = 5000;

/** In CSS pixels: at 150 %, a window of 1440×900 has 960×600. */
const sizes = [
  { name: '1280x720', width: 1280, height: 720 },
  { name: '1440x900', width: 1440, height: 900 },
  // With the side bar closed, half of the window is a panel of 400 pixels.
  { name: 'narrow', width: 848, height: 780 },
] as const;
const zoomed = { name: '1440x900-zoomed', width: 960, height: 600 } as const;

const settings = { 'gander.pool': tinyPool, 'workbench.colorTheme': 'Default Dark Modern' };
let window: Window;
const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const root = () => window.panel.locator(':root');
const width = () => root().evaluate(() => innerWidth);

beforeAll(async () => {
  // As much as the tiny model can read, in lines.
  writeFileSync(
    path.join(folder, text),
    sample
      .map(([, passage]) => passage)
      .join('')
      .slice(0, 110),
  );
  writeFileSync(path.join(folder, long), encodeTrace(fabricate({ tokens })));
  window = await Window.open(folder, { settings });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Resizes the window, and waits until the panel has followed. */
async function resize({ width: wide, height }: { readonly width: number; readonly height: number }): Promise<void> {
  await window.page.setViewportSize({ width: wide, height });
  const workbench = window.page.locator('.monaco-workbench');
  await expect.poll(() => workbench.evaluate((one) => [one.clientWidth, one.clientHeight])).toEqual([wide, height]);
  const frame = window.page.locator('iframe.webview.ready').first();
  await expect.poll(async () => Math.abs((await frame.boundingBox())!.width - (await width()))).toBeLessThan(1);
  await settled();
}

/** Waits until two frames bring nothing new. */
async function settled(): Promise<void> {
  let before = '';
  await expect
    .poll(async () => {
      const now = JSON.stringify(await boxes(root()));
      const same = now === before;
      before = now;
      return same;
    })
    .toBe(true);
}

/** All views, whether they are tabs or, in a narrow panel, items of a list. */
async function views(): Promise<readonly string[]> {
  const list = window.panel.locator('select[data-focus=tabs]');
  if (await list.isVisible())
    return list.locator('option').evaluateAll((all) => all.map((one) => (one as HTMLOptionElement).value));
  return window.panel.locator('[role=tab]').evaluateAll((all) => all.map((one) => one.id.replace(/^tab-/, '')));
}

/** The current view. */
async function shown(): Promise<string | undefined> {
  const list = window.panel.locator('select[data-focus=tabs]');
  if (await list.isVisible()) return list.inputValue();
  return (await window.panel.locator('[role=tab][aria-selected=true]').getAttribute('id'))?.replace(/^tab-/, '');
}

async function show(view: string): Promise<void> {
  await window.view(view);
  await settled();
}

/** What is wrong with the layout of the current view at this size. */
async function faults(view: string): Promise<string[]> {
  const lies = overlaps(await boxes(root())).map((pair) => `${view}: ${pair}`);
  const wide = await root().evaluate((page) => page.scrollWidth - innerWidth);
  const lost = (await unreachable(root())).map((control) => `${view}: ${control}`);
  await root().evaluate((page) => {
    for (const scroller of page.querySelectorAll('.page, .left, .tabBody')) scroller.scrollTop = 0;
  });
  return [...lies, ...lost, ...(wide > 0 ? [`${view}: ${wide} px wider than the panel`] : [])];
}

/** The same for all views. */
async function wrong(): Promise<string[]> {
  const all: string[] = [];
  const names = await views();
  expect(names.length).toBeGreaterThanOrEqual(5);
  for (const view of names) {
    await show(view);
    all.push(...(await faults(view)));
  }
  return all;
}

/** Routes the text beside its editor, and compares it with the base model. */
async function route(): Promise<void> {
  await openFile(window.page, text);
  await enter(window.page, text);
  await runCommand(window.page, 'View: Close Primary Side Bar');
  await runCommand(window.page, 'Gander: Route Selection');
  await expect.poll(() => window.painted()).toBeGreaterThan(500);
  await runCommand(window.page, 'Gander: Compare With…', 'Another Strategy', 'Base model alone');
  await expect.poll(shown).toBe('compare');
  await window.panel.locator('[data-focus=stop]').waitFor({ state: 'hidden' });
}

async function open(): Promise<void> {
  // Instead of the panel, not beside it.
  await window.page.locator('.tab', { hasText: 'Routing: ' }).click();
  await runCommand(window.page, 'View: Unlock Editor Group');
  await openFile(window.page, long);
  await window.panel.locator('.headBar', { hasText: '5,000 tokens' }).waitFor();
  await expect.poll(() => window.painted()).toBeGreaterThan(1000);
}

async function lies({ name }: { readonly name: string }): Promise<void> {
  for (const view of await views()) {
    await show(view);
    await window.shot(`size-${name}-${view}`);
  }
  expect(await wrong()).toEqual([]);
}

describe('in windows of common sizes', () => {
  step('a text is routed beside its editor', route);

  for (const size of sizes)
    step(`its panel fits at ${size.name}`, async () => {
      await resize(size);
      if (size.name === 'narrow') expect(await width()).toBeLessThanOrEqual(405);
      await lies(size);
    });

  for (const size of sizes.slice(0, 2))
    step(`the map stays in view with what a what-if changed at ${size.name}`, async () => {
      await resize(size);
      await show('whatIf');
      await window.panel.locator('[data-focus=whatif-apply]').click();
      await window.panel.locator('[data-figure=effect] dl').waitFor();
      await settled();
      await window.shot(`answer-${size.name}`);
      const lost = await root().evaluate((page) => {
        const top = page.querySelector('.page')!.getBoundingClientRect().top;
        return ['.colourBy', '.plot', '[data-figure=effect] h3', '[data-figure=effect] dd'].filter((one) => {
          const box = page.querySelector(one)!.getBoundingClientRect();
          return box.top < top || box.bottom > innerHeight;
        });
      });
      expect(lost).toEqual([]);
      await window.panel.locator('[data-focus=undo]').click();
      await window.panel.locator('[data-figure=effect]').waitFor({ state: 'detached' });
      await settled();
    });

  for (const name of ['light', 'high-contrast'] as const)
    step(`and at each size in ${themes[name]}`, async () => {
      // A window of this size lists all themes.
      await resize({ width: 1600, height: 1000 });
      await window.showIn(name, 500, 'size');
      for (const size of sizes) {
        await resize(size);
        await show('summary');
        await window.shot(`size-${size.name}-${name}`);
        expect(await faults('summary')).toEqual([]);
      }
    });

  step('a trace of five thousand tokens is opened', open);

  for (const size of sizes)
    step(`its panel fits at ${size.name}`, async () => {
      await resize(size);
      await window.shot(`long-${size.name}`);
      expect(await wrong()).toEqual([]);
    });
});

describe('at 150 %', () => {
  beforeAll(async () => {
    await window.close();
    window = await Window.open(folder, { settings, look: { zoom: 1.5 } });
    await window.page.setViewportSize(zoomed);
  });

  step('a text is routed beside its editor', route);

  step('its panel fits', async () => {
    expect(await root().evaluate(() => devicePixelRatio)).toBe(1.5);
    await lies(zoomed);
  });

  step('a trace of five thousand tokens fits', async () => {
    await open();
    await window.shot('long-zoomed');
    expect(await wrong()).toEqual([]);
  });
});

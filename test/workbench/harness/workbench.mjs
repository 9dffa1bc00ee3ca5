// What a person does in VS Code's workbench, as Playwright actions.

import { slowdown } from './throttle.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** How long to wait for anything: on a busy machine, a window takes its time. */
export const patience = 180_000 * slowdown;

/** How long to wait before an action is tried again. */
const soon = 30_000 * slowdown;

const rows = (/** @type {Page} */ page) => page.locator('.quick-input-widget .monaco-list-row');
const quickInput = (/** @type {Page} */ page) => page.locator('.quick-input-widget input.input');

/**
 * Tries up to three times, as a person would, because a webview that receives the focus late closes VS Code's questions.
 * @param {Page} page @param {() => Promise<void>} ask
 */
async function again(page, ask) {
  for (let left = 2; ; left--) {
    try {
      await ask();
      return;
    } catch (error) {
      if (left === 0) throw error;
      if (await quickInput(page).isVisible()) await page.keyboard.press('Escape');
    }
  }
}

/**
 * VS Code learns late that a page has the focus, and then takes it from whatever is open by then. It knows once the status bar
 * shows no line and column, because no text editor has the focus.
 * @param {Page} page
 */
async function knowFocus(page) {
  const known = page.waitForFunction(
    () =>
      document.activeElement?.tagName !== 'IFRAME' ||
      !document.getElementById('status.editor.selection')?.checkVisibility(),
    undefined,
    { timeout: 2000 * slowdown },
  );
  await known.catch(() => undefined); // it may have known before, and then nothing changes
}

/** Moves the focus from a page to the first group of editors, so that what is opened next does not cover the page. @param {Page} page */
export async function leavePage(page) {
  await knowFocus(page);
  await again(page, async () => {
    await page.keyboard.press('Control+1');
    await page.waitForFunction(() => document.activeElement?.tagName !== 'IFRAME', undefined, { timeout: soon });
  });
}

/** Presses a key until the quick input appears: a focused webview that still loads swallows keys. @param {Page} page @param {string} key */
async function askFor(page, key) {
  await knowFocus(page);
  for (let left = 3; ; left--) {
    await page.keyboard.press(key);
    try {
      await quickInput(page).waitFor({ timeout: left > 0 ? soon : patience });
      return;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/**
 * Types, moves to the wanted row if it is not the first, and accepts it. The box that is visible may be another one that is just
 * closing, so the text is typed again if necessary.
 * @param {Page} page @param {import('playwright-core').Locator} row @param {string} typed
 */
async function choose(page, row, typed) {
  const input = quickInput(page);
  const taken = row.and(page.locator('.focused')).first();
  for (const end = Date.now() + patience; ;) {
    try {
      await input.fill(typed, { timeout: soon });
      await row.first().waitFor({ timeout: soon });
      // VS Code may list others first: `Browse Color Themes` before `Color Theme`.
      for (let left = 20; left > 0 && !(await taken.isVisible()); left--) await input.press('ArrowDown');
      await taken.waitFor({ timeout: soon });
      break;
    } catch (error) {
      if (Date.now() > end || !(await input.isVisible())) throw error;
    }
  }
  await input.press('Enter');
  await taken.waitFor({ state: 'hidden', timeout: patience });
}

/**
 * Presses F1, picks the command by its label in the palette (with category), then makes the picks that it asks for.
 * @param {Page} page @param {string} label @param {...string} picks
 */
export async function runCommand(page, label, ...picks) {
  await startCommand(page, label, ...picks);
  await quickInput(page).waitFor({ state: 'hidden', timeout: patience });
}

/**
 * The same for a command that asks for a text at the end.
 * @param {Page} page @param {string} label @param {...string} picks
 */
export async function startCommand(page, label, ...picks) {
  await again(page, async () => {
    await askFor(page, 'F1');
    await choose(page, rows(page).filter({ hasText: label }), `>${label}`);
    for (const pick of picks) await choose(page, rows(page).filter({ hasText: pick }), pick);
  });
}

/**
 * Clicks the file's tab or, if there is none, presses Ctrl+P and types its name.
 * @param {Page} page @param {string} name
 */
export async function openFile(page, name) {
  const tab = page.locator(`.tab[data-resource-name="${name}"]`).first();
  const active = page.locator(`.tab.active[data-resource-name="${name}"]`).first();
  await again(page, async () => {
    if (await active.isVisible()) return;
    if ((await tab.count()) > 0) {
      await tab.click();
    } else {
      await askFor(page, 'ControlOrMeta+P');
      // A panel for the file is listed too.
      await choose(page, rows(page).and(page.locator(`[aria-label^="${name}"]`)), name);
    }
    // While a window is still laid out, a click may hit the neighbouring tab.
    await active.waitFor({ timeout: soon });
  });
}

/** The text editor that shows a file. @param {Page} page @param {string} name */
export const editor = (page, name) =>
  page.locator(
    `.editor-group-container:has(.tab.active[data-resource-name="${name}"]) .editor-instance .monaco-editor`,
  );

/**
 * Puts the caret into a file's editor with the mouse, and waits until VS Code shows its position; then keys go there.
 * @param {Page} page @param {string} name @param {string} [words] in the line; default: the first line
 * @param {number} [x] pixels from the start of the line
 */
export async function enter(page, name, words = '', x = 2) {
  await knowFocus(page);
  const lines = editor(page, name).locator('.view-lines');
  // An empty line has no text to click on.
  if (words)
    await lines
      .locator('.view-line', { hasText: words })
      .first()
      .click({ position: { x, y: 8 } });
  else await lines.click({ position: { x, y: 5 } });
  await editor(page, name).and(page.locator('.focused')).waitFor();
  await page.locator(String.raw`#status\.editor\.selection`).waitFor();
}

/**
 * Selects line n (from 1) of a file's editor with the mouse and the keyboard, up to line `to` if given.
 * @param {Page} page @param {string} name @param {number} n @param {number} [to]
 */
export async function selectLine(page, name, n, to = n) {
  await enter(page, name);
  await page.keyboard.press('ControlOrMeta+Home');
  for (let i = 1; i < n; i++) await page.keyboard.press('ArrowDown');
  for (let i = n; i < to; i++) await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Shift+End');
  const told = page.locator(String.raw`#status\.editor\.selection`, { hasText: new RegExp(`Ln ${to}, .*selected`) });
  await told.waitFor({ timeout: patience });
}

/**
 * Rests the mouse on a word in a file's editor and returns the text of Gander's hover.
 * @param {Page} page @param {string} name @param {string} word
 */
export async function hoverText(page, name, word) {
  const hover = page.locator('.monaco-hover:visible .monaco-hover-content').filter({ hasText: /Gander/ });
  for (const end = Date.now() + patience; ;) {
    const spot = await spotOf(page, name, word);
    await page.mouse.move(spot.x, spot.y + 200); // from another place, so that an older hover closes
    await hover.first().waitFor({ state: 'hidden' });
    await page.mouse.move(spot.x, spot.y, { steps: 4 });
    try {
      await hover.first().waitFor({ timeout: soon });
      return (await hover.first().innerText()).replaceAll('\u00a0', ' ');
    } catch (error) {
      // The text may have moved under the mouse.
      if (Date.now() > end) throw error;
    }
  }
}

/** The position of a word in a file's editor, as soon as it is shown. @param {Page} page @param {string} name @param {string} word */
async function spotOf(page, name, word) {
  await editor(page, name).locator('.view-line', { hasText: word }).first().waitFor();
  const spot = await editor(page, name).evaluate((root, w) => {
    const lines = root.querySelector('.view-lines');
    if (!lines) return undefined;
    const walker = document.createTreeWalker(lines, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const at = (node.nodeValue ?? '').indexOf(w);
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + w.length);
      const box = range.getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    }
    return undefined;
  }, word);
  if (!spot) throw new Error(`the editor of ${name} does not show ${word}`);
  return spot;
}

/** Opens a view container of the activity bar by its title; an open one stays open. @param {Page} page @param {string} title */
export async function openContainer(page, title) {
  const item = page.locator('.activitybar .action-item', {
    has: page.locator(`.action-label[aria-label^="${title}"]`),
  });
  const open = page.locator('.activitybar .action-item.checked', {
    has: page.locator(`.action-label[aria-label^="${title}"]`),
  });
  if (!(await open.isVisible())) await item.locator('.action-label').click();
  await open.waitFor();
}

/**
 * The document of an extension's webview, which VS Code puts into two nested iframes.
 * @param {Page} page @param {string} extensionId @param {'panel' | 'view'} kind
 */
export function webview(page, extensionId, kind) {
  const purpose = kind === 'view' ? '[src*="purpose=webviewView"]' : ':not([src*="purpose="])';
  return page
    .frameLocator(`iframe.webview.ready[src*="extensionId=${extensionId}&"]${purpose}`)
    .frameLocator('iframe#active-frame');
}

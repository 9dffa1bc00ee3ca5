// What a person does in VS Code's workbench, with Playwright.

import { slowdown } from './throttle.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** How long what is to come is waited for: on a machine with much else to do a window takes its time. */
export const patience = 180_000 * slowdown;

/** How long something is given before it is asked for once more. */
const soon = 30_000 * slowdown;

const rows = (/** @type {Page} */ page) => page.locator('.quick-input-widget .monaco-list-row');
const quickInput = (/** @type {Page} */ page) => page.locator('.quick-input-widget input.input');

/**
 * Up to three times: a webview that takes the focus back late closes what VS Code asks, and a person asks again.
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
 * VS Code hears late that a page has the focus, and then takes it from whatever is asked meanwhile: only where no text editor
 * has it is no line and column told.
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
  await known.catch(() => undefined); // it may have been told of that focus before, and hear nothing new
}

/** From a page that has the focus to the first group of editors: what is opened next goes there, not over the page. @param {Page} page */
export async function leavePage(page) {
  await knowFocus(page);
  await again(page, async () => {
    await page.keyboard.press('Control+1');
    await page.waitForFunction(() => document.activeElement?.tagName !== 'IFRAME', undefined, { timeout: soon });
  });
}

/** Until the quick input is there: a webview that has the focus and is still loading swallows keys. @param {Page} page @param {string} key */
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
 * Types what is wanted, moves to its row where that is not the first, and takes it. Seen to be there, the box may be another one
 * that is just closing: what is typed into that is typed again.
 * @param {Page} page @param {import('playwright-core').Locator} row @param {string} typed
 */
async function choose(page, row, typed) {
  const input = quickInput(page);
  const taken = row.and(page.locator('.focused')).first();
  for (const end = Date.now() + patience; ;) {
    try {
      await input.fill(typed, { timeout: soon });
      await row.first().waitFor({ timeout: soon });
      // VS Code may list others before it: `Browse Color Themes` before `Color Theme`.
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
 * F1, the command's label as the palette shows it (category included), then what it asks to pick.
 * @param {Page} page @param {string} label @param {...string} picks
 */
export async function runCommand(page, label, ...picks) {
  await startCommand(page, label, ...picks);
  await quickInput(page).waitFor({ state: 'hidden', timeout: patience });
}

/**
 * The same, of a command that asks for a text in the end.
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
 * Clicks the file's tab or, where there is none, Ctrl+P and its name.
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
      // A panel of the file is listed, too.
      await choose(page, rows(page).and(page.locator(`[aria-label^="${name}"]`)), name);
    }
    // While a window still lays itself out, a click may land on the neighbour.
    await active.waitFor({ timeout: soon });
  });
}

/** The text editor that shows a file. @param {Page} page @param {string} name */
export const editor = (page, name) =>
  page.locator(
    `.editor-group-container:has(.tab.active[data-resource-name="${name}"]) .editor-instance .monaco-editor`,
  );

/**
 * Puts the caret into a file's editor with the mouse: once VS Code says that it is there, keys go to it.
 * @param {Page} page @param {string} name @param {string} [words] of the line, the first one if left out
 * @param {number} [x] pixels from where the line begins
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
 * Selects line n (from 1) of a file's editor with the mouse and the keyboard; `to`: through that line.
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
 * Rests the mouse on a word in a file's editor and returns the text of Gander's hover that appears.
 * @param {Page} page @param {string} name @param {string} word
 */
export async function hoverText(page, name, word) {
  const hover = page.locator('.monaco-hover:visible .monaco-hover-content').filter({ hasText: /Gander/ });
  for (const end = Date.now() + patience; ;) {
    const spot = await spotOf(page, name, word);
    await page.mouse.move(spot.x, spot.y + 200); // from elsewhere, so that an older hover closes
    await hover.first().waitFor({ state: 'hidden' });
    await page.mouse.move(spot.x, spot.y, { steps: 4 });
    try {
      await hover.first().waitFor({ timeout: soon });
      return await hover.first().innerText();
    } catch (error) {
      // The text may have moved away under the mouse.
      if (Date.now() > end) throw error;
    }
  }
}

/** Where a word is in a file's editor, as soon as it is shown. @param {Page} page @param {string} name @param {string} word */
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

/** Opens a view container of the activity bar by its title; one that is open stays so. @param {Page} page @param {string} title */
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
 * The document of an extension's webview, which VS Code puts two iframes deep.
 * @param {Page} page @param {string} extensionId @param {'panel' | 'view'} kind
 */
export function webview(page, extensionId, kind) {
  const purpose = kind === 'view' ? '[src*="purpose=webviewView"]' : ':not([src*="purpose="])';
  return page
    .frameLocator(`iframe.webview.ready[src*="extensionId=${extensionId}&"]${purpose}`)
    .frameLocator('iframe#active-frame');
}

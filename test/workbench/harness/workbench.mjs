// What a person does in VS Code's workbench, with Playwright.

/** @typedef {import('playwright-core').Page} Page */

const quickInput = (/** @type {Page} */ page) => page.locator('.quick-input-widget input.input');

const pick = (/** @type {Page} */ page, /** @type {string} */ text) =>
  page.locator('.quick-input-widget .monaco-list-row', { hasText: text }).first().click();

/** Until the quick input is there: a webview that has the focus and is still loading swallows keys. @param {Page} page @param {string} key */
async function askFor(page, key) {
  for (let left = 3; ; left--) {
    await page.keyboard.press(key);
    try {
      await quickInput(page).waitFor({ timeout: left > 0 ? 5000 : 20_000 });
      return;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/**
 * F1, the command's label as the palette shows it (category included), then what it asks to pick.
 * @param {Page} page @param {string} label @param {...string} picks
 */
export async function runCommand(page, label, ...picks) {
  await startCommand(page, label, ...picks);
  await quickInput(page).waitFor({ state: 'hidden' });
}

/**
 * The same, of a command that asks for a text in the end.
 * @param {Page} page @param {string} label @param {...string} picks
 */
export async function startCommand(page, label, ...picks) {
  for (let left = 2; ; left--) {
    await askFor(page, 'F1');
    let asked = 0;
    try {
      // Seen to be there, it may be another one that is just closing, and ours come on a busy machine only after that.
      await quickInput(page).fill(`>${label}`, { timeout: 5000 });
    } catch (error) {
      if (left === 0) throw error;
      continue;
    }
    try {
      await pick(page, label);
      for (; asked < picks.length; asked++) await pick(page, picks[asked] ?? '');
      break;
    } catch (error) {
      // A webview that takes the focus back late, after the palette, closes what the command asks first: a person asks again.
      if (left === 0 || asked > 0 || (await quickInput(page).isVisible())) throw error;
    }
  }
}

/**
 * Clicks the file's tab or, where there is none, Ctrl+P and its name. Quick open lists a panel of the file, too, and its rows
 * move while it still looks: it is only asked where there can be no such panel.
 * @param {Page} page @param {string} name
 */
export async function openFile(page, name) {
  const tab = page.locator(`.tab[data-resource-name="${name}"]`).first();
  const active = page.locator(`.tab.active[data-resource-name="${name}"]`);
  for (let left = 2; (await tab.count()) === 0; left--) {
    await askFor(page, 'ControlOrMeta+P');
    try {
      await quickInput(page).fill(name, { timeout: 5000 });
      await pick(page, name);
      await active.waitFor();
    } catch (error) {
      // A webview that takes the focus back late closes the list before a row is picked: a person asks again.
      if (left === 0 || (await quickInput(page).isVisible())) throw error;
    }
  }
  // While a window still lays itself out, a click may land on the neighbour.
  while (!(await active.isVisible())) await tab.click();
}

/** The text editor that shows a file. @param {Page} page @param {string} name */
export const editor = (page, name) =>
  page.locator(
    `.editor-group-container:has(.tab.active[data-resource-name="${name}"]) .editor-instance .monaco-editor`,
  );

/**
 * Selects line n (from 1) of a file's editor with the mouse and the keyboard; `to`: through that line.
 * @param {Page} page @param {string} name @param {number} n @param {number} [to]
 */
export async function selectLine(page, name, n, to = n) {
  await editor(page, name)
    .locator('.view-lines')
    .click({ position: { x: 2, y: 5 } });
  await page.keyboard.press('ControlOrMeta+Home');
  for (let i = 1; i < n; i++) await page.keyboard.press('ArrowDown');
  for (let i = n; i < to; i++) await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Shift+End');
}

/**
 * Rests the mouse on a word in a file's editor and returns the text of the hover that appears.
 * @param {Page} page @param {string} name @param {string} word
 */
export async function hoverText(page, name, word) {
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
  await page.mouse.move(spot.x, spot.y + 200); // from elsewhere, so that an older hover closes
  await page.mouse.move(spot.x, spot.y, { steps: 4 });
  const hover = page.locator('.monaco-hover:visible .monaco-hover-content').filter({ hasText: /\S/ });
  await hover.first().waitFor();
  return hover.first().innerText();
}

/** Opens a view container of the activity bar by its title. @param {Page} page @param {string} title */
export async function openContainer(page, title) {
  await page.locator(`.activitybar .action-item .action-label[aria-label^="${title}"]`).click();
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

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, FrameLocator, Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { launchBrowser, openWorkbench, startServer, type Server } from '../harness/vscode.mjs';
import { runCommand, webview } from '../harness/workbench.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const artifacts = path.join(root, 'artifacts/ui');

export const tinyPool = path.join(root, 'test/fixtures/tiny-pool');

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run npm run test:ui`);
  return value;
}

/** Opaque pixels of the grid's canvas: more than none once it is painted. */
export function countPainted(panel: FrameLocator): Promise<number> {
  return panel.locator('canvas.base').evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const data = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data ?? [];
    let count = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] !== 0) count++;
    return count;
  });
}

export async function takeShot(page: Page, name: string): Promise<void> {
  mkdirSync(artifacts, { recursive: true });
  await page.screenshot({ path: path.join(artifacts, `${name}.png`) });
}

interface Look {
  readonly language?: string;
  /** Device pixels per CSS pixel: what a browser's zoom changes, beside the size of the window in CSS pixels. */
  readonly zoom?: number;
}

async function newPage(browser: Browser, server: Server, folder: string, look: Look): Promise<Page> {
  const page = await openWorkbench(browser, server, { folder, viewport: { width: 1600, height: 1000 }, ...look });
  page.setDefaultTimeout(20_000);
  return page;
}

/** Those beside the dark one that a walk looks at last. */
export const themes = { light: 'Light Modern', 'high-contrast': 'Dark High Contrast' } as const;

/** One window of VS Code with the packaged extension in it. */
export class Window {
  private constructor(
    readonly server: Server,
    readonly browser: Browser,
    readonly page: Page,
  ) {}

  static async open(
    folder: string,
    options: { readonly trust?: boolean; readonly settings?: Record<string, unknown> } = {},
  ): Promise<Window> {
    const server = await startServer({
      vscode: given('GANDER_TEST_VSCODE'),
      vsix: given('GANDER_TEST_VSIX'),
      ...options,
    });
    const browser = await launchBrowser();
    return new Window(server, browser, await newPage(browser, server, folder, {}));
  }

  /** Another window of the same VS Code, with a browser profile of its own. */
  async another(folder: string, look: Look = {}): Promise<Window> {
    return new Window(this.server, this.browser, await newPage(this.browser, this.server, folder, look));
  }

  /** The page of the routing panel that is in front. */
  get panel(): FrameLocator {
    return webview(this.page, 'gander.gander', 'panel');
  }

  /** The routed text in the panel, which is folded while its editor is in sight. */
  async showText(timeout = 20_000): Promise<void> {
    const [unfold, token] = [
      this.panel.locator('[data-focus=text-show]'),
      this.panel.locator('.tokens [role=option]').first(),
    ];
    await unfold.or(token).first().waitFor({ timeout });
    if (await unfold.isVisible()) {
      await unfold.click();
      // VS Code hears late that a page has the focus, and then takes it from whatever was clicked meanwhile: only where no
      // text editor has it is no line and column told.
      await this.page.locator(String.raw`#status\.editor\.selection`).waitFor({ state: 'hidden' });
    }
    await token.waitFor({ timeout });
  }

  /** What the page can do besides: of its own where there is room for it, among more where there is not. */
  async openMenu(): Promise<void> {
    await this.panel.locator('[data-focus=head-save], [data-focus=head-more]').first().click();
  }

  /** Shows a view of the page, by its tab or, in a narrow panel, from the list of them. */
  async view(name: string): Promise<void> {
    const [tab, list] = [this.panel.locator(`#tab-${name}`), this.panel.locator('select[data-focus=tabs]')];
    await tab.or(list).first().waitFor();
    if (await list.isVisible()) await list.selectOption(name);
    else await tab.click();
  }

  /** Where VS Code asks for a word: the same box for every question, which keeps the last answer till it asks again. */
  get input(): Locator {
    return this.page.locator('.quick-input-widget input.input');
  }

  /** From the page's menu through VS Code's own dialog to the disk. @param file in the open folder, as the dialog names it */
  async save(item: string, file: string): Promise<Buffer> {
    await this.openMenu();
    await this.panel.getByRole('menuitem', { name: item }).click();
    await this.input.waitFor();
    await expect.poll(() => this.input.inputValue(), { timeout: 20_000 }).toContain(path.basename(file));
    await this.page.keyboard.press('Enter');
    await expect.poll(() => existsSync(file) && readFileSync(file).byteLength > 0, { timeout: 20_000 }).toBe(true);
    await this.input.waitFor({ state: 'hidden' });
    return readFileSync(file);
  }

  painted(): Promise<number> {
    return countPainted(this.panel);
  }

  /** In another theme, painted with at least so many pixels, and its picture taken. */
  async showIn(name: keyof typeof themes, pixels: number, picture: string): Promise<void> {
    await runCommand(this.page, 'Preferences: Color Theme', themes[name]);
    await this.panel.locator(`body.vscode-${name}`).waitFor();
    await expect.poll(() => this.painted(), { timeout: 20_000 }).toBeGreaterThan(pixels);
    await this.shot(`${picture}-${name}`);
  }

  shot(name: string): Promise<void> {
    return takeShot(this.page, name);
  }

  /** The upper or the lower part of something in the window, as the walkthrough shows it (npm run pictures). */
  async picture(name: string, of: Locator, part: 'upper' | 'lower' = 'upper'): Promise<void> {
    mkdirSync(artifacts, { recursive: true });
    const box = (await of.boundingBox())!;
    const height = Math.min(box.height, 560);
    const clip = { ...box, height, y: part === 'upper' ? box.y : box.y + box.height - height };
    await this.page.screenshot({ path: path.join(artifacts, `${name}.png`), clip });
  }

  /** What the window has said and nobody has cleared. */
  async notifications(): Promise<string[]> {
    const center = this.page.locator('.notifications-center.visible');
    await this.page.keyboard.press('Escape');
    await runCommand(this.page, 'Notifications: Show Notifications');
    await center.waitFor();
    const said = await center.locator('.notification-list-item-message').allInnerTexts();
    await runCommand(this.page, 'Notifications: Hide Notifications');
    return said;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
  }
}

/** A picture of what the window showed when a step failed is worth more than the message. */
export async function witnessed(window: Window, name: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    await window.shot(`failed-${name.replace(/\W+/g, '-')}`).catch(() => undefined);
    const said = await window.notifications().catch(() => []);
    if (said.length > 0) throw new Error(`the window said: ${said.join(' | ')}`, { cause: error });
    throw error;
  }
}

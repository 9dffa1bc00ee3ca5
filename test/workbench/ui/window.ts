import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Browser, chromium, type FrameLocator, type Locator, type Page } from 'playwright-core';
import { afterAll, expect, inject } from 'vitest';
import { openWorkbench, startServer, type Server, type ServerOptions } from '../harness/vscode.mjs';
import {
  enter,
  leavePage,
  openFile,
  patience,
  runCommand,
  selectLine,
  startCommand,
  webview,
} from '../harness/workbench.mjs';
import { unhurried } from './setup.js';

const root = path.resolve(import.meta.dirname, '../../..');
const artifacts = path.join(root, 'artifacts/ui');

export const tinyPool = path.join(root, 'test/fixtures/tiny-pool');

/** How many pixels of the grid's canvas are opaque: more than 0 once it is painted. */
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
  /** Device pixels per CSS pixel. A browser's zoom changes this and the window's size in CSS pixels. */
  readonly zoom?: number;
}

type Running = Pick<Server, 'url' | 'development' | 'pid'>;

/** Options of a server for one walk alone, with the same extension. */
type OwnServer = Pick<ServerOptions, 'trust' | 'settings'>;

interface Options {
  /** Settings of the folder. */
  readonly settings?: Record<string, unknown>;
  /** For a walk that changes what all windows of a server share: user settings and trust. */
  readonly own?: OwnServer;
  readonly look?: Look;
}

let browser: Promise<Browser> | undefined;
const connected = () => (browser ??= chromium.connect(inject('workbench').browser));
afterAll(async () => (await browser)?.close());

async function newPage(server: Running, folder: string, look: Look): Promise<Page> {
  const viewport = { width: 1600, height: 1000 };
  const page = await openWorkbench(await connected(), server, { folder, viewport, ...look });
  page.setDefaultTimeout(patience);
  // A palette opened before the extension is known would not list its commands later.
  await page.locator('.activitybar .action-label[aria-label^="Gander"]').waitFor();
  return page;
}

/** Theme names, by the class that the page has in each. */
export const themes = { light: 'Light Modern', 'high-contrast': 'Dark High Contrast', dark: 'Dark Modern' } as const;

/** In the two languages of the walks. */
const panelTitle = /^(Routing|Wege):/;

/** One window of VS Code with the packaged extension and its own browser profile. */
export class Window {
  private constructor(
    readonly server: Running,
    readonly page: Page,
    private readonly end: () => Promise<void>,
  ) {}

  static async open(folder: string, { settings, own, look = {} }: Options = {}): Promise<Window> {
    if (settings) {
      mkdirSync(path.join(folder, '.vscode'), { recursive: true });
      writeFileSync(path.join(folder, '.vscode/settings.json'), JSON.stringify(settings));
    }
    const { vscode, extensions, url } = inject('workbench');
    if (!own) return Window.on({ url, development: false, pid: undefined }, folder, look);
    const server = await startServer({ vscode, extensions, ...own, settings: { ...unhurried, ...own.settings } });
    return Window.on(server, folder, look, server.stop);
  }

  private static async on(server: Running, folder: string, look: Look, end = () => Promise.resolve()): Promise<Window> {
    return new Window(server, await newPage(server, folder, look), end);
  }

  /** The page of the routing panel in front. */
  get panel(): FrameLocator {
    return webview(this.page, 'gander.gander', 'panel');
  }

  /** Asks to route a file's text, or one line of it, beside its editor. */
  async ask(file: string, line?: number): Promise<void> {
    await leavePage(this.page);
    await openFile(this.page, file);
    if (line === undefined) await enter(this.page, file);
    else await selectLine(this.page, file, line);
    await runCommand(this.page, 'Gander: Route Selection');
  }

  /** Routes it, and waits until the panel shows the text. */
  async route(file: string, line?: number): Promise<void> {
    await this.ask(file, line);
    const title = line === undefined ? `Routing: ${file}` : `Routing: ${file}:${line}`;
    await this.page.locator('.tab.active', { hasText: title }).waitFor();
    await this.showText();
  }

  /** Unfolds the routed text in the panel, which is folded while its editor is visible. */
  async showText(): Promise<void> {
    const [unfold, token] = [
      this.panel.locator('[data-focus=text-show]'),
      this.panel.locator('.tokens [role=option]').first(),
    ];
    await unfold.or(token).first().waitFor();
    if (await unfold.isVisible()) {
      await unfold.click();
      // VS Code looks four times a second whether a page has the focus, and takes it from whatever was clicked meanwhile. It misses
      // a page that lost the focus and had it again between two looks. The panel's own tab tells it, unless such a look comes just
      // then: it knows once the status bar shows no line and column, because no text editor has the focus.
      const caret = this.page.locator(String.raw`#status\.editor\.selection`);
      do {
        await this.page.locator('.tab.active').filter({ hasText: panelTitle }).click();
        await caret.waitFor({ state: 'hidden', timeout: 2000 }).catch(() => undefined);
      } while (await caret.isVisible());
    }
    await token.waitFor();
  }

  /** Opens the page's menu of further actions: its own button if there is room, or else the one for everything. */
  async openMenu(): Promise<void> {
    await this.panel.locator('[data-focus=head-save], [data-focus=head-more]').first().click();
  }

  /** Shows a view of the page by its tab or, in a narrow panel, from the list of views. */
  async view(name: string): Promise<void> {
    const [tab, list] = [this.panel.locator(`#tab-${name}`), this.panel.locator('select[data-focus=tabs]')];
    await tab.or(list).first().waitFor();
    if (await list.isVisible()) {
      await list.selectOption(name);
    } else {
      await tab.click();
      await tab.and(this.panel.locator('[aria-selected=true]')).waitFor();
    }
  }

  /** VS Code's quick input: one box for all questions, which keeps the last answer until the next question. */
  get input(): Locator {
    return this.page.locator('.quick-input-widget input.input');
  }

  /** Opens a model in VS Code's own dialog. */
  async openModel(folder: string): Promise<void> {
    await startCommand(this.page, 'Gander: Open Model…');
    // Once the dialog has listed the folder, it overwrites what was typed before.
    const rows = this.page.locator('.quick-input-widget .monaco-list-row');
    await rows.filter({ hasText: '..' }).waitFor();
    await this.input.fill(folder);
    await rows.filter({ hasText: path.basename(folder) }).waitFor();
    await this.page.locator('.quick-input-widget .monaco-button', { hasText: 'Open Model' }).click();
    await this.input.waitFor({ state: 'hidden' });
  }

  /** Saves from the page's menu through VS Code's own dialog to the disk. @param file in the open folder, as the dialog names it */
  async save(item: string, file: string): Promise<Buffer> {
    return this.saveBy(async () => {
      await this.openMenu();
      await this.panel.getByRole('menuitem', { name: item }).click();
    }, file);
  }

  /** The same for anything that asks for a file. */
  async saveBy(ask: () => Promise<void>, file: string): Promise<Buffer> {
    await ask();
    await this.input.waitFor();
    await expect.poll(() => this.input.inputValue()).toContain(path.basename(file));
    await this.input.press('Enter');
    await this.input.waitFor({ state: 'hidden' });
    // Shown once the whole file is on the disk.
    const told = this.page.locator('.notification-toast', { hasText: `Saved ${path.basename(file)}.` });
    await told.hover();
    await told.locator('.codicon-notifications-clear').click();
    await told.waitFor({ state: 'hidden' });
    return readFileSync(file);
  }

  painted(): Promise<number> {
    return countPainted(this.panel);
  }

  /** Switches the theme, waits for at least so many painted pixels, and takes a picture. */
  async showIn(name: keyof typeof themes, pixels: number, picture: string): Promise<void> {
    await runCommand(this.page, 'Preferences: Color Theme', themes[name]);
    await this.panel.locator(`body.vscode-${name}`).waitFor();
    await expect.poll(() => this.painted()).toBeGreaterThan(pixels);
    await this.shot(`${picture}-${name}`);
  }

  /**
   * Waits until VS Code has written down all these parts of what it needs to restore panels, JSON without its quotation marks. It does
   * so every few seconds when nothing else is to be done, unless a page has the focus; what it has not written by then, a reload loses.
   */
  async untilKept(...parts: string[]): Promise<void> {
    await leavePage(this.page);
    const isKept = () =>
      this.page.evaluate(async (wanted) => {
        const done = <T>(request: IDBRequest<T>) =>
          new Promise<T>((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(new Error(String(request.error)));
          });
        for (const { name } of await indexedDB.databases()) {
          const db = await done(indexedDB.open(name!));
          for (const store of db.objectStoreNames) {
            const all = await done(db.transaction(store).objectStore(store).getAll());
            // JSON in JSON in JSON, with any number of backslashes.
            const text = JSON.stringify(all).replace(/[\\"]/g, '');
            if (wanted.every((part) => text.includes(part))) return true;
          }
          db.close();
        }
        return false;
      }, parts);
    await expect.poll(isKept, { interval: 500, timeout: patience }).toBe(true);
  }

  /** Process ids of the engines behind this window's server, which other windows may share. */
  engines(): number[] {
    const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
    const all = rows.map((row) => /^ *(\d+) +(\d+) (.*)$/.exec(row)).filter((row) => row !== null);
    const ours = new Set([this.server.pid]);
    // A process may be listed before its parent.
    for (let before = 0; before < ours.size;) {
      before = ours.size;
      for (const [, pid, parent] of all) if (ours.has(Number(parent))) ours.add(Number(pid));
    }
    return all
      .filter(([, pid, , args]) => ours.has(Number(pid)) && args!.includes('engine.cjs'))
      .map(([, pid]) => Number(pid));
  }

  /** Pauses this window's engine during `body`, as soon as there is one. */
  async holdingEngine(body: () => Promise<void>): Promise<void> {
    await expect.poll(() => this.engines().length, { interval: 20 }).toBeGreaterThan(0);
    const held = this.engines();
    for (const pid of held) process.kill(pid, 'SIGSTOP');
    try {
      await body();
    } finally {
      for (const pid of held) process.kill(pid, 'SIGCONT');
    }
  }

  shot(name: string): Promise<void> {
    return takeShot(this.page, name);
  }

  /** A picture of the upper or lower part of something in the window, for the walkthrough (npm run pictures). */
  async picture(name: string, of: Locator, part: 'upper' | 'lower' = 'upper'): Promise<void> {
    mkdirSync(artifacts, { recursive: true });
    const box = (await of.boundingBox())!;
    const height = Math.min(box.height, 560);
    const clip = { ...box, height, y: part === 'upper' ? box.y : box.y + box.height - height };
    await this.page.screenshot({ path: path.join(artifacts, `${name}.png`), clip });
  }

  /** The notifications that nobody has cleared. */
  async notifications(): Promise<string[]> {
    const center = this.page.locator('.notifications-center.visible');
    const bell = this.page.locator(String.raw`#status\.notifications`);
    await this.page.keyboard.press('Escape');
    await bell.click();
    await center.waitFor();
    const said = await center.locator('.notification-list-item-message').allInnerTexts();
    await bell.click();
    await center.waitFor({ state: 'hidden' });
    return said;
  }

  async close(): Promise<void> {
    await this.page.context().close();
    await this.end();
  }
}

/** Takes a picture when a step fails, because it says more than the message. */
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

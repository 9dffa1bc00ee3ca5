/**
 * The built page in Chromium, with a host that only listens: it keeps what the page sends, says at once that it has done
 * what it asks for, and sends what a test tells it to.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import {
  chromium,
  type Browser,
  type ConsoleMessage,
  type LaunchOptions,
  type Locator,
  type Page,
} from 'playwright-core';
import type { AtlasHostPost } from '../../src/atlas/protocol.js';
import type { HostPost, PageMessage, PagePost, Side, SideState } from '../../src/protocol/panel.js';
import type { SimilarityMessage } from '../../src/protocol/similarity.js';
import { SideSender } from '../../src/transport/sides.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { slowdown, throttle } from '../workbench/harness/throttle.mjs';
import { description, fabricate, requestOf } from './fabricate.js';
import { html } from './html.mjs';
import { themeClass, themeStyle, type ThemeName } from './themes.js';

const built = join(import.meta.dirname, '../../dist/webview');

/** Which page, by the name of its script; all use the panel's styles. */
type PageName = 'panel' | 'similarity' | 'atlas';

/** What a host sends to one of the pages. */
type AnyPost = HostPost | SimilarityMessage | AtlasHostPost;

interface Asked {
  readonly theme: ThemeName;
  readonly words: string;
  readonly name: PageName;
  readonly visit: string;
  readonly isMute?: 'true';
}

/** What the harness adds to the page's window. */
interface Harnessed {
  readonly sent: PagePost[];
  readonly violations: string[];
  settled(): Promise<void>;
  painted: number;
}

/** Path prefix of what a page is given to fetch; each path can be fetched once. */
const given = '/given/';

/** The page may fetch what is posted to it from one origin, which the real host does not allow. */
function pageOf({ theme, words, name, visit, isMute }: Asked, origin: string): string {
  return html({
    connect: `${origin}${given}`,
    inline: `
  document.documentElement.style.cssText = ${JSON.stringify(themeStyle(theme))};
  window.sent = [];
  window.painted = 0;
  // What another visit of this tab kept is not this one's.
  if (sessionStorage.getItem('visit') !== '${visit}') sessionStorage.clear();
  sessionStorage.setItem('visit', '${visit}');
  const kept = () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined;
  window.acquireVsCodeApi = () => ({
    postMessage: (m) => {
      window.sent.push(m);
      if (${name === 'panel' && !isMute} && m.type === 'call' && m.name !== 'ask')
        queueMicrotask(() => dispatchEvent(new MessageEvent('message', { data: { type: 'result', id: m.id } })));
    },
    getState: kept,
    setState: (s) => { sessionStorage.setItem('state', JSON.stringify(s)); return s; },
  });
  // What the page leaves for later frames (AFrameLater, a render) is not drawn yet. A call that asks for itself again (useBeside)
  // leaves nothing.
  const [ask, cancel] = [requestAnimationFrame, cancelAnimationFrame];
  const due = new Set();
  let running;
  window.requestAnimationFrame = (call) => {
    const id = ask((time) => {
      due.delete(id);
      running = call;
      call(time);
      running = undefined;
    });
    if (call !== running) due.add(id);
    return id;
  };
  window.cancelAnimationFrame = (id) => { due.delete(id); cancel(id); };
  // When two frames have passed in which nothing changed, and the page waits for none.
  window.settled = () => new Promise((done) => {
    let quiet = 0;
    const changes = new MutationObserver(() => { quiet = 0; });
    changes.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    const frame = () => {
      if (due.size > 0) quiet = 0;
      if (quiet++ < 2) ask(frame);
      else { changes.disconnect(); done(); }
    };
    ask(frame);
  });
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
`,
    scripts: [`${name}.js`],
    styles: [...new Set(['panel', name])].map((one) => `${one}.css`),
    bodyClass: themeClass(theme),
    words,
  });
}

export interface RoutedModule {
  readonly url: string;
  /** Keeps something until it is fetched. Returns its path. */
  give(body: Buffer): string;
  close(): Promise<void>;
}

export async function serve(): Promise<RoutedModule> {
  const kept = new Map<string, Buffer>();
  let count = 0;
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    if (url.pathname === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(pageOf(Object.fromEntries(url.searchParams) as unknown as Asked, `http://${request.headers.host!}`));
      return;
    }
    const body = kept.get(url.pathname);
    if (body) {
      kept.delete(url.pathname);
      response.setHeader('cache-control', 'no-store');
      response.end(body);
      return;
    }
    if (!/^\/[\w-]+\.(js|css)$/.test(url.pathname)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', url.pathname.endsWith('.css') ? 'text/css' : 'text/javascript');
    response.setHeader('cache-control', 'max-age=3600');
    readFile(join(built, url.pathname)).then(
      (data) => response.end(data),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    give: (body) => {
      const path = `${given}${count++}`;
      kept.set(path, body);
      return path;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

export const launchOptions: LaunchOptions = {
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
};

export function launch(): Promise<Browser> {
  return chromium.launch(launchOptions);
}

export interface Setup {
  readonly script?: PageName;
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  readonly scale?: number;
  readonly reducedMotion?: boolean;
  readonly words?: Readonly<Record<string, unknown>>;
  /** Whether the host answers no request. */
  readonly isMute?: boolean;
}

export interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly string[];
}

/** A page that is open, in a window of its own. */
export async function openPage(browser: Browser, scale = 1): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, deviceScaleFactor: scale });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000 * slowdown);
  return page;
}

let visits = 0;

/** One page with its host. */
export class Panel {
  readonly errors: string[] = [];
  private sender = new SideSender();
  private readonly heardError = (error: Error) => this.errors.push(String(error.stack));
  private readonly heardMessage = (message: ConsoleMessage) => {
    if (message.type() === 'error') this.errors.push(message.text());
  };

  private constructor(
    readonly page: Page,
    private readonly module: RoutedModule,
  ) {
    page.on('pageerror', this.heardError);
    page.on('console', this.heardMessage);
  }

  /** Opens a page in a window of its own. */
  static async open(browser: Browser, module: RoutedModule, setup: Setup = {}): Promise<Panel> {
    return Panel.openIn(await openPage(browser, setup.scale), module, setup);
  }

  /** Opens a page in one that may have shown another, of which nothing is left. */
  static async openIn(page: Page, module: RoutedModule, setup: Setup = {}): Promise<Panel> {
    const { script: name = 'panel', theme = 'dark', width = 1200, height = 800 } = setup;
    await throttle(page);
    await page.mouse.move(-1, -1);
    await page.setViewportSize({ width, height });
    await page.emulateMedia({
      reducedMotion: setup.reducedMotion ? 'reduce' : 'no-preference',
      colorScheme: theme.includes('light') ? 'light' : 'dark',
      forcedColors: 'none',
    });
    const panel = new Panel(page, module);
    const visit = String(visits++);
    const asked: Asked = {
      name,
      theme,
      words: JSON.stringify(setup.words ?? {}),
      visit,
      ...(setup.isMute && { isMute: 'true' }),
    };
    await page.goto(`${module.url}?${new URLSearchParams({ ...asked }).toString()}`);
    return panel;
  }

  post(message: AnyPost): Promise<void> {
    return this.postAll([message]);
  }

  /** Typed arrays are sent as bytes that the page fetches: the debugger would list them number by number. */
  private async postAll(messages: readonly AnyPost[]): Promise<void> {
    await this.page.evaluate(
      async (path) => {
        const types = { Float32Array, Int16Array, Int32Array, Uint8Array } as const;
        interface Placed {
          readonly $array: keyof typeof types;
          readonly from: number;
          readonly to: number;
        }
        const body = await (await fetch(path)).arrayBuffer();
        const [length] = new Uint32Array(body.slice(0, 4)) as unknown as [number];
        const arrays = 4 + length;
        const parsed = JSON.parse(new TextDecoder().decode(body.slice(4, arrays)), (_, value: unknown) => {
          if (typeof value !== 'object' || value === null || !('$array' in value)) return value;
          const { $array, from, to } = value as Placed;
          return new types[$array](body.slice(arrays + from, arrays + to));
        }) as unknown[];
        const at = performance.now();
        for (const data of parsed) window.dispatchEvent(new MessageEvent('message', { data }));
        // The page draws in the next frame; what was requested in it is on screen when the one after begins.
        requestAnimationFrame(() =>
          requestAnimationFrame(() => {
            (window as unknown as Harnessed).painted = performance.now() - at;
          }),
        );
        await (window as unknown as Harnessed).settled();
      },
      this.module.give(pack(messages)),
    );
  }

  async show(trace: Trace | undefined, more: Partial<SideState> = {}, side: Side = 'main'): Promise<void> {
    const state: SideState = {
      title: 'geese.md',
      ...(trace ? requestOf(trace) : { strategy: { name: 'phatgoose', k: 2 }, interventions: [] }),
      stale: false,
      ...(trace ? { trace } : {}),
      ...more,
    };
    await this.postAll([{ type: 'pool', description }, ...this.sender.messages(side, state)]);
  }

  async side(side: Side, state: SideState | undefined): Promise<void> {
    await this.postAll([...this.sender.messages(side, state)]);
  }

  /** The page's messages of one type, whether or not they expect an answer. */
  sent<T extends PageMessage['type']>(type: T): Promise<Extract<PageMessage, { type: T }>[]> {
    return this.page.evaluate(
      (wanted) =>
        (window as unknown as Harnessed).sent
          .map((m) => (m.type === 'call' ? { type: m.name, ...(m.request as object) } : m))
          .filter((m) => m.type === wanted),
      type,
    ) as Promise<Extract<PageMessage, { type: T }>[]>;
  }

  /** Time from the last message's arrival to the frame after it was drawn. */
  painted(): Promise<number> {
    return this.page.evaluate(() => (window as unknown as Harnessed).painted);
  }

  /** Errors and violations of the content security policy so far. */
  async trouble(): Promise<string[]> {
    const violations = await this.page.evaluate(() => (window as unknown as Harnessed).violations);
    return [...this.errors, ...violations];
  }

  /** Waits until everything that follows from the last action is drawn, except for code that is loaded late and the worker's answers. */
  settled(): Promise<void> {
    return this.page.evaluate(() => (window as unknown as Harnessed).settled());
  }

  async resize(width: number, height: number): Promise<void> {
    await this.page.setViewportSize({ width, height });
    await this.page.waitForFunction(([w, h]) => innerWidth === w && innerHeight === h, [width, height] as const);
    await this.settled();
  }

  /** Presses a control by its name; first opens the menu that it is in, if there is no room for it elsewhere. */
  async press(name: string): Promise<void> {
    const control = this.page.locator(`[data-focus="${name}"]`);
    await control.waitFor({ state: 'attached' });
    if (!(await control.isVisible())) await this.page.locator('.menuBox', { has: control }).locator('.opener').click();
    await control.click();
    await this.settled();
  }

  /** The colour of the cell that has the map's focus: red, green, blue and alpha. */
  cellColour(): Promise<number[]> {
    return this.page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('canvas.base')!;
      const [cell, box] = [document.querySelector('.cell')!.getBoundingClientRect(), canvas.getBoundingClientRect()];
      const scale = canvas.width / box.width;
      // Not in the middle, where a short label may be.
      const [x, y] = [cell.left - box.left + cell.width * 0.2, cell.top - box.top + cell.height * 0.8];
      return [...canvas.getContext('2d')!.getImageData(Math.round(x * scale), Math.round(y * scale), 1, 1).data];
    });
  }

  /** What an element's background is painted with: red, green and blue. */
  colourOf(element: Locator): Promise<number[]> {
    return element.evaluate((one) => {
      const context = new OffscreenCanvas(1, 1).getContext('2d')!;
      context.fillStyle = getComputedStyle(one).backgroundColor;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    });
  }

  /** Moves the map's focus to a cell with keys that all come at once. */
  async goTo(token: number, row: number): Promise<void> {
    await this.page.locator('.cell').evaluate(
      (cell, [right, down]) => {
        const press = (key: string, ctrlKey = false) =>
          cell.dispatchEvent(new KeyboardEvent('keydown', { key, ctrlKey, bubbles: true, cancelable: true }));
        (cell as HTMLElement).focus();
        press('Home', true);
        press('Home', true);
        for (let i = 0; i < right; i++) press('ArrowRight');
        for (let i = 0; i < down; i++) press('ArrowDown');
      },
      [token, row] as const,
    );
    await this.settled();
  }

  /** What axe finds that is serious or worse. */
  async serious(): Promise<Finding[]> {
    const script = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
    if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(await readFile(script, 'utf8'));
    const found = await this.page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: {
          run(options: object): Promise<{
            violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
          }>;
        };
      };
      return (await axe.run({ resultTypes: ['violations'] })).violations.map(({ id, impact, nodes }) => ({
        id,
        impact,
        nodes: nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} ${n.failureSummary}`),
      }));
    });
    return found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  }

  /** A reloaded page has nothing of what was sent. */
  async reload(): Promise<void> {
    this.sender = new SideSender();
    await this.page.reload();
  }

  /** Releases the page, so that another test can use it. */
  leave(): Page {
    this.page.off('pageerror', this.heardError);
    this.page.off('console', this.heardMessage);
    return this.page;
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}

/** The length of the text of all messages, that text, and the bytes of their arrays. */
function pack(messages: readonly unknown[]): Buffer {
  const arrays: Buffer[] = [];
  let to = 0;
  const text = JSON.stringify(messages, (_, value: unknown) => {
    if (!ArrayBuffer.isView(value)) return value;
    arrays.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    const from = to;
    to += value.byteLength;
    return { $array: value.constructor.name, from, to };
  });
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes, ...arrays]);
}

export { fabricate };

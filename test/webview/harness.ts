/** The built page in Chromium, with a host that only listens: what the page sends is kept, what it is sent is ours. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { HostMessage, PageMessage, Side, SideState } from '../../src/shared/panelProtocol.js';
import type { SimilarityMessage } from '../../src/shared/similarityProtocol.js';
import { SideSender } from '../../src/transport/sides.js';
import type { Trace } from '../../src/trace/trace.js';
import { description, fabricate, requestOf } from './fabricate.js';
import { html } from './html.mjs';
import { themeClass, themeStyle, type ThemeName } from './themes.js';

const built = join(import.meta.dirname, '../../dist/webview');

/** Which of the pages: by the name of its script; the styles of the panel are those of all. */
type PageName = 'panel' | 'similarity';

function pageOf(name: PageName, theme: ThemeName, words: string): string {
  return html({
    inline: `
  document.documentElement.style.cssText = ${JSON.stringify(themeStyle(theme))};
  window.sent = [];
  window.painted = 0;
  const kept = () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined;
  window.acquireVsCodeApi = () => ({
    postMessage: (m) => window.sent.push(m),
    getState: kept,
    setState: (s) => { sessionStorage.setItem('state', JSON.stringify(s)); return s; },
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

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(): Promise<Site> {
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    if (url.pathname === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      const asked = (name: string, otherwise: string) => url.searchParams.get(name) ?? otherwise;
      response.end(
        pageOf(asked('page', 'panel') as PageName, asked('theme', 'dark') as ThemeName, asked('words', '{}')),
      );
      return;
    }
    if (!/^\/[\w-]+\.(js|css)$/.test(url.pathname)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', url.pathname.endsWith('.css') ? 'text/css' : 'text/javascript');
    readFile(join(built, url.pathname)).then(
      (data) => response.end(data),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

export function launch(): Promise<Browser> {
  return chromium.launch({
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
  });
}

export interface Setup {
  readonly script?: PageName;
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  readonly scale?: number;
  readonly reducedMotion?: boolean;
  readonly words?: Readonly<Record<string, unknown>>;
}

export interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly string[];
}

/** One page with its host. */
export class Panel {
  readonly errors: string[] = [];
  private sender = new SideSender();

  private constructor(
    readonly page: Page,
    private readonly close_: () => Promise<void>,
  ) {
    page.on('pageerror', (error) => this.errors.push(String(error.stack)));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
  }

  static async open(browser: Browser, site: Site, setup: Setup = {}): Promise<Panel> {
    const { script = 'panel', theme = 'dark', width = 1200, height = 800, scale = 1 } = setup;
    const context = await browser.newContext({
      viewport: { width, height },
      deviceScaleFactor: scale,
      reducedMotion: setup.reducedMotion ? 'reduce' : 'no-preference',
      colorScheme: theme.includes('light') ? 'light' : 'dark',
    });
    const page = await context.newPage();
    page.setDefaultTimeout(5000);
    const panel = new Panel(page, () => context.close());
    await page.goto(
      `${site.url}?page=${script}&theme=${theme}&words=${encodeURIComponent(JSON.stringify(setup.words ?? {}))}`,
    );
    return panel;
  }

  /** Typed arrays cross as bytes in base64: as structured clone they would be listed number by number. */
  post(message: HostMessage | SimilarityMessage): Promise<void> {
    return this.postAll([message]);
  }

  private async postAll(messages: readonly (HostMessage | SimilarityMessage)[]): Promise<void> {
    await this.page.evaluate(({ text, arrays }) => {
      const types = { Float32Array, Int16Array, Int32Array, Uint8Array } as const;
      const made = arrays.map(({ type, data }) => {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
        return new types[type as keyof typeof types](bytes.buffer);
      });
      const parsed = JSON.parse(text, (_, value: unknown) =>
        typeof value === 'object' && value !== null && '$array' in value
          ? made[(value as { $array: number }).$array]
          : value,
      ) as unknown[];
      const at = performance.now();
      for (const data of parsed) window.dispatchEvent(new MessageEvent('message', { data }));
      // The page draws in the next frame; what was asked for in it is on screen when the one after begins.
      return new Promise<void>((resolve) =>
        requestAnimationFrame(() =>
          requestAnimationFrame(() => {
            (window as unknown as { painted: number }).painted = performance.now() - at;
            resolve();
          }),
        ),
      );
    }, pack(messages));
  }

  async show(trace: Trace | undefined, more: Partial<SideState> = {}, side: Side = 'main'): Promise<void> {
    await this.post({ type: 'pool', description });
    await this.side(side, {
      title: 'geese.md',
      ...(trace ? requestOf(trace) : { strategy: { name: 'phatgoose', k: 2 }, interventions: [] }),
      stale: false,
      ...(trace ? { trace } : {}),
      ...more,
    });
  }

  async side(side: Side, state: SideState | undefined): Promise<void> {
    await this.postAll([...this.sender.messages(side, state)]);
  }

  sent<T extends PageMessage['type']>(type: T): Promise<Extract<PageMessage, { type: T }>[]> {
    return this.page.evaluate(
      (wanted) => (window as unknown as { sent: PageMessage[] }).sent.filter((m) => m.type === wanted),
      type,
    ) as Promise<Extract<PageMessage, { type: T }>[]>;
  }

  /** Of the last message, from its arrival to the frame after its drawing. */
  painted(): Promise<number> {
    return this.page.evaluate(() => (window as unknown as { painted: number }).painted);
  }

  /** Errors and breaches of the content security policy so far. */
  async trouble(): Promise<string[]> {
    const violations = await this.page.evaluate(() => (window as unknown as { violations: string[] }).violations);
    return [...this.errors, ...violations];
  }

  /** When what was asked for last is drawn. */
  async settled(): Promise<void> {
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  /** Takes the grid's focus to a cell, by the keyboard. */
  async goTo(token: number, row: number): Promise<void> {
    const cell = this.page.locator('.cell');
    await cell.focus();
    await this.page.keyboard.press('Control+Home');
    await this.page.keyboard.press('Control+Home');
    for (let i = 0; i < token; i++) await this.page.keyboard.press('ArrowRight');
    for (let i = 0; i < row; i++) await this.page.keyboard.press('ArrowDown');
    await this.settled();
  }

  /** What axe finds that is serious or worse. */
  async serious(): Promise<Finding[]> {
    const script = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
    if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(await readFile(script, 'utf8'));
    const found = await this.page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: {
          run(): Promise<{
            violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
          }>;
        };
      };
      return (await axe.run()).violations.map(({ id, impact, nodes }) => ({
        id,
        impact,
        nodes: nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} ${n.failureSummary}`),
      }));
    });
    return found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  }

  /** A new page has nothing of what was sent. */
  async reload(): Promise<void> {
    this.sender = new SideSender();
    await this.page.reload();
  }

  close(): Promise<void> {
    return this.close_();
  }
}

function pack(messages: readonly unknown[]): { text: string; arrays: { type: string; data: string }[] } {
  const arrays: { type: string; data: string }[] = [];
  const text = JSON.stringify(messages, (_, value: unknown) => {
    if (!ArrayBuffer.isView(value)) return value;
    arrays.push({
      type: value.constructor.name,
      data: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
    });
    return { $array: arrays.length - 1 };
  });
  return { text, arrays };
}

export { fabricate };

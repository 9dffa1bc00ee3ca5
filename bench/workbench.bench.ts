// What a person waits for in VS Code's workbench, with the pool that ships: from the key that routes a text to the first painted
// map, in a new window whose model was composed before; and from a click in the panel to the frame that shows its answer.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, FrameLocator, Page } from 'playwright-core';
import type { Bench, Side } from './harness.js';

interface Server {
  readonly stop: () => Promise<void>;
}

interface Vscode {
  readonly startServer: (options: object) => Promise<Server>;
  readonly launchBrowser: () => Promise<Browser>;
  readonly openWorkbench: (browser: Browser, server: Server, options: object) => Promise<Page>;
}

interface Workbench {
  readonly enter: (page: Page, file: string) => Promise<void>;
  readonly openFile: (page: Page, file: string) => Promise<void>;
  readonly webview: (page: Page, extension: string, kind: 'panel') => FrameLocator;
}

/** What is clicked, and the part of the page that answers. */
interface Click {
  readonly name: string;
  readonly on: string;
  readonly answers: string;
  /** From the upper left of what is clicked, in CSS pixels; its middle if this is not given. */
  readonly at?: { readonly x: number; readonly y: number };
}

const file = 'README.md';

/** In this order: each leaves the page as the next needs it, and the last as the first does. */
const clicks: readonly Click[] = [
  { name: 'the tab Summary', on: '#tab-summary', answers: '#tab-body' },
  { name: 'the tab Detail', on: '#tab-cell', answers: '#tab-body' },
  { name: 'a cell of the map', on: 'canvas.base', answers: '#tab-body', at: { x: 100, y: 20 } },
  { name: 'another cell', on: 'canvas.base', answers: '#tab-body', at: { x: 200, y: 40 } },
  { name: 'an expert in the legend', on: '.legend .expert', answers: '.legend' },
  { name: 'the same expert again', on: '.legend .expert', answers: '.legend' },
  { name: 'the tab What if', on: '#tab-whatIf', answers: '#tab-body' },
  { name: 'Apply', on: '[data-focus=whatif-apply]', answers: 'body' },
  { name: 'Undo', on: '[data-focus=undo]', answers: 'body' },
];

// Not bundled, because these modules find files relative to themselves.
const load = (module: string) => import(pathToFileURL(path.resolve(module)).href) as Promise<unknown>;

export default async function workbench(bench: Bench): Promise<void> {
  const { installVscodeWeb } = (await load('scripts/lib/vscode-web.mjs')) as {
    readonly installVscodeWeb: () => Promise<string>;
  };
  const { startServer, launchBrowser, openWorkbench } = (await load('test/workbench/harness/vscode.mjs')) as Vscode;
  const { enter, openFile, webview } = (await load('test/workbench/harness/workbench.mjs')) as Workbench;
  // A copy, because VS Code writes into the folder that it opens.
  const folder = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  cpSync('samples', folder, { recursive: true });
  const server = await startServer({ vscode: await installVscodeWeb(), link: path.resolve('.') });
  const browser = await launchBrowser();
  /** A new window with the text open and nothing routed. */
  const ready = async (): Promise<Page> => {
    const page = await openWorkbench(browser, server, { folder, viewport: { width: 1280, height: 720 } });
    await page.locator('.activitybar .action-label[aria-label^="Gander"]').waitFor();
    await openFile(page, file);
    await enter(page, file);
    // VS Code is still busy with its own start when its parts are there.
    await page.evaluate(interactive);
    return page;
  };
  /** Milliseconds from the last key of the command until a map is painted. */
  const firstMap = async (page: Page): Promise<number> => {
    await page.keyboard.press('Control+K');
    const began = Date.now();
    await page.keyboard.press('Control+Alt+G');
    return (await painted(webview(page, 'gander.gander', 'panel'))) - began;
  };
  try {
    const first = await ready();
    bench.notes['first map, the model composed for it, ms'] = await firstMap(first);
    await first.context().close();
    await bench.compare(
      'from the command to the first map, the model composed before',
      [
        {
          label: 'in a new window',
          run: async () => {
            const page = await ready();
            const took = await firstMap(page);
            await page.context().close();
            return took;
          },
        },
      ],
      { warmUps: 0, rounds: 5 },
    );
    const page = await ready();
    await firstMap(page);
    const panel = webview(page, 'gander.gander', 'panel');
    const rounds: number[][] = [];
    while (rounds.length < (bench.quick ? 1 : 5)) {
      const round: number[] = [];
      for (const click of clicks) {
        // What ran for the click before is over, and drawn: nobody clicks again within a few frames.
        await panel.locator('[data-focus=stop]').waitFor({ state: 'detached' });
        await panel.locator('body').evaluate(quiet);
        round.push(await answered(panel, click));
      }
      rounds.push(round);
    }
    const sides = clicks.map(({ name }, c): Side => {
      const values = rounds.map((round) => round[c]!);
      return { label: name, run: () => values.shift() };
    });
    const name = 'from a click to the frame that shows its answer, two frames included';
    await bench.compare(name, sides, { warmUps: 0, rounds: rounds.length });
  } finally {
    await browser.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** When the map had opaque pixels, in milliseconds since 1970. */
async function painted(panel: FrameLocator): Promise<number> {
  const canvas = panel.locator('canvas.base');
  await canvas.waitFor({ state: 'attached' });
  return canvas.evaluate(async (found) => {
    const { width, height } = found as HTMLCanvasElement;
    const isPainted = () =>
      (found as HTMLCanvasElement)
        .getContext('2d')
        ?.getImageData(0, 0, Math.min(width, 64), Math.min(height, 64))
        .data.some((value) => value > 0);
    while (!isPainted()) await new Promise(requestAnimationFrame);
    return Date.now();
  });
}

/** Resolves after two seconds without a task of more than 50 ms, which is how browsers tell that a page is interactive. */
function interactive(): Promise<void> {
  return new Promise((resolve) => {
    const later = () => setTimeout(resolve, 2000);
    let due = later();
    new PerformanceObserver(() => {
      clearTimeout(due);
      due = later();
    }).observe({ type: 'longtask' });
  });
}

/** Resolves once nothing has changed for ten frames. */
function quiet(): Promise<void> {
  return new Promise((resolve) => {
    let still = 0;
    const changes = new MutationObserver(() => (still = 0));
    changes.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    const frame = () => {
      if (still++ < 10) {
        requestAnimationFrame(frame);
        return;
      }
      changes.disconnect();
      resolve();
    };
    requestAnimationFrame(frame);
  });
}

/** Milliseconds from the press of the mouse until what answers has changed and two frames are drawn. */
async function answered(panel: FrameLocator, { on, answers, at }: Click): Promise<number> {
  const target = panel.locator(on).first();
  const waiting = await target.evaluateHandle((_, part) => {
    const look = () => document.querySelector(part)?.outerHTML;
    const before = look();
    const frame = () => new Promise(requestAnimationFrame);
    // An object around the promise, which would otherwise be waited for here.
    return {
      took: new Promise<number>((resolve) => {
        let pressed = 0;
        const watch = new MutationObserver(() => {
          if (pressed === 0 || look() === before) return;
          watch.disconnect();
          void frame()
            .then(frame)
            .then(() => resolve(performance.now() - pressed));
        });
        watch.observe(document.documentElement, {
          ...{ subtree: true, childList: true },
          ...{ attributes: true, characterData: true },
        });
        document.addEventListener('pointerdown', () => (pressed = performance.now()), { once: true, capture: true });
      }),
    };
  }, answers);
  await target.click({ ...(at && { position: at }) });
  return waiting.evaluate(({ took }) => took);
}

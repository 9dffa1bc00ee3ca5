/// <reference types="mocha" />
// Runs inside VS Code's extension host: how long its event loop is held up while a selection is routed and drawn.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import * as vscode from 'vscode';
import type { TestApi } from '../../src/extension.js';
import type { HostMessage } from '../../src/protocol/panel.js';

const resolution = 1;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Measured {
  /** Milliseconds that anything else had to wait at most, whoever was at work: the editor, its extensions, the machine. */
  readonly longest: number;
  /** Milliseconds of them that the host's thread was at work, not kept from a core by others; only Linux says. */
  readonly atWork: number | undefined;
  /** Milliseconds on end, at most, in Gander's own code, in what it called, or in reading what its engine sent. */
  readonly ours: number;
}

const schedule = '/proc/thread-self/schedstat';

/** Milliseconds that this thread has been on a core. */
const onCore = () => Number(readFileSync(schedule, 'utf8').split(' ')[0]) / 1e6;

/** Looks whenever it can; ends with the most time on a core between two looks. */
function watchCore(): () => number | undefined {
  if (!existsSync(schedule)) return () => undefined;
  let [last, longest] = [onCore(), 0];
  const timer = setInterval(() => {
    const now = onCore();
    longest = Math.max(longest, now - last);
    last = now;
  }, resolution);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

async function during(body: () => Promise<unknown>): Promise<Measured> {
  const histogram = monitorEventLoopDelay({ resolution });
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 500 });
  await session.post('Profiler.start');
  histogram.enable();
  const atWork = watchCore();
  await body();
  histogram.disable();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return { longest: Math.max(0, histogram.max / 1e6 - resolution), atWork: atWork(), ours: longestOfOurs(profile) };
}

/** Milliseconds of the longest run of samples that have Gander's code, or its engine's channel, on the stack. */
function longestOfOurs({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): number {
  const ours = new Set<number>();
  const visit = (node: Profiler.ProfileNode, within: boolean) => {
    const { url, functionName } = node.callFrame;
    const isOurs =
      within || /[\\/]dist[\\/](extension|lazy)\.cjs$/.test(url) || functionName === 'parseChannelMessages';
    if (isOurs) ours.add(node.id);
    for (const child of node.children ?? []) visit(byId.get(child)!, isOurs);
  };
  const byId = new Map(nodes.map((node) => [node.id, node]));
  visit(nodes[0]!, false);
  let [longest, run] = [0, 0];
  samples.forEach((id, i) => {
    // A sample stands for the time until the next one.
    run = ours.has(id) ? run + (timeDeltas[i + 1] ?? 0) : 0;
    longest = Math.max(longest, run);
  });
  return longest / 1000;
}

/** Milliseconds. */
async function timed(run: () => PromiseLike<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Prose and code in turn, long enough to be cut to the tokens wanted. */
const text = Array.from(
  { length: 200 },
  (_, i) => `Flock ${i} flies south over the lake.\nSELECT name FROM birds WHERE flock = ${i};\n`,
).join('');

describe('blocks', () => {
  it('are measured', async () => {
    const api = await Promise.resolve(vscode.extensions.getExtension<TestApi>('gander.gander')!.activate());
    const { parts } = api;
    const document = await vscode.workspace.openTextDocument({ content: text });
    const editor = await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
    await vscode.commands.executeCommand('gander.experts.focus');
    const route = async (characters: number) => {
      editor.selection = new vscode.Selection(document.positionAt(0), document.positionAt(characters));
      await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
      await vscode.commands.executeCommand('gander.routeSelection');
      // The page, the tree and the decorations follow.
      await pause(700);
      return parts.store.of(document.uri.toString())[0]!.main.trace!.sequences[0]!.tokens.count;
    };
    // The engine starts, and tells how many characters make the tokens wanted.
    const wanted = 1024;
    const characters = Math.floor((3000 * wanted) / (await route(3000)));
    const rounds = [];
    for (let round = 0; round < Number(process.env['GANDER_BENCH_ROUNDS']); round++) {
      const idle = await during(() => pause(3000));
      // Another text each time: what is known is not run again.
      let tokens = 0;
      const busy = await during(async () => {
        tokens = await route(characters - round);
      });
      rounds.push({ idle, busy, tokens });
    }
    const commands = [];
    const page = { arrivedAt: 0, isComplete: false };
    const { panels } = await api.work();
    const { webview } = panels.find(parts.store.of(document.uri.toString())[0]!.id)!.panel;
    const postMessage = webview.postMessage.bind(webview);
    webview.postMessage = async (message: HostMessage) => {
      const arrived = await postMessage(message);
      if (message.type === 'side') {
        const sent = message.state?.trace?.head;
        const all = parts.store.of(document.uri.toString())[0]?.main.trace?.sequences[0]?.tokens.count;
        const isWhole = sent !== undefined && sent.done[0] === all;
        if (isWhole) page.arrivedAt ||= performance.now();
        page.isComplete = isWhole && !message.state?.scoresFollow;
      }
      return arrived;
    };
    for (const tokens of [64, wanted]) {
      const long = Math.floor((characters * tokens) / wanted);
      // Another text each time, for the same reason; each side comes first in every other round.
      const command = async (from: number) => {
        editor.selection = new vscode.Selection(document.positionAt(from), document.positionAt(from + long));
        // Editor and panel are done with the selection by the time a person asks for more.
        await pause(300);
        Object.assign(page, { arrivedAt: 0, isComplete: false });
        const start = performance.now();
        await vscode.commands.executeCommand('gander.routeSelection');
        // The grid is drawn by now, or soon; what follows must not disturb what is measured next.
        while (!page.isComplete) await pause(50);
        return page.arrivedAt - start;
      };
      const engine = (from: number) => {
        const piece = text.slice(from, from + long);
        return timed(() => parts.service.route({ text: piece, strategy: { name: 'phatgoose', k: 2 } }));
      };
      for (let round = 1; round <= 2 * Number(process.env['GANDER_BENCH_ROUNDS']); round++) {
        const sides = round % 2 ? ([command, engine] as const) : ([engine, command] as const);
        const times = [];
        for (const [i, side] of sides.entries()) {
          times.push(await side(100 * i + round));
          await pause(700);
        }
        const [first, second] = times as [number, number];
        commands.push(
          round % 2 ? { tokens, command: first, engine: second } : { tokens, command: second, engine: first },
        );
      }
    }
    writeFileSync(process.env['GANDER_BENCH_RESULT']!, JSON.stringify({ rounds, commands }));
  }).timeout(600_000);
});

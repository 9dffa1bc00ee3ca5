/// <reference types="mocha" />
// Runs inside VS Code's extension host and measures how long its event loop is blocked while a selection is routed and drawn.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import * as vscode from 'vscode';
import type { TestApi } from '../../src/extension.js';
import type { HostMessage } from '../../src/protocol/panel.js';

const resolution = 1;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Measured {
  /** The longest wait of anything else, in ms, whatever the cause: the editor, its extensions, the machine. */
  readonly longest: number;
  /** The longest time, in ms, that the host's thread was on a core without a break; only Linux reports it. */
  readonly atWork: number | undefined;
  /** The longest time, in ms, in Gander's own code, in what it called, or in reading messages of its engine. */
  readonly ours: number;
}

const schedule = '/proc/thread-self/schedstat';

/** Milliseconds that this thread has been on a core. */
const onCore = () => Number(readFileSync(schedule, 'utf8').split(' ')[0]) / 1e6;

/** Samples as often as it can; the returned function stops it and returns the most time on a core between two samples. */
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
    // A sample represents the time until the next one.
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

/** Prose and code alternately, longer than needed, to be cut. */
const text = Array.from(
  { length: 200 },
  (_, i) => `Flock ${i} flies south over the lake.\nSELECT name FROM birds WHERE flock = ${i};\n`,
).join('');

describe('blocks', () => {
  it('are measured', async () => {
    const api = await Promise.resolve(vscode.extensions.getExtension<TestApi>('gander.gander')!.activate());
    const { services } = api;
    const document = await vscode.workspace.openTextDocument({ content: text });
    const editor = await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
    await vscode.commands.executeCommand('gander.experts.focus');
    const route = async (characters: number) => {
      editor.selection = new vscode.Selection(document.positionAt(0), document.positionAt(characters));
      await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
      await vscode.commands.executeCommand('gander.routeSelection');
      // Time for the page, the tree and the decorations to follow.
      await pause(700);
      return services.store.of(document.uri.toString())[0]!.main.trace!.sequences[0]!.tokens.count;
    };
    // Starts the engine, and shows how many characters make the number of tokens wanted.
    const wanted = 1024;
    const characters = Math.floor((3000 * wanted) / (await route(3000)));
    const rounds = [];
    for (let round = 0; round < Number(process.env['GANDER_BENCH_ROUNDS']); round++) {
      const idle = await during(() => pause(3000));
      // A different text each time: known results are not computed again.
      let tokens = 0;
      const busy = await during(async () => {
        tokens = await route(characters - round);
      });
      rounds.push({ idle, busy, tokens });
    }
    const commands = [];
    const page = { arrivedAt: 0, isComplete: false };
    const { panels } = await api.features();
    const { webview } = panels.find(services.store.of(document.uri.toString())[0]!.id)!.panel;
    const postMessage = webview.postMessage.bind(webview);
    webview.postMessage = async (message: HostMessage) => {
      const arrived = await postMessage(message);
      if (message.type === 'side') {
        const sent = message.state?.trace?.head;
        const all = services.store.of(document.uri.toString())[0]?.main.trace?.sequences[0]?.tokens.count;
        const isWhole = sent !== undefined && sent.done[0] === all;
        if (isWhole) page.arrivedAt ||= performance.now();
        page.isComplete = isWhole && !message.state?.scoresFollow;
      }
      return arrived;
    };
    for (const tokens of [64, wanted]) {
      const long = Math.floor((characters * tokens) / wanted);
      // A different text each time, for the same reason; the two sides take turns at being first.
      const command = async (from: number) => {
        editor.selection = new vscode.Selection(document.positionAt(from), document.positionAt(from + long));
        // As with a person, editor and panel are done with the selection before the command.
        await pause(300);
        Object.assign(page, { arrivedAt: 0, isComplete: false });
        const start = performance.now();
        await vscode.commands.executeCommand('gander.routeSelection');
        // The grid is drawn by now, or soon; its scores must not arrive during the next measurement.
        while (!page.isComplete) await pause(50);
        return page.arrivedAt - start;
      };
      const engine = (from: number) => {
        const piece = text.slice(from, from + long);
        return timed(() => services.service.route({ text: piece, strategy: { name: 'phatgoose', k: 2 } }));
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

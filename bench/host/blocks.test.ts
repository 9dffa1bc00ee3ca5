/// <reference types="mocha" />
// Runs inside VS Code's extension host: how long its event loop is held up while a selection is routed and drawn.
import { writeFileSync } from 'node:fs';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import * as vscode from 'vscode';
import type { TestApi } from '../../src/extension.js';

const resolution = 1;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds: the longest that anything else had to wait, and the time that 99 of 100 turns stayed under. */
function read(histogram: IntervalHistogram): { readonly longest: number; readonly p99: number } {
  const ms = (ns: number) => Math.max(0, ns / 1e6 - resolution);
  return { longest: ms(histogram.max), p99: ms(histogram.percentile(99)) };
}

async function during(body: () => Promise<unknown>): Promise<ReturnType<typeof read>> {
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  await body();
  histogram.disable();
  return read(histogram);
}

/** Prose and code in turn, long enough to be cut to the tokens wanted. */
const text = Array.from(
  { length: 200 },
  (_, i) => `Flock ${i} flies south over the lake.\nSELECT name FROM birds WHERE flock = ${i};\n`,
).join('');

describe('blocks', () => {
  it('are measured', async () => {
    const { parts } = await Promise.resolve(vscode.extensions.getExtension<TestApi>('gander.gander')!.activate());
    const rounds = Number(process.env['GANDER_BENCH_ROUNDS']);
    const document = await vscode.workspace.openTextDocument({ content: text });
    const editor = await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
    await vscode.commands.executeCommand('gander.experts.focus');
    const route = async (characters: number) => {
      editor.selection = new vscode.Selection(document.positionAt(0), document.positionAt(characters));
      await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
      await vscode.commands.executeCommand('gander.routeSelection');
      // The page, the tree and the decorations follow.
      await pause(700);
      return parts.store.of(document.uri.toString())[0]!.main.trace!.tokens.ids.length;
    };
    // The engine starts, and tells how many characters make the tokens wanted.
    const wanted = 1024;
    const characters = Math.floor((3000 * wanted) / (await route(3000)));
    const results = [];
    for (let round = 0; round < rounds; round++) {
      const idle = await during(() => pause(3000));
      // Another text each time: what is known is not run again.
      let tokens = 0;
      const busy = await during(async () => {
        tokens = await route(characters - round);
      });
      results.push({ idle, busy, tokens });
    }
    writeFileSync(process.env['GANDER_BENCH_RESULT']!, JSON.stringify(results));
  }).timeout(600_000);
});

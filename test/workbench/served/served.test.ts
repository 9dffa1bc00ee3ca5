// The real gander-serve with the tiny pool, through the real extension: the server's process, its token, the painted map.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../../src/engine/local.js';
import { words } from '../../../src/words/words.js';
import { decodeTrace } from '../../../src/trace/file/file.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { startGanderServe } from '../../servers/ganderServe.js';
import { enter, openFile, runCommand, startCommand } from '../harness/workbench.mjs';
import { tinyPool, Window, witnessed } from '../ui/window.js';

const text = 'Geese fly south over the lake. They honk at every boat.\n';
const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
const token = 'a-token-of-the-tests';
let server: ChildProcess;
let address: string;
let window: Window;

beforeAll(async () => {
  writeFileSync(path.join(folder, 'geese.txt'), text);
  [{ address, process: server }, window] = await Promise.all([
    startGanderServe(folder, token, tinyPool),
    Window.open(folder, { own: {} }),
  ]);
});
afterAll(async () => {
  await window.close();
  server.kill();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));
const box = () => window.page.locator('.quick-input-widget');
async function answer(title: string, typed: string): Promise<void> {
  await box().locator('.quick-input-title', { hasText: title }).waitFor();
  await window.input.fill(typed);
  await window.input.press('Enter');
}

describe('gander-serve behind the extension', () => {
  step('is recognised and agreed to', async () => {
    await openFile(window.page, 'geese.txt');
    await startCommand(window.page, 'Gander: Connect to Engine');
    await answer('Address of vLLM', address);
    await answer('Token', token);
    const agree = window.page.locator('.monaco-dialog-box').filter({ hasText: `Send text to ${address}?` });
    await agree.locator('.monaco-button', { hasText: 'Connect' }).click();
    await window.page.locator('.statusbar-item', { hasText: 'Tiny pool' }).waitFor();
  });

  step('routes like the engine on this machine', async () => {
    await runCommand(window.page, 'Gander: Route Selection');
    await window.showText();
    await expect.poll(() => window.painted()).toBeGreaterThan(100);
    expect(await window.notifications()).toEqual([]);
    await window.shot('served');
    const file = path.join(folder, 'geese.txt.gander.safetensors');
    const remote = decodeTrace(new Uint8Array(await window.save(words.saveTrace, file)));
    const engine = await createEngine({ pool: tinyPool, cache: path.join(folder, 'cache'), threads: 1, chunk: 64 });
    const local = await engine.route({ text, strategy: { name: 'phatgoose', k: 2 } });
    engine.dispose();
    expectAlike(remote, local);
  });

  step('knocks an expert out when asked to', async () => {
    await window.view('whatIf');
    await window.panel.locator('[data-focus=whatif-apply]').click();
    await window.panel.locator('.whatIfChip').waitFor();
    await window.panel.locator('[data-figure=effectByLayer]').waitFor();
    await window.shot('served-what-if');
  });

  step('gives an error after it was killed, and earlier results stay', async () => {
    server.kill('SIGKILL');
    await enter(window.page, 'geese.txt');
    await window.page.keyboard.press('Control+End');
    await window.page.keyboard.type('And more.');
    await runCommand(window.page, 'Gander: Route Selection');
    await window.page.locator('.notifications-toasts', { hasText: 'cannot be reached' }).waitFor();
    expect(readFileSync(path.join(folder, 'geese.txt.gander.safetensors')).byteLength).toBeGreaterThan(1000);
  });
});

/** The reference rounds differently from onnxruntime; this is the golden traces' own bound. */
function expectAlike(a: Trace, b: Trace): void {
  expect([...a.sequences[0]!.tokens.ids!]).toEqual([...b.sequences[0]!.tokens.ids!]);
  expect([...a.sequences[0]!.tokens.start!]).toEqual([...b.sequences[0]!.tokens.start!]);
  expect(a.modules.map(({ path: at }) => at)).toEqual(b.modules.map(({ path: at }) => at));
  expect([...a.blocks[0]!.chosen]).toEqual([...b.blocks[0]!.chosen]);
  for (const column of ['score', 'weight'] as const)
    expect(gap(a.blocks[0]![column]!, b.blocks[0]![column]!)).toBeLessThan(1e-4);
  expect(gap(a.sequences[0]!.logProb!, b.sequences[0]!.logProb!)).toBeLessThan(1e-3);
}

function gap(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce(
    (most, x, i) => (Number.isNaN(x) && Number.isNaN(b[i]) ? most : Math.max(most, Math.abs(x - b[i]!))),
    0,
  );
}

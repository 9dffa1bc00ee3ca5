// X-LoRA, FlexOlmo and Qwen3-Next in the real workbench, each from the command that opens it to a what-if. What the window saves is
// compared with what PEFT or transformers computes.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xLora } from '../../../src/strategies/xLora.js';
import { nativeRouter } from '../../../src/strategies/native.js';
import { decodeTrace } from '../../../src/trace/file/file.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { words } from '../../../src/words/words.js';
import { exact, expectMixture, golden, fixtures as mixtures } from '../../engine/mixtures.js';
import { type PeftCase, expectAsPeft, fixtures as peft, poolOf, readCase } from '../../engine/peftFixtures.js';
import { goldens, largestDifference, temporaryFolder } from '../../engine/support.js';
import { openFile, runCommand } from '../harness/workbench.mjs';
import { Window, witnessed } from './window.js';

const scaled = readCase(path.join(peft, 'llama/xlora/plain/golden.safetensors'));
/** Its first lines: an editor would make one of the text's two kinds of line ends. */
const lines = scaled.text.slice(0, scaled.text.indexOf('\nconst'));
const [without] = goldens('moe-opted-out');
const flexOlmo = golden.get('flex-olmo')!;
const next = golden.get('qwen3-next')!;
const textOf = (trace: Trace) => trace.sequences[0]!.text!;
/** An expert of FlexOlmo's, in every layer. */
const out = Number(without!.name.split('-').at(-1));

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ui-'));
let window: Window;
beforeAll(async () => {
  writeFileSync(path.join(folder, 'scaled.txt'), lines);
  writeFileSync(path.join(folder, 'mixed.txt'), textOf(flexOlmo));
  window = await Window.open(folder, { own: {} });
});
afterAll(async () => {
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = (name: string, body: () => Promise<void>) => it(name, () => witnessed(window, name, body));

/** What PEFT computed for the first tokens: none of it depends on later ones. */
function upTo(count: number): PeftCase {
  const all = scaled.floats('log_prob').length + 1;
  const floats = (name: string) => {
    const values = scaled.floats(name);
    if (name === 'log_prob') return values.subarray(0, count - 1);
    const n = scaled.experts.length;
    return values.filter((_, i) => Math.floor(i / n) % all < count);
  };
  return { ...scaled, floats };
}

/** A copy of a mixture, alone in its folder: the dialog draws only as many names as it has room for. */
function alone(name: string): string {
  const copy = path.join(temporaryFolder(), name);
  cpSync(path.join(mixtures, name), copy, { recursive: true });
  return copy;
}

/** Opens a model, and routes a text by its own router. */
async function opened(model: string, name: string, text: string, router: string): Promise<void> {
  const { page, panel } = window;
  await runCommand(page, 'View: Close All Editors');
  await openFile(page, text);
  await window.openModel(model);
  await page.locator('.statusbar-item', { hasText: name }).waitFor();
  await runCommand(page, 'Gander: Route Selection');
  await window.showText();
  await expect.poll(() => window.painted()).toBeGreaterThan(500);
  expect(await window.notifications()).toEqual([]);
  await expect.poll(() => panel.locator('[data-focus=strategy]').innerText()).toBe(router);
}

async function saved(text: string): Promise<Trace> {
  const file = path.join(folder, `${text}.gander.safetensors`);
  const trace = decodeTrace(new Uint8Array(await window.save(words.saveTrace, file)));
  // Before another one is saved by this name, VS Code would ask.
  rmSync(file);
  return trace;
}

/** Knocks an expert out where the form says, and waits until the panel says what that changed. */
async function knockOut(expert: string, where: string): Promise<void> {
  const { panel } = window;
  await window.view('whatIf');
  const chips = panel.locator('.whatIfChip');
  const before = await chips.count();
  await panel.locator('[data-focus=whatif-where]').selectOption(where);
  await panel.locator('[data-focus=whatif-expert]').selectOption(expert);
  await panel.locator('[data-focus=whatif-apply]').click();
  await chips.nth(before).waitFor();
  await panel.locator('.progress:empty, .progress:not(:visible)').first().waitFor({ state: 'attached' });
  await panel.locator('[data-figure=effectByLayer]').waitFor();
}

describe('in the workbench', () => {
  step('X-LoRA is scaled as by PEFT, and takes a what-if', async () => {
    const { experts, modules } = scaled;
    const classifier = 'xlora/plain';
    const pool = poolOf('llama', experts, { xlora: { classifier, experts, modules } }, [classifier]);
    await opened(pool, 'llama-small', 'scaled.txt', xLora.title);
    const before = await saved('scaled.txt');
    const { count } = before.sequences[0]!.tokens;
    expect(count).toBeGreaterThan(20);
    expectAsPeft(before, upTo(count), experts);
    await knockOut(experts[1]!, 'all');
    await window.shot('x-lora');
    const after = await saved('scaled.txt');
    const { chosen } = after.blocks[0]!;
    expect(chosen).not.toContain(after.expertSets[0]!.experts.findIndex(({ id }) => id === experts[1]));
  });

  step('FlexOlmo without an expert is what transformers computes without it', async () => {
    const model = alone('flex-olmo-transformers');
    await opened(model, path.basename(model), 'mixed.txt', nativeRouter.title);
    expectMixture(await saved('mixed.txt'), flexOlmo, exact);
    for (const { layer } of flexOlmo.modules) await knockOut(`${layer}.${out}`, `layer:${layer}`);
    await window.shot('flex-olmo');
    const after = await saved('mixed.txt');
    // Without the row, later experts have the number before theirs.
    const wanted = without!.trace.blocks[0]!.chosen;
    expect([...after.blocks[0]!.chosen]).toEqual([...wanted].map((e) => (e < out ? e : e + 1)));
    const [own, other] = [after, without!.trace].map(({ sequences }) => sequences[0]!.logProb!);
    expect(largestDifference(own!, other!)).toBeLessThan(1e-5);
  });

  step('Qwen3-Next is routed as by transformers, and takes a what-if', async () => {
    const model = alone('qwen3-next-transformers');
    await opened(model, path.basename(model), 'mixed.txt', nativeRouter.title);
    const before = await saved('mixed.txt');
    expectMixture(before, next, exact);
    const leader = before.blocks[0]!.chosen[0]!;
    await knockOut(`0.${leader}`, 'layer:0');
    await window.shot('qwen3-next');
    const { chosen, k } = (await saved('mixed.txt')).blocks[0]!;
    expect(chosen.subarray(0, k * next.sequences[0]!.tokens.count)).not.toContain(leader);
  });
});

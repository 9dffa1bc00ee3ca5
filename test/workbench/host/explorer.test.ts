import * as assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { caretOf, closeAll, routed, set, show, tinyPool, until, useTinyPool } from './helpers.js';

describe('the expert tree', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(closeAll);

  const children = (node?: Parameters<TestApi['services']['tree']['getChildren']>[0]) =>
    api.services.tree.getChildren(node);
  const item = (node: Parameters<TestApi['services']['tree']['getTreeItem']>[0]) => api.services.tree.getTreeItem(node);

  it('lists the pool and its experts', async () => {
    const [pool] = await children();
    assert.equal(item(pool!).label, 'Tiny pool with random weights');
    const experts = await children(pool);
    assert.equal(experts.length, 4);
    assert.equal(item(experts[0]!).label, 'Zeta');
    assert.match(item(experts[0]!).tooltip as string, /Rank \d/);
  });

  it('shows shares in the last trace, layers, modules and tokens; a token reveals its place', async () => {
    const editor = await show('Geese fly south\nover the lake.');
    const { main, id } = await routed(api, editor);
    const [pool] = await children();
    const experts = await children(pool);
    assert.match(String(item(experts[0]!).description), /%/);
    const groups = (await Promise.all(experts.map((expert) => children(expert)))).flat();
    const layers = (
      await Promise.all(groups.filter(({ kind }) => kind === 'layers').map((group) => children(group)))
    ).flat();
    assert.ok(layers.length > 0);
    const trace = main.trace!;
    const text = trace.sequences[0]!.tokens.start!.filter((start) => start >= 0).length;
    const cells = cellsLed(trace);
    for (const layer of layers) {
      assert.ok(layer.kind === 'layer');
      const led = cells.get(layer.layer.layer)!;
      assert.equal(layer.count, led[layer.expert]);
      assert.equal(layer.count, Math.max(...led), 'no other expert leads more of the layer');
      const modules = await children(layer);
      const below = modules.reduce((sum, module) => sum + (module.kind === 'module' ? module.count : 0), 0);
      assert.equal(below, layer.count, 'its modules add up to it');
      assert.match(String(item(layer).description), new RegExp(`^${layer.count} of ${layer.of}, `));
    }
    assert.deepEqual(
      new Set(layers.map((layer) => layer.kind === 'layer' && layer.layer.layer)),
      new Set(cells.keys()),
      'some expert leads in every layer',
    );
    const tokens = (
      await Promise.all(groups.filter(({ kind }) => kind === 'tokens').map((group) => children(group)))
    ).flat();
    assert.equal(tokens.length, text, 'every token was taken by one expert');
    const counts = groups.filter(({ kind }) => kind === 'tokens').map((group) => String(item(group).description));
    assert.equal(
      counts.reduce((sum, count) => sum + Number(/^(\d+) of /.exec(count)![1]), 0),
      text,
    );
    const last = tokens.find(
      (token) => token.kind === 'token' && token.token === main.trace!.sequences[0]!.tokens.count - 1,
    )!;
    assert.match(String(item(last).description), new RegExp(`^line ${editor.document.lineCount} · \\d+ ?%$`));
    const { command } = item(last);
    await vscode.commands.executeCommand(command!.command, ...(command!.arguments as unknown[]));
    const spans = api.services.store.tokenSpans(id)!;
    const caret = caretOf(editor, spans, spans.start.length - 1);
    await until('the caret', () => editor.document.offsetAt(editor.selection.active) === caret);
  });

  it('is about the text in the panel, and names it; commands called there work on that text', async () => {
    const { store, tree } = api.services;
    const { panels } = await api.features();
    const first = await routed(api, await show('Geese fly south\nover the lake.'));
    panels.show(first);
    const second = await routed(api, await show('SELECT name FROM geese;'));
    panels.show(second);
    await until('the heading names the second text', () => tree.heading === second.main.title);
    const shares = async () => {
      const [pool] = await children();
      return (await children(pool)).map((node) => String(item(node).description));
    };
    const ofSecond = await shares();
    // As when one goes back to the first text's editor.
    await vscode.window.showTextDocument(vscode.Uri.parse(first.uri), { viewColumn: vscode.ViewColumn.One });
    await until('the heading names the first text', () => tree.heading === first.main.title);
    assert.equal(tree.routed?.id, first.id);
    const ofFirst = await shares();
    assert.notDeepEqual(ofFirst, ofSecond);
    assert.equal(store.latest?.id, second.id, 'the last run is still the other');
    // An editor whose text was not routed changes nothing, because the panel still shows the first.
    await show('not routed');
    assert.deepEqual([await shares(), tree.heading], [ofFirst, first.main.title]);
    const [pool] = await children();
    const [expert] = await children(pool);
    await vscode.commands.executeCommand('gander.knockOut', expert);
    assert.equal(store.get(first.id)!.main.interventions.length, 1);
    assert.equal(store.get(second.id)!.main.interventions.length, 0);
  });

  it('is empty, and says what to do, when the pool is missing', async () => {
    await set('pool', '/nowhere/at/all');
    assert.deepEqual(await children(), []);
    await useTinyPool();
    assert.equal((await children()).length, 1);
  });

  it('opens as a view with its own container', async () => {
    await vscode.commands.executeCommand('workbench.view.explorer');
    // A hidden view asks for nothing.
    const { tree } = api.services;
    const ask = tree.getChildren.bind(tree);
    let asked = 0;
    tree.getChildren = (node) => (asked++, ask(node));
    try {
      await vscode.commands.executeCommand('gander.experts.focus');
      await until('the view asks for what is in the pool', () => asked > 0);
    } finally {
      tree.getChildren = ask;
    }
  });

  it('says which parts of a pool are left out', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'gander-pool-'));
    cpSync(tinyPool(), folder, { recursive: true });
    const config = path.join(folder, 'experts/Zeta/adapter_config.json');
    writeFileSync(config, JSON.stringify({ ...(JSON.parse(readFileSync(config, 'utf8')) as object), use_dora: true }));
    await set('pool', folder);
    try {
      const [pool] = await children();
      assert.match(String(item(pool!).description), /3 experts, 1 warning/);
      const warnings = (await children(pool)).filter(({ kind }) => kind === 'warning');
      assert.equal(warnings.length, 1);
      assert.match(item(warnings[0]!).label as string, /Zeta/);
    } finally {
      await useTinyPool();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** For each layer, how many of its cells each expert leads, computed directly from the trace. */
function cellsLed({ modules, blocks, sequences, expertSets }: Trace): Map<number, number[]> {
  const cells = new Map<number, number[]>();
  const [block, { tokens }] = [blocks[0]!, sequences[0]!];
  modules.forEach(({ layer }, module) => {
    const counts = cells.get(layer) ?? expertSets[0]!.experts.map(() => 0);
    cells.set(layer, counts);
    for (let t = 0; t < tokens.count; t++) {
      if (tokens.start![t]! < 0) continue;
      const at = (module * tokens.count + t) * block.k;
      const weights = Array.from(block.weight!.subarray(at, at + block.k));
      const leader = block.chosen[at + weights.indexOf(Math.max(...weights))]!;
      counts[leader]!++;
    }
  });
  return cells;
}

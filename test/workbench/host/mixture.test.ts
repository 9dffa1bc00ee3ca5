// A mixture of experts instead of a pool, from Open Model… to a what-if.
import * as assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import { bundledModels } from '../../../src/product/bundled.js';
import { activate, closeAll, extension, hearing, picking, routed, set, show, until } from './helpers.js';

const folder = () => path.join(extension().extensionPath, 'test/fixtures/moe/mixtral-transformers');

/** What is chosen in the dialog of a command. */
async function choosing(chosen: string, act: () => Thenable<unknown>): Promise<void> {
  const { window } = vscode;
  const dialog = window.showOpenDialog;
  Object.assign(window, { showOpenDialog: () => Promise.resolve([vscode.Uri.file(chosen)]) });
  try {
    await act();
  } finally {
    Object.assign(window, { showOpenDialog: dialog });
  }
}

describe('a mixture of experts', () => {
  let api: TestApi;
  before(async () => {
    api = await activate();
  });
  afterEach(async () => {
    api.services.store.clear();
    await closeAll();
    await set('pool', undefined);
    await set('expertsPerToken', undefined);
  });

  it('is opened from its folder, routes a text and takes what-ifs', async () => {
    await choosing(folder(), () => vscode.commands.executeCommand('gander.openModel'));
    assert.equal(api.services.engines.pool, folder());
    const editor = await show('the model of a goose');
    const { id, main } = await routed(api, editor);
    assert.equal(main.trace?.source.kind, 'moe');
    assert.deepEqual(
      main.trace.expertSets.map(({ scope }) => scope),
      ['layer', 'layer'],
    );
    const { strategy } = main;
    await api.services.runs.route(id, 'main', strategy, [{ action: 'force', expert: '1.5', scope: {} }]);
    const forced = api.services.store.get(id)?.main.trace;
    assert.deepEqual([...(forced?.blocks[0]?.chosen.slice(-2) ?? [])], [5, -1]);
  });

  it('keeps an expert that is knocked out in the tree, and says so', async () => {
    await set('pool', folder());
    const { tree, runs, store } = api.services;
    const { id, main } = await routed(api, await show('the model of a goose'));
    const experts = async () => {
      const nodes = await tree.getChildren({ kind: 'expert-layer', layer: { layer: 1 } });
      return nodes.flatMap((node) => (node.kind === 'layer-expert' ? [{ node, item: tree.getTreeItem(node) }] : []));
    };
    const [first] = await experts();
    const expert = main.trace!.expertSets[1]!.experts[first!.node.expert]!.id;
    await runs.route(id, 'main', main.strategy, [{ action: 'knock-out', expert, scope: {} }]);
    assert.ok(store.get(id)?.main.trace?.interventions.length);
    const last = (await experts()).at(-1)!;
    assert.equal(last.node.expert, first!.node.expert);
    assert.match(String(last.item.description), /^load 0.*knocked out$/);
  });

  it('has its own model card', async () => {
    await set('pool', 'gosling-moe');
    await vscode.commands.executeCommand('gander.openCard');
    const previews = () => vscode.window.tabGroups.activeTabGroup.activeTab;
    await until('the preview', () => previews()?.label.includes('README.md'));
  });

  it('sends a token to the number of experts in the setting', async () => {
    await set('pool', folder());
    await set('expertsPerToken', 3);
    const { main } = await routed(api, await show('the model of a goose'));
    assert.deepEqual(main.strategy, { name: 'native', k: 3 });
    assert.equal(main.trace?.router.k, 3);
    assert.equal(main.trace.blocks[0]?.k, 3);
  });

  it('comes with Gander, and is remembered by name, not by a folder that the next update removes', async () => {
    const [pool, { folder: name, title }] = bundledModels;
    const inUse = () => vscode.workspace.getConfiguration('gander').get('pool');
    const choose = async (label: string) => {
      let marked: string[] = [];
      const answer = (items: readonly vscode.QuickPickItem[]) => {
        marked = items.filter(({ description }) => description === 'current').map((item) => item.label);
        return items.find((item) => item.label === label);
      };
      await picking([answer], async () => vscode.commands.executeCommand('gander.choosePool'));
      return marked;
    };
    assert.deepEqual(await choose(title), [pool.title]);
    assert.equal(inUse(), name);
    assert.equal(api.services.engines.pool, path.join(extension().extensionPath, 'models', name));
    const { main } = await routed(api, await show('def mean(values):\n    return sum(values)\n'));
    assert.equal(main.trace?.source.name, title);
    assert.ok(main.trace.expertSets.every(({ scope }) => scope === 'layer'));
    assert.deepEqual(await choose(pool.title), [title]);
    assert.equal(inUse(), '');
    assert.equal(api.services.engines.pool, api.services.engines.bundledPool);
  });

  it('is refused for a folder without a model', async () => {
    const before = api.services.engines.pool;
    const elsewhere = path.join(extension().extensionPath, 'test/fixtures');
    await choosing(elsewhere, () => vscode.commands.executeCommand('gander.openModel'));
    const adapter = path.join(elsewhere, 'tiny-pool/experts/alpha');
    await choosing(adapter, () => vscode.commands.executeCommand('gander.openModel'));
    assert.equal(api.services.engines.pool, before);
  });

  it('is not looked for in an X-LoRA model, of which the error says how a pool is made', async () => {
    const before = api.services.engines.pool;
    const chosen = path.join(extension().extensionPath, 'test/fixtures/peft/llama/xlora/plain');
    const said = await hearing(() => choosing(chosen, () => vscode.commands.executeCommand('gander.openModel')));
    assert.deepEqual(
      said.map(({ level, text }) => [level, text]),
      [
        [
          'error',
          `${chosen} is an X-LoRA model of PEFT, which cannot be opened as it is: only PEFT knows the order of the modules that it scales. Make a pool of it, its adapters and its base: gander-training import-xlora "${chosen}" --base BASE --out POOL.`,
        ],
      ],
    );
    assert.equal(api.services.engines.pool, before);
  });
});

import * as assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { Services } from '../../../src/commands/services.js';
import type { TestApi } from '../../../src/extension.js';
import { answering, closeAll, extension, hearing, routed, show, tinyPool, until, useTinyPool } from './helpers.js';

describe('a trace file', () => {
  let api: TestApi;
  let traces: Services['traces'];
  const folder = () => vscode.workspace.workspaceFolders![0]!.uri;
  const file = (name: string) => vscode.Uri.joinPath(folder(), `${name}.gander.safetensors`);
  before(async () => {
    api = await useTinyPool();
    ({ traces } = await api.features());
  });
  afterEach(closeAll);

  const save = async (text: string, name: string) => {
    await routed(api, await show(text));
    await hearing(() =>
      answering(
        'showSaveDialog',
        () => file(name),
        async () => {
          await vscode.commands.executeCommand('gander.saveTrace');
        },
      ),
    );
  };
  const openEditors = () =>
    vscode.window.tabGroups.all
      .flatMap(({ tabs }) => tabs)
      .filter(({ input }) => input instanceof vscode.TabInputCustom && input.viewType === 'gander.trace');

  it('is saved, and opens again without an engine', async () => {
    await save('Geese fly south.', 'one');
    const { trace } = api.services.store.latest!.main;
    await closeAll();
    // So that the expert tree is hidden, because it would ask for the pool.
    await vscode.commands.executeCommand('workbench.view.explorer');
    api.services.engines.reload();
    await vscode.commands.executeCommand('vscode.open', file('one'));
    await until('its editor', () => openEditors().length === 1);
    const { scene } = await until('the trace', () => traces.active);
    assert.equal(scene.trace!.sequences[0]!.text, 'Geese fly south.');
    assert.deepEqual(scene.trace!.blocks[0]!.score, trace!.blocks[0]!.score);
    assert.deepEqual(scene.trace!.blocks[0]!.chosen, trace!.blocks[0]!.chosen);
    assert.equal(api.services.engines.state.name, 'stopped');
  });

  it('is compared with another', async () => {
    await save('Geese fly north.', 'two');
    await closeAll();
    await vscode.commands.executeCommand('gander.compareTraces', file('one'), [file('one'), file('two')]);
    const active = await until('the comparison', () => traces.active);
    assert.equal(active.scene.side('main')!.title, 'one.gander.safetensors');
    assert.equal(active.scene.side('other')!.trace!.sequences[0]!.text, 'Geese fly north.');
  });

  it('of another program is shown with its assumptions, and with the files that the person adds', async () => {
    const imports = vscode.Uri.joinPath(extension().extensionUri, 'test/fixtures/imports');
    const ranks = vscode.Uri.joinPath(folder(), 'ranks.csv');
    await vscode.workspace.fs.copy(vscode.Uri.joinPath(imports, 'ranks.csv'), ranks, { overwrite: true });
    await vscode.commands.executeCommand('vscode.openWith', ranks, 'gander.import');
    const { scene } = await until('the import', () => traces.active);
    assert.equal(scene.trace!.sequences[0]!.tokens.count, 18);
    assert.equal(scene.trace!.sequences[0]!.tokens.ids, undefined);
    const [warning] = (await scene.describe()).warnings;
    assert.match(warning!.text, /8 is as many as were seen/);

    const model = vscode.Uri.joinPath(folder(), 'model');
    const tokenizer = vscode.Uri.file(path.join(tinyPool(), 'base/tokenizer.json'));
    await vscode.workspace.fs.copy(tokenizer, vscode.Uri.joinPath(model, 'tokenizer.json'), { overwrite: true });
    await vscode.workspace.fs.copy(
      vscode.Uri.joinPath(imports, 'config.json'),
      vscode.Uri.joinPath(model, 'config.json'),
      { overwrite: true },
    );
    const chosen = [[model], [vscode.Uri.joinPath(imports, 'text.txt')]];
    await answering(
      'showQuickPick',
      (parts) => (parts as readonly vscode.QuickPickItem[]).slice(0, 2),
      () =>
        answering(
          'showOpenDialog',
          () => chosen.shift(),
          async () => {
            await vscode.commands.executeCommand('gander.importRouting', ranks);
          },
        ),
    );
    const named = await until('it again', () => traces.active?.scene !== scene && traces.active);
    assert.equal(named.scene.trace!.sequences[0]!.text, 'def add(a, b): 🪿');
    assert.equal(named.scene.trace!.sequences[0]!.tokens.text![1], 'def');
    assert.deepEqual((await named.scene.describe()).warnings, []);
  });

  it('that is damaged is refused with the remedy', async () => {
    await vscode.workspace.fs.writeFile(file('broken'), new TextEncoder().encode('no trace at all'));
    const said = await hearing(async (heard) => {
      await vscode.commands.executeCommand('vscode.open', file('broken'));
      await until('a message', () => heard.length > 0);
    });
    assert.equal(said.length, 1);
    assert.match(said[0]!.text, /trace/i);
  });
});

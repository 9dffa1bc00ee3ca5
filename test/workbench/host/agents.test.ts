// The tools for agents, as a chat calls them: in the real workbench, on the tiny pool.
import * as assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import { closeAll, extension, set, until, useTinyPool } from './helpers.js';

const text = 'def add(a, b):\n    return a + b\n';
const folder = () => vscode.workspace.workspaceFolders![0]!.uri.fsPath;

async function ask(name: string, input: object = {}, token?: vscode.CancellationToken): Promise<string> {
  const { content } = await vscode.lm.invokeTool(`gander_${name}`, { input, toolInvocationToken: undefined }, token);
  const [first] = content;
  assert.ok(first instanceof vscode.LanguageModelTextPart);
  return first.value;
}

const runIn = (answer: string) => Number(/^Run (\d+):/.exec(answer)![1]);

describe('the tools for agents', () => {
  let api: TestApi;
  const outside = mkdtempSync(path.join(tmpdir(), 'gander-outside-'));

  before(async () => {
    api = await useTinyPool();
    writeFileSync(path.join(outside, 'secret.txt'), 'a secret');
  });

  after(async () => {
    rmSync(outside, { recursive: true, force: true });
    rmSync(path.join(folder(), 'link'), { force: true });
    rmSync(path.join(folder(), 'asked.py'), { force: true });
    await set('pool', undefined);
    await closeAll();
  });

  it('are those of the manifest, with words and parameters', () => {
    const ours = vscode.lm.tools.filter(({ name }) => name.startsWith('gander_'));
    assert.deepEqual(ours.map(({ name }) => name.slice('gander_'.length)).sort(), [
      'compare_runs',
      'describe_expert',
      'explain_token',
      'knock_out_expert',
      'list_models',
      'open_in_panel',
      'route_text',
    ]);
    for (const { description, inputSchema } of ours) {
      assert.match(description, /Use it /);
      assert.ok(inputSchema);
    }
  });

  it('answer as the command line does, and one after the other', async () => {
    const models = await ask('list_models');
    assert.match(models, /`tiny-pool` \(default\)/);
    assert.match(models, /`gosling-moe`/);
    const first = await ask('route_text', { text });
    assert.match(first, /phatgoose:\d on `tiny-pool`/);
    const id = runIn(first);
    assert.match(await ask('explain_token', { run: id, token: 1 }), /^Token 1 of /);
    const without = await ask('knock_out_expert', { run: id, expert: 'Zeta' });
    assert.match(without, /knock-out Zeta on tiny-pool/);
    assert.match(await ask('compare_runs', { run_a: id, run_b: runIn(without) }), /tokens are the same in both/);
    assert.match(await ask('describe_expert', { expert: 'Zeta' }), /There is no atlas of this model here/);
  });

  it('read files of the workspace as they are in the editor, and no others', async () => {
    const file = path.join(folder(), 'asked.py');
    writeFileSync(file, text);
    const document = await vscode.workspace.openTextDocument(file);
    const edit = new vscode.WorkspaceEdit();
    edit.insert(document.uri, new vscode.Position(0, 0), 'birds = 2\n');
    await vscode.workspace.applyEdit(edit);
    assert.match(await ask('route_text', { file_path: file, last_line: 1 }), /`birds`|`b`/);
    await document.save();
    symlinkSync(outside, path.join(folder(), 'link'));
    for (const file_path of [path.join(outside, 'secret.txt'), path.join(folder(), 'link/secret.txt')])
      await assert.rejects(ask('route_text', { file_path }), /was not read: it is in no folder that the user shared/);
  });

  it('say what to do about a call that cannot be answered', async () => {
    const id = runIn(await ask('route_text', { text }));
    await assert.rejects(ask('knock_out_expert', { run: id, expert: 'perl' }), /There is no expert "perl"\. Experts: /);
    await assert.rejects(ask('explain_token', { run: 9999, token: 1 }), /There is no run 9999/);
    await assert.rejects(ask('route_text', { text: 'a '.repeat(100_000) }), /Route a part/);
    await assert.rejects(ask('route_text', { text, model: 'gpt' }), /Models: tiny-pool/);
  });

  it('stop when the chat does', async () => {
    const source = new vscode.CancellationTokenSource();
    const asked = ask('route_text', { text: 'The goose sleeps. '.repeat(900), model: 'smollm2-135m' }, source.token);
    source.cancel();
    await assert.rejects(asked);
    assert.match(await ask('route_text', { text }), /^Run /);
  });

  it('show a run in the panel, beside its text', async () => {
    const id = runIn(await ask('route_text', { text, strategy: 'phatgoose:1' }));
    assert.match(await ask('open_in_panel', { run: id }), /The routing panel shows run/);
    const { panels } = await api.features();
    const shown = await until('the panel', () => panels.following?.scene.routed);
    assert.equal(shown.main.text, text);
    assert.deepEqual(shown.main.strategy, { name: 'phatgoose', k: 1 });
    const other = runIn(await ask('route_text', { text, model: 'gosling-moe' }));
    await assert.rejects(ask('open_in_panel', { run: other }), /runs of the model in use/);
  });

  it('say where a text goes before it goes there', async () => {
    const { agents } = await api.loaded();
    const declared = { name: 'gander_route_text', displayName: 'Gander: Route Text' };
    const message = () => {
      const { title, message: said } = agents.prepare(declared, { text }).confirmationMessages!;
      return { title, said: (said as vscode.MarkdownString).value.replaceAll('&nbsp;', ' ').replaceAll('\\', '') };
    };
    assert.match(message().said, /tiny-pool runs on this machine, and the text stays here\./);
    assert.match(message().said, /def add/);
    await set('engine.address', 'http://gpu.example:8000');
    try {
      assert.match(message().title, /gpu\.example:8000/);
      assert.match(message().said, /is sent to http:\/\/gpu\.example:8000.*without encryption/);
      await assert.rejects(ask('route_text', { text }), /you have not agreed to send text there/);
    } finally {
      await set('engine.address', undefined);
    }
    assert.equal(agents.prepare({ ...declared, name: 'gander_list_models' }, {}).confirmationMessages, undefined);
  });

  it('are offered as a server only where the editor knows such servers, and only if asked for', () => {
    const { contributes } = extension().packageJSON as { contributes: Record<string, { id: string }[]> };
    assert.deepEqual(
      contributes['mcpServerDefinitionProviders']!.map(({ id }) => id),
      ['gander.mcp'],
    );
    assert.equal(vscode.workspace.getConfiguration('gander').get('mcpServer'), false);
  });
});

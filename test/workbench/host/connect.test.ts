// A server instead of a pool, from Connect to Engine… to a routed text and back; every question is answered here.
import * as assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import { type Handler, listen, type Listening } from '../../servers/http.js';
import { knowing, vllm } from '../../servers/vllm.js';
import { activate, answering, closeAll, extension, hearing, picking, routed, set, show, tinyPool } from './helpers.js';

const text = 'the model of a goose';
const config = () => path.join(extension().extensionPath, 'test/fixtures/imports/config.json');
const goOn = (items: readonly vscode.QuickPickItem[]) => items[0];
const labelled = (part: string) => (items: readonly vscode.QuickPickItem[]) =>
  items.find(({ label, detail }) => label.includes(part) || detail?.includes(part));
/** The requests that contain the text. */
const sent = ({ asked }: Listening) => asked.filter(({ body }) => JSON.stringify(body ?? {}).includes('goose'));

describe('a server instead of a pool', () => {
  let api: TestApi;
  const servers: Listening[] = [];
  const serving = async (handler: Handler) => {
    const server = await listen(handler);
    servers.push(server);
    return server;
  };
  /** Runs the command, types the answers in this order, and answers the modal dialog. */
  const connect = async (
    typed: string[],
    agree: boolean,
    picks: Parameters<typeof picking>[0] = [goOn],
  ): ReturnType<typeof hearing> =>
    hearing(
      () =>
        picking(picks, () =>
          answering(
            'showInputBox',
            () => typed.shift(),
            async () => vscode.commands.executeCommand('gander.connectEngine'),
          ),
        ),
      ({ actions }) => (agree && actions.includes('Connect') ? 'Connect' : undefined),
    );

  before(async () => {
    knowing(text);
    api = await activate();
  });
  afterEach(async () => {
    api.services.store.clear();
    await closeAll();
    for (const { address } of api.services.engines.servers.known) await api.services.engines.servers.forget(address);
    await set('engine.address', undefined);
    await set('pool', undefined);
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  it('is connected to after the person agrees where text goes, routes, and is replaced by a pool again', async () => {
    const server = await serving(vllm({ version: '0.22.1' }));
    const said = await connect([server.address], true);
    assert.deepEqual(
      said.map(({ text: message, level }) => [level, message]),
      [['warning', `Send text to ${server.address}?`]],
    );
    assert.deepEqual(sent(server), [], 'no text before it was agreed to, and none by it');
    assert.equal(api.services.engines.address, server.address);
    const { main } = await routed(api, await show(text));
    assert.equal(main.trace?.source.kind, 'vllm');
    assert.equal(sent(server).length, 1);
    await set('pool', tinyPool());
    await picking([labelled(tinyPool())], async () => vscode.commands.executeCommand('gander.choosePool'));
    assert.equal(api.services.engines.address, undefined);
    const local = await routed(api, await show(text));
    assert.equal(local.main.trace?.source.kind, 'pool');
    assert.equal(sent(server).length, 1);
  });

  it('is compared with the pool in use, and asked for nothing else', async () => {
    const server = await serving(vllm({ version: '0.22.1' }));
    await connect([server.address], true);
    await set('engine.address', undefined);
    await set('pool', tinyPool());
    const { id } = await routed(api, await show(text));
    assert.deepEqual(sent(server), []);
    await picking([labelled('Another Engine'), labelled(server.address)], async () =>
      vscode.commands.executeCommand('gander.compareWith'),
    );
    const { main, other } = api.services.store.get(id)!;
    assert.equal(main.trace?.source.kind, 'pool');
    assert.equal(other?.trace?.source.kind, 'vllm');
    assert.equal(other.trace.sequences[0]!.text, text);
    assert.equal(sent(server).length, 1);
    assert.equal(api.services.engines.address, undefined);
    await picking([labelled('Another Engine'), labelled('twelve experts')], async () =>
      vscode.commands.executeCommand('gander.compareWith'),
    );
    assert.equal(api.services.store.get(id)!.other?.trace?.source.name, 'SmolLM2-135M with twelve experts');
    assert.equal(sent(server).length, 1);
  });

  it('gets nothing without agreement, or if only the settings name it, and nothing runs on this machine instead', async () => {
    const server = await serving(vllm({ version: '0.22.1' }));
    await connect([server.address], false);
    assert.equal(api.services.engines.address, undefined);
    assert.deepEqual(api.services.engines.servers.known, []);
    await set('engine.address', server.address);
    const before = server.asked.length;
    const said = await hearing(async () => {
      await show(text);
      await vscode.commands.executeCommand('gander.routeSelection');
    });
    assert.match(said[0]!.text, /^Nothing was sent to .+: you have not agreed to send text there\./);
    assert.deepEqual(said[0]!.actions, ['Connect to Engine']);
    assert.equal(server.asked.length, before);
    assert.equal(api.services.store.latest?.main.trace, undefined);
  });

  it('that asks for a token gets the one that is typed, which is remembered', async () => {
    const server = await serving(vllm({ version: '0.22.1', token: 'right' }));
    await connect([server.address, 'wrong', 'right'], true);
    assert.equal(api.services.engines.address, server.address);
    assert.equal(await api.services.engines.servers.token(server.address), 'right');
    const { main } = await routed(api, await show(text));
    assert.equal(main.trace?.source.kind, 'vllm');
    assert.equal(JSON.stringify(vscode.workspace.getConfiguration('gander')).includes('right'), false);
  });

  it('on another machine, over http, gives a warning about encryption before a token is typed', async () => {
    const server = await serving(vllm({ version: '0.22.1', token: 'right' }));
    const prompts: string[] = [];
    const elsewhere = server.address.replace('127.0.0.1', '0.0.0.0');
    await hearing(() =>
      answering(
        'showInputBox',
        (box) => {
          prompts.push((box as vscode.InputBoxOptions).prompt ?? '');
          return prompts.length === 1 ? elsewhere : undefined;
        },
        async () => vscode.commands.executeCommand('gander.connectEngine'),
      ),
    );
    assert.match(prompts[1]!, /asks for a token\..*without encryption/);
    assert.equal(
      server.asked.some(({ headers }) => headers.authorization !== undefined),
      false,
    );
  });

  it('is remembered, can be chosen again without a question, and is forgotten together with its token', async () => {
    const [one, other] = [
      await serving(vllm({ version: '0.22.1', token: 'first' })),
      await serving(vllm({ version: '0.21.0' })),
    ];
    await connect([one.address, 'first'], true);
    await connect([other.address], true, [labelled('Another Address'), goOn]);
    assert.deepEqual(
      api.services.engines.servers.known.map(({ address }) => address),
      [other.address, one.address],
    );
    const said = await connect([], false, [labelled(one.address), goOn]);
    assert.deepEqual(said, []);
    assert.equal(api.services.engines.address, one.address);
    await connect([], false, [labelled('Forget One'), labelled(one.address)]);
    assert.equal(api.services.engines.address, undefined);
    assert.equal(await api.services.engines.servers.token(one.address), undefined);
  });

  it('is shown with its model’s config.json, if the person has one', async () => {
    const server = await serving(vllm({ version: '0.22.1' }));
    await answering(
      'showOpenDialog',
      () => [vscode.Uri.file(config())],
      () => connect([server.address], true, [labelled('config.json')]),
    );
    const { experts, warnings, expertSets } = await api.services.service.describe();
    assert.deepEqual([experts, warnings, expertSets?.map((one) => one.experts.length)], [[], [], [8, 8]]);
    const { main } = await routed(api, await show(text));
    assert.equal(main.trace?.expertSets[0]?.experts.length, 8);
  });

  it('that is gone gives an error, and nothing runs on this machine instead', async () => {
    const server = await serving(vllm({ version: '0.22.1' }));
    await connect([server.address], true);
    await server.close();
    const said = await hearing(async () => {
      await show(text);
      await vscode.commands.executeCommand('gander.routeSelection');
    });
    assert.equal(said.length, 1);
    assert.match(said[0]!.text, /cannot be reached: ECONNREFUSED\. Check that it is running/);
    assert.equal(api.services.engines.address, server.address);
  });

  it('has no experts that can be changed from here', async () => {
    const server = await serving(vllm({ version: '0.22.1' }));
    await connect([server.address], true);
    assert.throws(() => api.services.engines.engine, /its experts are not on this machine/);
    await assert.rejects(api.services.service.pool(), /not a pool on this machine/);
    await assert.rejects(api.services.service.attribute({ text }), /does not let its routers be changed/);
  });
});

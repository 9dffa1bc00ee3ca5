// A pool on a tiny T5: the selection is read, the output is written or given.
import * as assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import {
  activate,
  answering,
  closeAll,
  extension,
  hearing,
  hover,
  routed,
  select,
  set,
  show,
  tinyPool,
} from './helpers.js';

const pool = () => path.join(extension().extensionPath, 'test/fixtures/tiny-t5');
const text = 'why does the farmer count sheep?';
const target = 'the gate was open.';

describe('an encoder-decoder', () => {
  let api: TestApi;
  before(async () => {
    api = await activate();
  });
  beforeEach(async () => {
    await set('pool', pool());
    await set('outputTokens', 5);
  });
  afterEach(async () => {
    api.services.store.clear();
    await closeAll();
    await set('outputTokens', undefined);
    await set('pool', undefined);
  });

  const latest = () => {
    const found = api.services.store.latest;
    assert.ok(found?.main.trace);
    return { routed: found, sequences: found.main.trace.sequences };
  };

  it('writes an output no longer than in the setting, which no editor shows', async () => {
    const editor = await show(text);
    const { id, main } = await routed(api, editor);
    assert.deepEqual(
      main.trace?.sequences.map(({ role, tokens }) => [role, tokens.count]),
      [
        ['input', 12],
        ['output', 6],
      ],
    );
    assert.equal(api.services.store.tokenSpans(id)?.start.length, 12);
    assert.match(await hover(editor.document, text.indexOf('sheep')), /Of the input[^]*P3/);
  });

  it('takes the second of two selections as its output', async () => {
    const editor = await show(`${text}\n${target}\n`);
    select(editor, target, text);
    await vscode.commands.executeCommand('gander.routeWithTarget');
    const { sequences, routed: found } = latest();
    assert.deepEqual(
      sequences.map((sequence) => sequence.text),
      [text, target],
    );
    assert.deepEqual(found.span, { start: 0, end: text.length });
    // Later requests for the range use the same output.
    const { strategy } = found.main;
    await api.services.runs.route(found.id, 'main', strategy, [
      { action: 'knock-out', expert: '03-P3Samsum', scope: {} },
    ]);
    assert.equal(latest().sequences[1]?.text, target);
    assert.equal(latest().routed.main.before?.sequences[1]?.text, target);
    const attribution = await api.services.runs.attribute(found.id);
    assert.equal(attribution?.logProb.length, latest().sequences[1]?.tokens.count);
  });

  it('takes a typed output, and runs nothing if none is typed', async () => {
    await show(text);
    await answering(
      'showInputBox',
      () => target,
      async () => vscode.commands.executeCommand('gander.routeWithTarget'),
    );
    assert.equal(latest().sequences[1]?.text, target);
    api.services.store.clear();
    await answering(
      'showInputBox',
      () => undefined,
      async () => vscode.commands.executeCommand('gander.routeWithTarget'),
    );
    assert.equal(api.services.store.latest, undefined);
  });

  it('is also routed with a target for another extension', async () => {
    const trace = await api.route(text, { target });
    assert.equal(trace.sequences[1]?.text, target);
  });

  it('refuses a third selection, and a target for a model that takes none', async () => {
    const editor = await show(`${text} ${target} geese`);
    select(editor, text, target, 'geese');
    const run = () =>
      hearing(async () => {
        await vscode.commands.executeCommand('gander.routeWithTarget');
      });
    assert.match((await run())[0]!.text, /More than two texts are selected/);
    await set('pool', tinyPool());
    assert.match((await run())[0]!.text, /takes no target/);
  });
});

import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { underlines } from '../../../src/editor/underlines.js';
import type { TestApi } from '../../../src/extension.js';
import type { Routed } from '../../../src/routing/store.js';
import { closeAll, hearing, hover, routed, select, set, show, until, useTinyPool } from './helpers.js';

const text = 'The quick brown fox jumps over the lazy dog.\nSELECT name FROM birds;\n';

describe('routing a text', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(closeAll);

  it('routes all of an untitled document and opens a panel beside it', async () => {
    const editor = await show(text);
    const { main, span } = await routed(api, editor);
    assert.deepEqual(span, { start: 0, end: text.length });
    assert.equal(main.trace!.sequences[0]!.text, text);
    assert.equal(main.trace!.sequences[0]!.done, main.trace!.sequences[0]!.tokens.count);
    const labels = () => vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).map(({ label }) => label);
    await until('the panel', () => labels().some((label) => label.startsWith('Routing: ')));
    assert.equal(vscode.window.activeTextEditor?.document, editor.document, 'the focus stays in the text');
  });

  it('routes several selections one by one', async () => {
    const editor = await show(text);
    select(editor, 'brown fox', 'SELECT name');
    await vscode.commands.executeCommand('gander.routeSelection');
    const all = api.services.store.of(editor.document.uri.toString());
    assert.deepEqual(all.map(({ main }) => main.trace!.sequences[0]!.text).reverse(), ['brown fox', 'SELECT name']);
  });

  it('answers a hover from the store, without a run', async () => {
    const editor = await show(text);
    await routed(api, editor);
    const busy: boolean[] = [];
    const listening = api.services.engines.onDidChangeState((state) => busy.push(state.name === 'ready' && state.busy));
    const found = await hover(editor.document, text.indexOf('fox') + 1);
    listening.dispose();
    assert.match(found, /PHATGOOSE/);
    assert.match(found, /█/);
    assert.match(found, /%/);
    assert.match(found, /Probability/);
    assert.deepEqual(busy, []);
  });

  it('shows no hover if nothing was routed', async () => {
    const editor = await show(text);
    select(editor, 'SELECT name');
    await routed(api, editor);
    assert.equal(await hover(editor.document, 5), '');
  });

  it('moves with edits, goes stale, and is fresh again after undo', async () => {
    const editor = await show(text);
    select(editor, 'SELECT name');
    const { id } = await routed(api, editor);
    const start = text.indexOf('SELECT');
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), 'Well. '));
    assert.deepEqual(api.services.store.get(id)!.span, { start: start + 6, end: start + 17 });
    assert.equal(api.services.store.get(id)!.stale, false);
    assert.match(await hover(editor.document, start + 8), /Gander/);
    await editor.edit((edit) => edit.insert(editor.document.positionAt(start + 13), 'X'));
    assert.equal(api.services.store.get(id)!.stale, true);
    const before = await hover(editor.document, start + 8);
    assert.match(before, /Gander/);
    assert.doesNotMatch(before, /has.changed/);
    assert.match(await hover(editor.document, start + 17), /has.changed/);
    await vscode.commands.executeCommand('undo');
    await until('fresh again', () => !api.services.store.get(id)!.stale);
  });

  it('gives results to other extensions', async () => {
    const heard: string[] = [];
    const listening = api.onDidRoute(({ trace }) => heard.push(trace.sequences[0]!.text!));
    const editor = await show('Told to others.');
    await routed(api, editor);
    listening.dispose();
    assert.deepEqual(heard, ['Told to others.']);
    const trace = await api.route('Told to others.');
    const [sequence, block] = [trace.sequences[0]!, trace.blocks[0]!];
    assert.equal(sequence.text, 'Told to others.');
    assert.equal(block.score!.length, trace.modules.length * sequence.tokens.count * block.experts);
  });

  it('rejects requests of other extensions with a code and a remedy', async () => {
    await assert.rejects(
      api.route('x', { strategy: { name: 'single', expert: 'nobody' } }),
      (error: { code?: string; remedy?: string }) => {
        assert.ok(error.code);
        assert.ok(error.remedy);
        return true;
      },
    );
  });

  it('refuses nonsense from other extensions with a code, and serves the next request', async () => {
    const strategy = { name: 'phatgoose', k: 1 };
    const nonsense: [unknown, unknown?][] = [
      [null],
      [5],
      ['x', null],
      ['x', { strategy: { name: 'phatgoose' } }],
      ['x', { strategy: { name: 'phatgoose', k: NaN } }],
      ['x', { strategy: { name: 'phatgoose', k: 1n } }],
      ['x', { strategy: { name: 'magic' } }],
      ['x', { strategy, interventions: [{ action: 'bless', expert: 'alpha', scope: {} }] }],
      ['x', { strategy, interventions: [{ action: 'logit-bias', expert: 'alpha', amount: NaN, scope: {} }] }],
      ['x', { strategy, interventions: [() => 1] }],
      ['x', { signal: 'now' }],
      ['x', { onProgress: 5 }],
    ];
    for (const [text, options] of nonsense)
      await assert.rejects(api.route(text as string, options as object | undefined), { code: 'request-invalid' });
    const onProgress = () => {
      throw new Error('mine');
    };
    await assert.rejects(api.route('A listener that throws.', { onProgress }), { code: 'request-invalid' });
    assert.equal((await api.route('And the next.')).sequences[0]!.text, 'And the next.');
  });

  it('routes a notebook cell', async () => {
    const cell = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, 'print("honk")', 'python');
    const notebook = await vscode.workspace.openNotebookDocument('jupyter-notebook', new vscode.NotebookData([cell]));
    const { document } = notebook.cellAt(0);
    const { main } = await api.services.documentRouter.route(document, { start: 0, end: document.getText().length });
    assert.equal(main.trace!.sequences[0]!.text, 'print("honk")');
    assert.match(await hover(document, 2), /Gander/);
  });

  it('keeps a text that was stopped before its first token, and routes it when asked again', async () => {
    const document = await vscode.workspace.openTextDocument({ content: 'Stopped geese.' });
    const { documentRouter, store } = api.services;
    const span = { start: 0, end: document.getText().length };
    await assert.rejects(documentRouter.route(document, span, { signal: AbortSignal.abort() }), { code: 'cancelled' });
    const [kept] = store.of(document.uri.toString());
    assert.equal(kept!.main.error?.code, 'cancelled');
    assert.equal(kept!.main.trace, undefined);
    const { main } = await documentRouter.route(document, span);
    assert.equal(main.trace!.sequences[0]!.text, 'Stopped geese.');
    assert.deepEqual(
      store.of(document.uri.toString()).map(({ main: { error } }) => error),
      [undefined],
    );
  });

  it('runs what another model ran with, without the what-ifs and the strategy that this one has no experts for', async () => {
    const document = await vscode.workspace.openTextDocument({ content: 'Geese of another model.' });
    const { documentRouter, service } = api.services;
    const [expert] = (await service.describe()).experts;
    const out = (id: string) => ({ action: 'knock-out', expert: id, scope: {} }) as const;
    const asked = { strategy: { name: 'phatgoose', k: 99 }, interventions: [out('nobody'), out(expert!.id)] };
    const span = { start: 0, end: document.getText().length };
    const { main } = await documentRouter.route(document, span, { ...asked, model: 'another model' });
    assert.deepEqual(main.interventions, [out(expert!.id)]);
    assert.equal(main.lacksExperts, true);
    assert.equal(main.strategy.k, 2);
    assert.equal(main.trace!.sequences[0]!.done, main.trace!.sequences[0]!.tokens.count);
    await assert.rejects(documentRouter.route(document, span, { interventions: [out('nobody')] }), {
      code: 'request-invalid',
    });
  });

  it('routes a read-only document that is not on the disk', async () => {
    const uri = vscode.Uri.parse('honk:/far/away.txt');
    const provider = vscode.workspace.registerTextDocumentContentProvider('honk', {
      provideTextDocumentContent: () => 'Far away geese.',
    });
    const editor = await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
    assert.equal((await routed(api, editor)).main.trace!.sequences[0]!.text, 'Far away geese.');
    provider.dispose();
  });

  it('routes a side of a diff', async () => {
    const [left, right] = [
      await vscode.workspace.openTextDocument({ content: 'one goose' }),
      await vscode.workspace.openTextDocument({ content: 'two geese' }),
    ];
    await vscode.commands.executeCommand('vscode.diff', left.uri, right.uri, 'diff');
    const editor = await until('the diff', () => vscode.window.activeTextEditor);
    assert.equal((await routed(api, editor)).main.trace!.sequences[0]!.text, editor.document.getText());
  });

  it('shows one panel, which follows the editor, and another once that is pinned', async () => {
    const { panels } = await api.features();
    const open = () =>
      vscode.window.tabGroups.all
        .flatMap(({ tabs }) => tabs)
        .filter(({ input }) => input instanceof vscode.TabInputWebview);
    const first = await show(text);
    const one = await routed(api, first);
    const second = await show('two geese fly');
    const two = await routed(api, second);
    assert.equal(panels.following!.scene.id, two.id);
    assert.equal(open().length, 1);

    await vscode.window.showTextDocument(first.document, vscode.ViewColumn.One);
    await until('the text of the active editor', () => panels.following!.scene.id === one.id);
    await until('its name', () => open()[0]!.label === `Routing: ${one.main.title}`);
    // An editor whose text was not routed has nothing to show.
    await show('not routed');
    assert.equal(panels.following!.scene.id, one.id);

    await vscode.commands.executeCommand('gander.pinPanel');
    const editor = await vscode.window.showTextDocument(first.document, vscode.ViewColumn.One);
    select(editor, 'SELECT name');
    const part = await routed(api, editor);
    await until('two panels', () => open().length === 2);
    assert.equal(panels.find(part.id)!.scene.pinned, false);

    // Of two panels that both follow the editor, one would be too many, and closing it would lose what it shows.
    panels.pin(panels.find(one.id)!, false);
    assert.equal(panels.following!.scene.id, one.id);
    assert.equal(panels.find(part.id)!.scene.pinned, true);
    const names = [`Routing: ${one.main.title}`, `Routing (pinned): ${part.main.title}`];
    await until('their names', () => names.every((name) => open().some(({ label }) => label === name)));
    assert.equal(open().length, 2);
  });

  it('draws no decorations while they are off', async () => {
    await set('decorations', false);
    const editor = await show(text);
    const { main } = await routed(api, editor);
    const { document } = editor;
    const underlined = () => [...underlines(api.services.store, document, api.services.colours).bySlot.values()].flat();
    assert.deepEqual(underlined(), []);
    await vscode.commands.executeCommand('gander.toggleDecorations');
    const covered = underlined().reduce((sum, range) => sum + document.getText(range).length, 0);
    assert.equal(covered, main.trace!.sequences[0]!.text!.length, 'once they are on, every token has a line');
  });
});

describe('what cannot be routed', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(closeAll);

  const refused = async (content: string) => {
    await show(content);
    return hearing(async () => {
      await vscode.commands.executeCommand('gander.routeSelection');
    });
  };

  it('includes an empty document: one message with the remedy', async () => {
    const said = await refused('');
    assert.equal(said.length, 1);
    assert.match(said[0]!.text, /no text.*select some text/i);
  });

  it('includes a binary file: one message with the remedy', async () => {
    const said = await refused('PNG\0\0\0\u0001\u0002');
    assert.equal(said.length, 1);
    assert.match(said[0]!.text, /binary.*Open a text file/i);
  });

  const tooLong = 'geese fly south. '.repeat(300_000);

  const firstPart = (editor: vscode.TextEditor) =>
    until('the first part', () => {
      const found = api.services.store.of(editor.document.uri.toString())[0];
      return found?.main.trace && !found.main.running ? found.main.trace.sequences[0]!.tokens.count : undefined;
    });

  it('includes 5 MB: the panel says so and routes the first part, without another message', async () => {
    const editor = await show(tooLong);
    const said = await hearing(async () => {
      await vscode.commands.executeCommand('gander.routeSelection');
    });
    assert.deepEqual(said, []);
    const [{ id, main }] = api.services.store.of(editor.document.uri.toString()) as [Routed];
    assert.match(main.error!.message, /5100000|5,100,000/);
    const { panels } = await api.features();
    await panels.find(id)!.scene.handle({ type: 'firstPart' });
    assert.ok((await firstPart(editor)) > 10);
  });

  it('includes 5 MB with the panel closed: one message that offers to route the first part, which works', async () => {
    const editor = await show(tooLong);
    const { panels } = await api.features();
    const unlisten = api.services.store.onChange(({ routed: { id, main } }) => {
      if (main.error) panels.find(id)?.panel.dispose();
    });
    let said;
    try {
      said = await hearing(
        async () => {
          await vscode.commands.executeCommand('gander.routeSelection');
          assert.ok((await firstPart(editor)) > 10);
        },
        () => 'Route First Part',
      );
    } finally {
      unlisten();
    }
    assert.equal(said.length, 1);
    assert.match(said[0]!.text, /5100000|5,100,000/);
    assert.deepEqual(said[0]!.actions, ['Route First Part']);
  });

  it('includes nothing at all: commands say what to do first', async () => {
    await closeAll();
    await until('no editor', () => !vscode.window.activeTextEditor);
    for (const command of ['gander.routeSelection', 'gander.saveTrace', 'gander.attribute']) {
      api.services.store.clear();
      const said = await hearing(async () => {
        await vscode.commands.executeCommand(command);
      });
      assert.equal(said.length, 1, command);
      assert.match(said[0]!.text, /Route Selection/, command);
    }
  });

  it('includes anything with a missing or damaged pool: one message with the remedy, and the next pool works', async () => {
    await show('geese');
    await set('pool', '/nowhere/at/all');
    const said = await hearing(async () => {
      await vscode.commands.executeCommand('gander.routeSelection');
    });
    assert.equal(said.length, 1);
    assert.deepEqual(said[0]!.actions, ['Choose Model']);
    await useTinyPool();
    const editor = vscode.window.activeTextEditor!;
    assert.equal((await routed(api, editor)).main.trace!.sequences[0]!.text, 'geese');
  });
});

describe('the bundled pool', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
    await set('pool', undefined);
  });
  after(useTinyPool);
  afterEach(closeAll);

  it('is used when nothing is set, and answers a hover', async () => {
    const editor = await show('def total(rows):\n    return sum(row["price"] for row in rows)\n');
    const { main } = await routed(api, editor);
    assert.equal(main.trace!.expertSets[0]!.experts.length, 12);
    assert.match(await hover(editor.document, 20), /^Python +█/m);
  });
});

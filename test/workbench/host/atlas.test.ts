// An atlas in the editor: made of a folder in the background, stopped and continued, opened, named, and seen in tree and hover.
import * as assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import type { AtlasCalls, AtlasMessage, OwnName } from '../../../src/atlas/protocol.js';
import type { Services } from '../../../src/commands/services.js';
import type { TestApi } from '../../../src/extension.js';
import { answering, closeAll, extension, hearing, hover, routed, set, show, until, useTinyPool } from './helpers.js';

const folder = () => vscode.workspace.workspaceFolders![0]!.uri.fsPath;
const target = (name: string) => path.join(folder(), `${name}.gander-atlas`);

/** Two labels; with enough documents that a run can be stopped. */
function texts(name: string, documents: number): string {
  const corpus = path.join(folder(), name);
  for (const label of ['code', 'prose']) mkdirSync(path.join(corpus, label), { recursive: true });
  for (let i = 0; i < documents; i++) {
    writeFileSync(path.join(corpus, `code/${i}.py`), `def f${i}(a, b):\r\n    return a + ${i} * b\r\n`);
    writeFileSync(path.join(corpus, `prose/${i}.txt`), `The cat sat on mat ${i}, and the mat was flat.\n`);
  }
  return corpus;
}

type Answer = (text: string) => string | undefined;

/** Runs Make Atlas… on a folder. @param answer to the messages after its question */
async function making(corpus: string, atlas: string, answer: Answer, body: () => Promise<unknown>) {
  return hearing(
    () =>
      answering(
        'showQuickPick',
        (items) => (items as readonly vscode.QuickPickItem[])[0],
        () =>
          answering(
            'showSaveDialog',
            () => vscode.Uri.file(atlas),
            async () => {
              await vscode.commands.executeCommand('gander.makeAtlas', vscode.Uri.file(corpus));
              await body();
            },
          ),
      ),
    ({ text, actions }) => (actions.includes('Make Atlas…') ? 'Make Atlas…' : answer(text)),
  );
}

/** A page as the host sees it: what it was sent, and a way to ask. */
class FakePage {
  readonly posted: (AtlasMessage | { readonly type: string; readonly id?: number })[] = [];
  readonly #said = new vscode.EventEmitter<unknown>();
  readonly #disposed = new vscode.EventEmitter<void>();
  #lastId = 0;

  readonly panel = {
    webview: {
      options: {},
      html: '',
      cspSource: '',
      asWebviewUri: (uri: vscode.Uri) => uri,
      onDidReceiveMessage: this.#said.event,
      postMessage: (message: AtlasMessage) => Promise.resolve(this.posted.push(message) > 0),
    },
    visible: true,
    onDidChangeViewState: new vscode.EventEmitter<unknown>().event,
    onDidDispose: this.#disposed.event,
  } as unknown as vscode.WebviewPanel;

  say(message: unknown): void {
    this.#said.fire(message);
  }

  async ask<N extends keyof AtlasCalls>(name: N, request: AtlasCalls[N]['request']): Promise<AtlasCalls[N]['result']> {
    const id = ++this.#lastId;
    this.say({ type: 'call', id, name, request, partial: false });
    const answer = await until(name, () => this.posted.find((one) => 'id' in one && one.id === id));
    if ('error' in answer) throw Object.assign(new Error(), answer.error);
    return (answer as unknown as { readonly result: AtlasCalls[N]['result'] }).result;
  }

  of<T extends AtlasMessage['type']>(type: T): Extract<AtlasMessage, { type: T }>[] {
    return this.posted.filter((one) => one.type === type) as Extract<AtlasMessage, { type: T }>[];
  }

  close(): void {
    this.#disposed.fire();
  }
}

describe('an atlas', function () {
  this.timeout(120_000);
  let api: TestApi;
  let services: Services;
  before(async () => {
    api = await useTinyPool();
    services = await api.features();
    const atlas = target('small');
    const heard = await making(
      texts('small', 8),
      atlas,
      () => undefined,
      () => until('the atlas', () => api.services.atlases.present === atlas),
    );
    const [question, made] = heard;
    assert.match(question!.text, /Make an atlas/);
    assert.match(made!.text, /^small is made: 16 documents, [\d,]+ tokens\.$/);
    assert.equal(heard.length, 2);
  });
  afterEach(closeAll);
  after(async () => {
    for (const name of ['small', 'large']) rmSync(target(name), { recursive: true, force: true });
    await set('pool', undefined);
  });

  const open = async () => {
    const page = new FakePage();
    const document = services.atlasEditor.openCustomDocument(vscode.Uri.file(path.join(target('small'), 'atlas.json')));
    await services.atlasEditor.resolveCustomEditor(document, page.panel);
    page.say({ type: 'ready' });
    return page;
  };
  const expertItem = async (index: number) => {
    const { tree } = api.services;
    const [pool] = await tree.getChildren();
    const node = (await tree.getChildren(pool))[index]!;
    assert.ok(node.kind === 'expert');
    return { node, item: tree.getTreeItem(node) };
  };
  const keyOf = (id: string) => api.services.atlases.unit(undefined, id)!.key;

  it('opens with everything that its page shows at once, and answers what it asks', async () => {
    const page = await open();
    const [{ title, about, experts, names }] = page.of('atlas') as [Extract<AtlasMessage, { type: 'atlas' }>];
    assert.equal(title, 'small');
    assert.deepEqual(about.corpus.labels, ['code', 'prose']);
    assert.equal(about.run.hash, (await api.services.service.describe()).hash);
    assert.deepEqual(names, []);
    const unit = { stack: null, layer: null, expert: 0 };
    const [row] = experts.filter(({ layer, expert }) => layer === null && expert === 0);
    const contexts = await page.ask('rows', { table: 'contexts', where: { ...unit, kind: 'random' } });
    assert.ok(contexts.length > 0);
    assert.ok((await page.ask('find', { token: 'mat' })).every(({ token }) => String(token).includes('mat')));
    const shares = await page.ask('text', { text: 'def f(a): return a' });
    const overAll = shares.filter(({ layer }) => layer === null);
    assert.ok(Math.abs(overAll.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-6);
    assert.ok(typeof row!['load'] === 'number');
    page.close();
  });

  it('opens a context where it is, and routes it there; says if it has changed', async () => {
    const page = await open();
    const [context] = await page.ask('rows', { table: 'contexts', where: { layer: null, expert: 0, kind: 'top' } });
    const { document, start, end, text } = context as unknown as {
      readonly document: string;
      readonly start: number;
      readonly end: number;
      readonly text: string;
    };
    const silent = await hearing(() => page.ask('open', { document, start, end }));
    assert.deepEqual(silent, []);
    const editor = vscode.window.activeTextEditor!;
    assert.equal(path.resolve(editor.document.uri.fsPath), path.resolve(document));
    assert.equal(editor.document.getText(editor.selection).trim(), text.trim());
    const [range] = api.services.store.of(editor.document.uri.toString());
    assert.ok(range?.main.trace, 'it is routed');
    const content = readFileSync(document);
    appendFileSync(document, 'More.\n');
    try {
      const said = await hearing(() => page.ask('open', { document, start, end }));
      assert.match(said[0]!.text, /has changed since the atlas was made/);
    } finally {
      writeFileSync(document, content);
    }
    await assert.rejects(page.ask('open', { document: '/etc/passwd', start: 0, end: 1 }), { code: 'request-invalid' });
    page.close();
  });

  it('tells of a text that it is of another model', async () => {
    const page = await open();
    await set('pool', path.join(extension().extensionPath, 'test/fixtures/moe/mixtral-transformers'));
    await assert.rejects(
      page.ask('text', { text: 'geese' }),
      ({ code, message }: { readonly code: string; readonly message: string }) =>
        code === 'request-invalid' && message.includes('Tiny pool with random weights'),
    );
    assert.equal(api.services.atlases.present, undefined);
    await useTinyPool();
    await api.services.service.describe();
    await until('the atlas again', () => api.services.atlases.present === target('small'));
    page.close();
  });

  it('keeps a name, shows it on every page, in the tree and in the hover, and leads to its unit', async () => {
    const [one, other] = [await open(), await open()];
    const editor = await show('Geese fly south over the lake.');
    await routed(api, editor);
    const { node, item: before } = await expertItem(0);
    const unit = keyOf(node.expert.id);
    const name: OwnName = { ...unit, name: 'closing *brackets*', note: 'as in JSON' };
    await one.ask('name', name);
    for (const page of [one, other]) assert.deepEqual(page.of('names').at(-1)?.names, [name]);
    assert.ok(existsSync(path.join(target('small'), 'names.json')));
    const { item } = await expertItem(0);
    assert.equal(item.description, `${String(before.description).split(' · ')[0]} · closing *brackets*`);
    assert.match(item.tooltip as string, /In the atlas: closing \*brackets\*\nLoad in the atlas: \d.*% \(chance 25%\)/);
    const all = await Promise.all(Array.from({ length: 20 }, (_, offset) => hover(editor.document, offset)));
    const text = all.find((shown) => shown.includes('closing'));
    assert.ok(text, 'the hover of some token says the name');
    assert.match(text, /Show in the atlas\]\(command:gander\.showInAtlas\?/);
    await vscode.commands.executeCommand('gander.showInAtlas', node);
    for (const page of [one, other]) assert.deepEqual(page.of('unit').at(-1)?.unit, unit);
    one.close();
    other.close();
  });

  it('is stopped, says that what is done is kept, and continues', async () => {
    const atlas = target('large');
    const journal = `${atlas}.journal`;
    const corpus = texts('large', 60);
    const said = await making(
      corpus,
      atlas,
      (text) => (text.startsWith('Stopped') ? 'Continue' : undefined),
      async () => {
        await until('a journal', () => existsSync(journal));
        assert.deepEqual(
          api.services.making.unfinished.map((asked) => asked.target),
          [atlas],
        );
        await vscode.commands.executeCommand('gander.stopAtlas');
        await until('the atlas', () => api.services.atlases.present === atlas);
      },
    );
    assert.deepEqual(
      said.map(({ text }) => text.split(/[;:]/)[0]),
      ['Make an atlas of this?', 'Stopped', 'large is made'],
    );
    assert.deepEqual(api.services.making.unfinished, []);
    assert.ok(!existsSync(journal));
  });
});

// An atlas in the editor: made of a folder in the background, stopped and continued, opened, named, and seen in tree and hover.
import * as assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { AtlasCalls, AtlasMessage, OwnName } from '../../../src/atlas/protocol.js';
import type { Services } from '../../../src/commands/services.js';
import type { TestApi } from '../../../src/extension.js';
import { AtlasMaking } from '../../../src/host/atlasMaking.js';
import {
  answering,
  closeAll,
  extension,
  hearing,
  hover,
  picking,
  routed,
  set,
  show,
  until,
  useTinyPool,
} from './helpers.js';

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
async function makingOf(
  corpus: string,
  atlas: string,
  answer: Answer,
  body: () => Promise<unknown>,
  pick = (items: unknown) => (items as readonly vscode.QuickPickItem[])[0],
) {
  return hearing(
    () =>
      answering('showQuickPick', pick, () =>
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
    const [atlas, corpus] = [target('small'), texts('small', 8)];
    writeFileSync(path.join(corpus, 'prose/long.txt'), 'A long text about a goose.\n'.repeat(400));
    const heard = await makingOf(
      corpus,
      atlas,
      (text) => (text.startsWith('small') ? 'Open' : undefined),
      () => until('its editor', () => atlasTab()),
    );
    const [question, made] = heard;
    assert.match(question!.text, /Make an atlas/);
    assert.match(made!.text, /^small is made: 17 documents, [\d,]+ tokens\.$/);
    assert.equal(heard.length, 2);
  });
  afterEach(closeAll);
  after(async () => {
    for (const name of ['small', 'large']) rmSync(target(name), { recursive: true, force: true });
    api.services.store.clear();
    await set('pool', undefined);
  });

  const atlasTab = () =>
    vscode.window.tabGroups.all
      .flatMap(({ tabs }) => tabs)
      .find(({ input }) => input instanceof vscode.TabInputCustom && input.viewType === 'gander.atlas');
  /** Makes an atlas, until it is that of the model in use. */
  const make = (corpus: string, atlas: string, pick?: Parameters<typeof makingOf>[4]) =>
    makingOf(
      corpus,
      atlas,
      () => undefined,
      () => until('the atlas', () => api.services.atlases.present === atlas),
      pick,
    );
  const open = (name = 'small') => openFrom(target(name));
  const openFrom = async (atlas: string) => {
    const page = new FakePage();
    const document = services.atlasEditor.openCustomDocument(vscode.Uri.file(path.join(atlas, 'atlas.json')));
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
    const unit = { stack: null, layer: null, router: null, expert: 0 };
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

  it('says how alike its pool’s experts are, as Compare Experts does', async () => {
    const page = await open();
    const unit = { stack: null, layer: null, router: null, expert: 0 };
    const rows = await page.ask('similar', { unit });
    const { experts, gate } = await api.services.engines.engine.similarity({});
    assert.equal(rows.length, experts.length - 1);
    const { layers } = page.of('atlas')[0]!.about;
    const ids = layers.find(({ layer }) => layer === null)!.experts.map(({ id }) => id);
    const at = (expert: number) => experts.findIndex(({ id }) => id === ids[expert]);
    for (const { expert, gate: cosine } of rows) assert.equal(cosine, gate.all[at(0) * experts.length + at(expert)]);
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
    const silent = await hearing(() => page.ask('open', { document, sequence: 0, start, end }));
    assert.deepEqual(silent, []);
    const editor = vscode.window.activeTextEditor!;
    assert.equal(path.resolve(editor.document.uri.fsPath), path.resolve(document));
    assert.equal(editor.document.getText(editor.selection).trim(), text.trim());
    assert.ok(editor.selection.isReversed, 'the panel follows the cursor to the token, not behind it');
    const [range] = api.services.store.of(editor.document.uri.toString());
    assert.ok(range?.main.trace, 'it is routed');
    const content = readFileSync(document);
    appendFileSync(document, 'More.\n');
    try {
      const said = await hearing(() => page.ask('open', { document, sequence: 0, start, end }));
      assert.match(said[0]!.text, /has changed since the atlas was made/);
    } finally {
      writeFileSync(document, content);
    }
    await assert.rejects(page.ask('open', { document: '/etc/passwd', sequence: 0, start: 0, end: 1 }), {
      code: 'request-invalid',
    });
    page.close();
  });

  it('opens a row of data as a text, a document outside the open folders only if the person agrees', async () => {
    const [outside, atlas] = [mkdtempSync(path.join(tmpdir(), 'gander-rows-')), target('rows')];
    const data = path.join(outside, 'rows.jsonl');
    const row = (i: number) => ({ body: `Geese fly south,\nall ${i} of them.`, topic: i % 2 === 0 ? 'even' : 'odd' });
    writeFileSync(data, Array.from({ length: 6 }, (_, i) => JSON.stringify(row(i))).join('\n'));
    const asked: string[][] = [];
    const pick = (items: unknown) => {
      asked.push((items as readonly vscode.QuickPickItem[]).map(({ label }) => label));
      return (items as readonly vscode.QuickPickItem[])[0];
    };
    try {
      await make(data, atlas, pick);
      assert.deepEqual(asked, [
        ['body', 'topic'],
        ['topic', 'No Label'],
      ]);
      const page = await open('rows');
      assert.deepEqual(page.of('atlas')[0]!.about.corpus.labels, ['even', 'odd']);
      const place = { document: `${data}:3`, sequence: 0, start: 17, end: 20 } as const;
      const said = await hearing(() => assert.rejects(page.ask('open', place), { code: 'cancelled' }));
      assert.deepEqual([said[0]!.text, said[0]!.actions], [`Open ${data}?`, ['Open']]);
      await hearing(
        () => page.ask('open', place),
        () => 'Open',
      );
      const { document, selection } = vscode.window.activeTextEditor!;
      assert.equal(document.getText(), row(2).body);
      assert.equal(document.getText(selection), 'all');
      assert.ok(api.services.store.of(document.uri.toString())[0]?.main.trace, 'it is routed');
      page.close();
    } finally {
      for (const gone of [outside, atlas]) rmSync(gone, { recursive: true, force: true });
    }
  });

  it('is chosen among those that were opened here and those that ship', async () => {
    await closeAll();
    let offered: readonly vscode.QuickPickItem[] = [];
    await picking(
      [
        (items) => {
          offered = items;
          return items.find(({ label }) => label === 'gosling-moe');
        },
      ],
      async () => vscode.commands.executeCommand('gander.openAtlas'),
    );
    assert.equal(offered[0]!.label, 'small');
    assert.deepEqual(
      offered.filter(({ detail }) => detail === 'comes with Gander').map(({ label }) => label),
      ['gosling-moe', 'smollm2-135m'],
    );
    await until('its tab', () => {
      const { input } = atlasTab() ?? {};
      return input instanceof vscode.TabInputCustom && input.uri.path.includes('/gosling-moe.gander-atlas/');
    });
    await closeAll();
  });

  it('opens a place in an output with its pair routed, and the place selected in the panel', async () => {
    const [data, atlas] = [path.join(folder(), 'pairs.jsonl'), target('pairs')];
    const row = (i: number) => ({
      text: `How many geese fly south? ${i} of them.`,
      answer: `${i} geese fly`,
      topic: 'geese',
    });
    writeFileSync(data, Array.from({ length: 6 }, (_, i) => JSON.stringify(row(i))).join('\n'));
    const wanted = ['topic', 'answer'];
    const pick = (items: unknown) => {
      const found = (items as readonly vscode.QuickPickItem[]).find(({ label }) => label === wanted[0]);
      if (found) wanted.shift();
      return found;
    };
    try {
      await set('pool', path.join(extension().extensionPath, 'test/fixtures/tiny-t5'));
      await make(data, atlas, pick);
      const page = await open('pairs');
      const all = await page.ask('rows', { table: 'contexts', where: { stack: 'decoder', layer: null } });
      const { document, start, end } = all.find(
        ({ sequence, document: id }) => sequence === 1 && String(id).endsWith(':3'),
      )! as {
        readonly document: string;
        readonly start: number;
        readonly end: number;
      };
      assert.deepEqual(await hearing(() => page.ask('open', { document, sequence: 1, start, end })), []);
      const editor = vscode.window.activeTextEditor!;
      assert.equal(editor.document.getText(), row(2).text);
      const [range] = api.services.store.of(editor.document.uri.toString());
      assert.equal(range!.main.output?.target, row(2).answer);
      assert.equal(range!.main.trace!.sequences[1]!.text, row(2).answer);
      page.close();
    } finally {
      for (const gone of [data, atlas]) rmSync(gone, { recursive: true, force: true });
      await useTinyPool();
    }
  });

  it('of those that ship says that its documents are not here, and asks nothing', async () => {
    const page = await openFrom(path.join(extension().extensionPath, 'atlases/gosling-moe.gander-atlas'));
    const [{ document } = { document: '' }] = (await page.ask('rows', { table: 'contexts', where: { layer: 0 } })) as {
      readonly document: string;
    }[];
    const said = await hearing(() =>
      assert.rejects(page.ask('open', { document, sequence: 0, start: 0, end: 1 }), {
        code: 'io',
        message: 'held-out.jsonl is not here.',
      }),
    );
    assert.deepEqual(said, []);
    page.close();
  });

  it('routes the part of a long document that a context is in, cut as for the atlas', async () => {
    const page = await open();
    const document = path.join(folder(), 'small/prose/long.txt');
    const { tokens } = (await api.services.service.describe()).limits;
    const text = readFileSync(document, 'utf8');
    const start = text.lastIndexOf('goose');
    await hearing(() => page.ask('open', { document, sequence: 0, start, end: start + 5 }));
    const uri = vscode.window.activeTextEditor!.document.uri.toString();
    const ranges = api.services.store.of(uri);
    assert.equal(ranges.length, 1, 'attempts that were too long are gone');
    const { span, main } = ranges[0]!;
    assert.ok(span.start > 0 && span.start <= start && start < span.end);
    assert.ok(main.trace!.sequences[0]!.tokens.count <= tokens!);
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
    assert.equal(item.description, `${String(before.description).split(' · ')[0]} · “closing *brackets*”`);
    assert.match(
      item.tooltip as string,
      /In the atlas: .+ “closing \*brackets\*”\nIn quotes: the name that .+\nLoad in the atlas: \d.*% \(chance 25%\)/,
    );
    const all = await Promise.all(Array.from({ length: 20 }, (_, offset) => hover(editor.document, offset)));
    const text = all.find((shown) => shown.includes('closing'));
    assert.ok(text, 'the hover of some token says the name');
    assert.match(text, /Show in the atlas\]\(command:gander\.showInAtlas\?/);
    await vscode.commands.executeCommand('gander.showInAtlas', node);
    for (const page of [one, other]) assert.deepEqual(page.of('unit').at(-1)?.unit, unit);
    one.close();
    other.close();
  });

  it('of a mixture calls the experts of each layer', async () => {
    const atlas = target('mixture');
    await set('pool', path.join(extension().extensionPath, 'test/fixtures/moe/mixtral-transformers'));
    try {
      await make(path.join(folder(), 'small'), atlas);
      const editor = await show('the model of a goose');
      await routed(api, editor);
      const { tree, atlases } = api.services;
      const [model] = await tree.getChildren();
      const [, second] = await tree.getChildren(model);
      const [node] = await tree.getChildren(second);
      assert.ok(node?.kind === 'layer-expert');
      const unit = { stack: null, layer: 1, router: null, expert: node.expert };
      await atlases.name(atlas, { ...unit, name: 'geese', note: '' });
      assert.match(tree.getTreeItem(node).description as string, /% of the choices · geese$/);
      const all = await Promise.all(Array.from({ length: 20 }, (_, offset) => hover(editor.document, offset)));
      assert.ok(all.some((text) => text.includes(`expert ${node.expert} · geese`)));
      const page = await open('mixture');
      await vscode.commands.executeCommand('gander.showInAtlas', node);
      assert.deepEqual(page.of('unit').at(-1)?.unit, unit);
      page.close();
    } finally {
      rmSync(atlas, { recursive: true, force: true });
      await useTinyPool();
    }
  });

  it('is stopped, says that what is done is kept, and continues, also after a restart of the editor', async () => {
    const atlas = target('large');
    const journal = `${atlas}.journal`;
    const corpus = texts('large', 60);
    const { making } = api.services;
    /** The first row of the tree. */
    const inTree = async () => {
      const { tree } = api.services;
      const [first] = await tree.getChildren();
      return first?.kind === 'atlas' && [first.atlas.title, tree.getTreeItem(first).contextValue];
    };
    const isFree = () => {
      try {
        making.checkFree();
        return true;
      } catch {
        return false;
      }
    };
    const said = await makingOf(
      corpus,
      atlas,
      (text) => (text.endsWith('unfinished.') ? 'Continue' : undefined),
      async () => {
        await until('a journal', () => existsSync(journal));
        assert.deepEqual(await inTree(), ['large', 'gander.atlas.running']);
        await vscode.commands.executeCommand('gander.stopAtlas');
        await until('that it is stopped', () => isFree());
        assert.ok(existsSync(journal) && !existsSync(atlas));
        assert.deepEqual(
          making.unfinished.map(({ asked }) => asked.target),
          [atlas],
        );
        assert.deepEqual(await inTree(), ['large', 'gander.atlas.begun']);
        const { context, engines, atlases, log } = api.services;
        await new AtlasMaking(context, engines, atlases, log).offer();
        await until('the atlas', () => atlases.present === atlas);
      },
    );
    assert.deepEqual(
      said.map(({ text }) => text.split(/[;:]/)[0]),
      ['Make an atlas of this?', 'Stopped', 'large is unfinished.', 'large is made'],
    );
    assert.deepEqual(making.unfinished, []);
    assert.ok(!existsSync(journal));
  });
});

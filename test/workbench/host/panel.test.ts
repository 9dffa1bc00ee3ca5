import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { routerOf } from '../../../src/strategies/index.js';
import { RoutingHover } from '../../../src/editor/hover.js';
import type { Services } from '../../../src/commands/services.js';
import type { TestApi } from '../../../src/extension.js';
import type { RoutingStore } from '../../../src/routing/store.js';
import { words } from '../../../src/words/words.js';
import { caretOf, closeAll, hearing, routed, select, show, until, useTinyPool } from './helpers.js';

const text = 'The quick brown fox jumps over the lazy dog.\n';

describe('the page', () => {
  let api: TestApi;
  let panels: Services['panels'];
  before(async () => {
    api = await useTinyPool();
    ({ panels } = await api.features());
  });
  afterEach(closeAll);

  const html = async () => {
    const { id } = await routed(api, await show(text));
    return (await until('the panel', () => panels.find(id))).panel.webview.html;
  };
  const wordsOf = (page: string) => {
    const [, written] = /<body data-words="([^"]*)">/.exec(page) ?? [];
    assert.ok(written);
    return JSON.parse(written.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))) as unknown;
  };

  it('shows a text that is in an editor beside it', async () => {
    const { id } = await routed(api, await show(text));
    const { scene } = await until('the panel', () => panels.find(id));
    assert.equal(scene.isTextVisible(), true);
  });

  it('is there again before its run is over', async () => {
    const { id } = await routed(api, await show(text));
    const before = await until('the panel', () => panels.find(id));
    const memory = await until('what it is restored from', () => before.scene.memory());
    before.panel.dispose();
    const page = vscode.window.createWebviewPanel('gander.panel', 'Routing', vscode.ViewColumn.Two);
    await panels.restore(page, { memory });
    const { scene } = panels.following!;
    assert.notEqual(scene.id, id);
    assert.notEqual(page.webview.html, '');
    // VS Code shows the page from here on.
    assert.equal(scene.routed?.main.trace, undefined);
    await until('its run', () => scene.routed?.main.trace);
  });

  it('is there again with what it was compared with, the same text in another way', async () => {
    const { runs } = await api.features();
    const { id, main } = await routed(api, await show(text));
    const before = await until('the panel', () => panels.find(id));
    await runs.compare(id, { ...main, title: 'base', strategy: { name: 'base' } });
    const memory = await until('what it is restored from', () => before.scene.memory());
    before.panel.dispose();
    const page = vscode.window.createWebviewPanel('gander.panel', 'Routing', vscode.ViewColumn.Two);
    await panels.restore(page, { memory });
    const { scene } = panels.following!;
    // The page has to know of it before it shows anything.
    assert.equal(scene.side('other')?.title, 'base');
    const other = await until('its other run', () => scene.routed?.other?.trace && scene.routed.other);
    assert.deepEqual([other.text, other.strategy.name], [main.text, 'base']);
  });

  it('needs no words in an English window', async () => {
    assert.deepEqual(wordsOf(await html()), {});
  });

  it('gets all kinds of words in the language of the window', async () => {
    const german: Record<string, string> = {
      [words.generate]: 'Fortsetzen',
      [words.tokens.one]: '{0} Token',
      [words.tokens.other]: '{0} Tokens',
      [words.empty]: '„Wohin“ geht\'s? </body> & "<b>',
    };
    const l10n = vscode.l10n as unknown as { t: (text: string, ...values: unknown[]) => string };
    const original = l10n.t;
    l10n.t = (message, ...values) => german[message] ?? original.call(l10n, message, ...values);
    try {
      const page = await html();
      assert.deepEqual(wordsOf(page), {
        generate: german[words.generate],
        tokens: { one: '{0} Token', other: '{0} Tokens' },
        empty: german[words.empty],
      });
      assert.equal(page.match(/<\/body>/g)!.length, 1);
    } finally {
      l10n.t = original;
    }
  });
});

describe('the glossary', () => {
  afterEach(closeAll);

  it('opens, rendered', async () => {
    await vscode.commands.executeCommand('gander.openGlossary');
    await until('its preview', () => vscode.window.tabGroups.activeTabGroup.activeTab?.label.includes('glossary.md'));
  });
});

describe('a panel whose model takes long', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(closeAll);

  it('appears before the model is loaded, says that it loads, and can be stopped', async () => {
    const { service, store, panels, engines } = await api.features();
    const source = engines.source;
    const original = source.describe.bind(source);
    let loaded = () => {};
    const loading = new Promise<void>((resolve) => (loaded = resolve));
    source.describe = async () => {
      await loading;
      return original();
    };
    service.forget();
    try {
      const editor = await show(text);
      const uri = editor.document.uri.toString();
      const routing = vscode.commands.executeCommand('gander.routeSelection');
      const { id } = await until('the range', () => store.of(uri)[0]);
      const { scene } = await until('the panel', () => panels.find(id));
      assert.deepEqual(scene.side('main')?.running, { what: 'route', done: 0, total: 0 });
      assert.equal(scene.memory(), undefined, 'nothing is known about the run yet');
      const said = await hearing(async () => {
        await vscode.commands.executeCommand('gander.knockOut');
      });
      assert.match(said[0]!.text, /still being loaded/);
      await scene.handle({ type: 'stop' });
      await routing;
      assert.equal(store.get(id)!.main.error?.code, 'cancelled', 'it stays, and says so');

      const again = vscode.commands.executeCommand('gander.routeSelection');
      const other = await until('the range', () => store.of(uri).find((one) => one.id !== id));
      loaded();
      await again;
      assert.equal(store.get(other.id)!.main.strategy.name, 'phatgoose');
      assert.equal(store.get(other.id)!.main.trace!.sequences[0]!.text, text);
      assert.ok(panels.find(other.id)!.scene.memory());
    } finally {
      loaded();
      source.describe = original;
      service.forget();
    }
  });
});

describe('text that the model wrote', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(closeAll);

  it('is inserted at the end of the selection, and one undo removes it', async () => {
    const { runs, store, panels } = await api.features();
    const editor = await show(text);
    const { document } = editor;
    select(editor, 'brown fox');
    const { id, span } = await routed(api, editor);
    // Before anything was written, nothing is inserted.
    const { scene } = await until('the panel', () => panels.find(id));
    await scene.handle({ type: 'insert' });
    assert.equal(document.getText(), text);

    await runs.generate(id, { maxTokens: 6, temperature: 0 });
    const all = store.get(id)!.main.trace!.sequences[0]!.text!;
    assert.ok(all.startsWith('brown fox') && all.length > 'brown fox'.length, all);
    const written = all.slice('brown fox'.length);
    // An edit before it moves the place of insertion.
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), 'Look: '));
    await scene.handle({ type: 'insert' });
    const at = span.end + 'Look: '.length;
    assert.equal(document.getText(), `Look: ${text.slice(0, span.end)}${written}${text.slice(span.end)}`);
    assert.equal(document.getText().slice(at, at + written.length), written);
    await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
    await vscode.commands.executeCommand('undo');
    assert.equal(document.getText(), `Look: ${text}`);
  });
});

describe('a hover', () => {
  let api: TestApi;
  let panels: Services['panels'];
  before(async () => {
    api = await useTinyPool();
    ({ panels } = await api.features());
  });
  afterEach(closeAll);

  const contents = (store: RoutingStore, document: vscode.TextDocument, offset: number) => {
    const hover = new RoutingHover(store, api.services.colours, api.services.atlases).provideHover(
      document,
      document.positionAt(offset),
    );
    const [content] = hover!.contents as vscode.MarkdownString[];
    return content!;
  };

  it('links to its token in the panel, which opens again if it was closed', async () => {
    const editor = await show(text);
    const { id } = await routed(api, editor);
    const panel = () => panels.find(id);
    (await until('the panel', panel)).panel.dispose();
    await until('no panel', () => panel() === undefined);

    const offset = text.indexOf('fox') + 1;
    const { value, isTrusted } = contents(api.services.store, editor.document, offset);
    assert.deepEqual(isTrusted, {
      enabledCommands: ['gander.openPanel', 'gander.showInAtlas', 'gander.openGlossary'],
    });
    const links = [...value.matchAll(/\]\(command:([\w.]+)\?([^)]*)\)/g)];
    assert.equal(links.length, 1);
    const [, command, query] = links[0]!;
    assert.equal(command, 'gander.openPanel');
    const token = api.services.store.tokenAt(id, offset)!;
    const args = JSON.parse(decodeURIComponent(query!)) as unknown[];
    assert.deepEqual(args, [id, token]);

    // The caret is elsewhere; it moves to the token, and so does the page.
    editor.selection = new vscode.Selection(0, 0, 0, 0);
    await vscode.commands.executeCommand(command, ...args);
    const { scene } = await until('the panel with the focus', () => panels.active);
    assert.equal(scene.id, id);
    assert.equal(scene.token(), token);
    const spans = api.services.store.tokenSpans(id)!;
    assert.equal(editor.document.offsetAt(editor.selection.active), caretOf(editor, spans, token));
    // As another model would cut the text.
    api.services.mark.show(editor.document.uri.toString(), {
      start: text.indexOf(' fox'),
      end: text.indexOf(' jumps'),
    });
    assert.equal(editor.document.offsetAt(editor.selection.active), text.indexOf('fox'));
  });

  it('opens nothing for invalid numbers', async () => {
    const editor = await show(text);
    const { id } = await routed(api, editor);
    editor.selection = new vscode.Selection(0, 5, 0, 5);
    for (const args of [
      [id, 1e9],
      [id, -1],
      [id, 'x'],
      [1e9, 0],
      [{}, []],
    ])
      await vscode.commands.executeCommand('gander.openPanel', ...args);
    assert.equal(editor.document.offsetAt(editor.selection.active), 5);
  });

  it('does not treat experts’ names as markup', async () => {
    const editor = await show(text);
    const now = await routed(api, editor);
    const hostile = [
      '[x](command:workbench.action.quit)',
      '```\n[x](command:gander.openPanel)\n```',
      '<a href="command:gander.openPanel">x</a>',
      '$(alert) ![](https://example.com/x.png) \u202e',
    ];
    const trace = now.main.trace!;
    const renamed = {
      ...now,
      main: {
        ...now.main,
        trace: {
          ...trace,
          expertSets: trace.expertSets.map((set) => ({
            ...set,
            experts: set.experts.map((expert, i) => ({ ...expert, name: hostile[i % 4]! })),
          })),
        },
        strategy: { name: 'single', expert: hostile[0]! },
      },
    };
    Object.assign(renamed.main.trace, { router: routerOf(renamed.main.strategy) });
    const { store } = api.services;
    const fake = {
      at: () => renamed,
      tokenAt: () => store.tokenAt(now.id, 5),
      tokenSpans: () => store.tokenSpans(now.id),
    } as unknown as RoutingStore;
    const { value, supportHtml } = contents(fake, editor.document, 5);
    assert.notEqual(supportHtml, true);
    // All names are in the code block, whose fence is longer than any in it; only Gander's own links are markup.
    const fence = /^(`{3,})text$/m.exec(value)![1]!;
    const [before, code, after] = value.split(new RegExp(`^${fence}(?:text)?$`, 'm')) as [string, string, string];
    assert.match(code.replaceAll('\u00a0', ' '), /^XCW \[x\]\(command/m);
    assert.doesNotMatch(code, new RegExp(`^ {0,3}\`{${fence.length},}`, 'm'));
    const outside = before + after;
    assert.doesNotMatch(outside, /quit|href|example|alert/);
    assert.deepEqual(
      [...outside.matchAll(/(?<!\\)\]\(([^?)]*)/g)].map(([, target]) => target),
      ['command:gander.openPanel', 'command:gander.openGlossary'],
    );
    assert.doesNotMatch(value, /\u202e/);
  });
});
